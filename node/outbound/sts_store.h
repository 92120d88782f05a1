/*
 * sts_store: the MTA-STS policies (RFC 8461) that this node has fetched, and where it has failed to lately.
 * Shared by its workers. Bounded: what was not asked for the longest goes first.
 */
#ifndef NODE_OUTBOUND_STS_STORE_H
#define NODE_OUTBOUND_STS_STORE_H

#include "skein/proto/wire/mta_sts.h"

enum {
	STS_DOMAINS_MAX = 10000,
	STS_BYTES_MAX = 32 * 1024 * 1024, /* of policies */
	STS_AGAIN_S = 300,                /* between two fetches for one domain, RFC 8461 3.3 */
};

struct sts_store;

struct sts_store *sts_store_new(const uint64_t seed[2]);
/* NULL is fine. Sets the pointer to NULL. */
void sts_store_free(struct sts_store **store);

/* The rest is for any thread. `domain` is in small letters. */

/* A policy whose max_age is not over. Text goes into the arena. */
struct sts_kept_policy {
	struct span text;
	struct mta_sts_kept kept;
};
bool sts_store_get(struct sts_store *store, struct span domain, uint64_t now_s, struct arena *arena,
	struct sts_kept_policy *kept_out);
/* It was fetched, and is without fault. */
void sts_store_put(struct sts_store *store, struct span domain, const struct sts_kept_policy *policy);
/* False within STS_AGAIN_S of sts_store_tried(). */
bool sts_store_may_fetch(struct sts_store *store, struct span domain, uint64_t now_s);
/* A fetch that is not to be repeated soon: it failed, or it has begun and an older policy counts meanwhile.
 */
void sts_store_tried(struct sts_store *store, struct span domain, uint64_t now_s);

#endif
