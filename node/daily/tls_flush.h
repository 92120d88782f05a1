/*
 * tls_flush: what this node has counted of TLS goes to Redis, a few times a minute (tls_counts.h). Without
 * Redis it waits in the ledger. A call whose answer is lost is not repeated: a count too few is better than
 * one too many. All calls are for the loop's own thread.
 */
#ifndef NODE_DAILY_TLS_FLUSH_H
#define NODE_DAILY_TLS_FLUSH_H

#include "io/loop.h"
#include "outbound/tls_ledger.h"
#include "skein/cluster/redis_link.h"

struct tls_flush;

/* All borrowed. */
struct tls_flush_options {
	struct loop *loop;
	struct redis_link *link;
	struct tls_ledger *ledger;
	uint64_t delay_ms, interval_ms; /* of tls_reports */
};

struct tls_flush *tls_flush_new(const struct tls_flush_options *options);
/* After the link's connection is freed. Sets the pointer to NULL; NULL inside is fine. */
void tls_flush_free(struct tls_flush **flush);
/* Now: the node is about to end. */
void tls_flush_poke(struct tls_flush *flush);

#endif
