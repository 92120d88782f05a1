/* sts_fetch: the policy of MTA-STS by HTTPS (RFC 8461 3.3), by libcurl. Blocks: for skeinctl only. */
#ifndef CTL_STS_FETCH_H
#define CTL_STS_FETCH_H

#include "skein/proto/base/buf.h"

struct sts_fetch_options {
	const char *ca_file; /* NULL: the system's */
	const char *connect; /* HOST:PORT instead of the name's addresses; NULL */
};

/*
 * `addresses`: of mta-sts.DOMAIN, parted by commas. False: `why_out` has a phrase. At most 64 KiB, no
 * redirects, nothing through a proxy.
 */
bool sts_fetch(const struct sts_fetch_options *options, struct span domain, struct span addresses,
	uint64_t timeout_ms, struct buf *policy_out, struct buf *why_out);

#endif
