/*
 * slot_store: connections to routes that the whole cluster may have at once, in Redis, as typed calls over
 * one redis_link. The rules for the calls are those of queue.h. slots.h decides with these; skeinctl lists.
 */
#ifndef SKEIN_CLUSTER_SLOT_STORE_H
#define SKEIN_CLUSTER_SLOT_STORE_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	SLOT_ROUTE_MAX = 128, /* bytes of a route's name */
	SLOT_HOLDER_MAX = 64, /* bytes of a holder's: "<uuid>.<worker>" */
	SLOT_ASKS_MAX = 100,  /* routes of one call */
};

/* Of one route. What is used and what is wanted is said, not what to add: a call may be repeated. */
struct slot_ask {
	struct span route;
	uint64_t wants; /* with those in use; 0: all are given back */
	uint64_t used;  /* kept in any case; what was granted and is not used is given back */
	uint64_t most;  /* of the cluster */
};
struct slot_grant {
	uint64_t count; /* that the holder has now */
	uint64_t yield; /* how many of these others wait for, or are too many */
};
/* OK: one grant for each ask, for `ttl_ms` from now. */
typedef void slot_hold_fn(
	void *arg, const struct outcome *outcome, const struct slot_grant *grants, size_t count);
bool slot_store_hold(struct redis_link *link, struct span holder, uint64_t ttl_ms,
	const struct slot_ask *asks, size_t count, uint64_t now_ms, slot_hold_fn *fn, void *arg);

struct slot_row {
	struct span route, holder; /* borrowed */
	uint64_t count, wants, waits_ms, most;
};
/* OK: a row for each route and holder, those of a route together. */
typedef void slot_list_fn(
	void *arg, const struct outcome *outcome, const struct slot_row *rows, size_t count);
bool slot_store_list(struct redis_link *link, uint64_t now_ms, slot_list_fn *fn, void *arg);

#endif
