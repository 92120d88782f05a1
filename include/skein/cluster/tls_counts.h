/*
 * tls_counts: what became of TLS with each domain, summed up over the cluster by days (UTC) of Redis' clock,
 * and whose turn it is to report it; as typed calls over one redis_link. The rules for the calls are those of
 * queue.h. What fields mean is the node's affair: one that begins with '+' is a number that grows, another is
 * a text that is replaced.
 *
 * A day of a domain is due some time after its end, is claimed by one node, and is due again after a while,
 * longer each time, until somebody says that it is done.
 */
#ifndef SKEIN_CLUSTER_TLS_COUNTS_H
#define SKEIN_CLUSTER_TLS_COUNTS_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum { TLS_COUNTS_ADD_MAX = 500, TLS_COUNTS_FIELD_MAX = 1024, TLS_COUNTS_TEXT_MAX = 4096 };

/* Without blanks in `domain`. */
struct tls_count {
	struct span domain, field;
	uint64_t step;    /* of a number */
	struct span text; /* of a text */
};

struct tls_counts_add {
	const struct tls_count *counts; /* at most TLS_COUNTS_ADD_MAX */
	size_t count;
	uint64_t delay_ms; /* of a report, after the end of the day; at most */
	uint32_t chance;   /* which part of that */
};
/* Domains and fields for which there is no room are left out. `fn` may be NULL. */
typedef void tls_counts_fn(void *arg, const struct outcome *outcome);
bool tls_counts_add(struct redis_link *link, const struct tls_counts_add *args, uint64_t now_ms,
	tls_counts_fn *fn, void *arg);

struct tls_counts_field {
	struct span name, value;
};
/* Borrowed. */
struct tls_counts_day {
	uint64_t day;       /* since 1970 */
	struct span domain; /* empty: nothing is due */
	uint64_t attempts;  /* this one included */
	const struct tls_counts_field *fields;
	size_t field_count;
};
typedef void tls_counts_day_fn(void *arg, const struct outcome *outcome, const struct tls_counts_day *day);
bool tls_counts_claim(
	struct redis_link *link, uint64_t again_ms, uint64_t now_ms, tls_counts_day_fn *fn, void *arg);

/* The report has gone to `uri`: a field "told URI" says so from now on. `fn` may be NULL. */
bool tls_counts_told(struct redis_link *link, uint64_t day, struct span domain, struct span uri,
	uint64_t now_ms, tls_counts_fn *fn, void *arg);
/* `fn` may be NULL. */
bool tls_counts_done(struct redis_link *link, uint64_t day, struct span domain, uint64_t now_ms,
	tls_counts_fn *fn, void *arg);

#endif
