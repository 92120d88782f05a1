/*
 * tls_rows: what the cluster has counted of a domain in a day (tls_counts.h; the fields are those of
 * tls_ledger.h) as the policies of a report.
 */
#ifndef NODE_DAILY_TLS_ROWS_H
#define NODE_DAILY_TLS_ROWS_H

#include "skein/cluster/tls_counts.h"
#include "skein/proto/base/arena.h"
#include "skein/proto/wire/tls_report.h"

enum { TLS_ROWS_POLICIES_MAX = 64 };

/*
 * How many there are; in an order of their names. All is in the arena. Fields that make no sense are left
 * out.
 */
size_t tls_rows_policies(const struct tls_counts_day *day, struct arena *arena,
	struct tls_report_policy policies_out[TLS_ROWS_POLICIES_MAX]);
/* The report has gone there already. */
bool tls_rows_is_told(const struct tls_counts_day *day, struct span uri);

#endif
