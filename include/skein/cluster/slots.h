/*
 * slots: connections to a route of which the whole cluster may have only so many, as some providers demand.
 * One per worker beside its Redis link. A connection is opened with a slot and gives it back when it is
 * closed.
 *
 * A slot is embedded by its connection. slots_ask() either grants it at once, or calls back exactly once,
 * later, from the link's reply or from slots_tick(). Who waits in line is known in Redis: a worker that has
 * more than its fair part is told to give one back (slots_should_yield()), and what becomes free goes to who
 * waits longest. With more workers than slots they take turns.
 *
 * Redis never grants more than the cluster may have. What a dead worker held is free after SLOTS_TTL_MS. A
 * grant is trusted for a second less, from the moment of sending; then, and where Redis has not been heard,
 * the node has its part (slot_share.h). What may be exceeded, and by how much:
 *
 * - by the parts of nodes that cannot reach Redis while others can;
 * - by connections that are still busy with a message when their slots are taken away.
 */
#ifndef SKEIN_CLUSTER_SLOTS_H
#define SKEIN_CLUSTER_SLOTS_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/slot_share.h"
#include "skein/cluster/slot_store.h"
#include "skein/proto/base/list.h"

struct slots;

enum {
	SLOTS_TTL_MS = 5000,
	SLOTS_MARGIN_MS = 1000,
	SLOTS_RENEW_MS = 1000,    /* all routes in one call */
	SLOTS_AGAIN_MS = 200,     /* while one waits */
	SLOTS_DEADLINE_MS = 1000, /* for Redis' first answer */
};

typedef void slot_granted_fn(void *arg);

/* Belongs to its asker; all else here writes it. */
struct slot {
	struct list link;         /* of those that the route has, or that wait */
	struct slot_route *route; /* NULL: neither asked for nor held */
	bool is_held;
	bool is_yielding, is_yielding_part; /* it was told so */
	slot_granted_fn *fn;
	void *arg;
};

/* `holder`: of this worker alone, "<uuid>.<worker>", 1..SLOT_HOLDER_MAX bytes; copied. The share is borrowed.
 */
struct slots *slots_new(
	struct redis_link *link, struct slot_share *share, struct span holder, const uint64_t seed[2]);
/* No slot is held or waited for, and the link has ended its calls. */
void slots_free(struct slots **slots);

void slot_init(struct slot *slot);
/*
 * True: held. False: `fn` runs when it is, unless it is released before; a deadline is the asker's. `most`:
 * of the cluster, 1..; the last one that was said holds for the route.
 */
bool slots_ask(struct slots *slots, struct slot *slot, struct span route, uint64_t most, uint64_t now_ms,
	slot_granted_fn *fn, void *arg);
/* The connection is closed, or not wanted any more. Harmless when nothing is held or asked. */
void slots_release(struct slots *slots, struct slot *slot, uint64_t now_ms);
/* To be asked between two messages. True: close the connection and release the slot; it stays true until
 * then. */
bool slots_should_yield(struct slots *slots, struct slot *slot, uint64_t now_ms);

/* Renews and asks again; returns when it wants to be called again, UINT64_MAX: when something was asked.
 */
uint64_t slots_tick(struct slots *slots, uint64_t now_ms);

struct slots_stats {
	uint64_t calls, failed; /* to Redis */
	uint64_t granted;       /* slots, by Redis or by the share */
	uint64_t by_share;      /* of these */
	uint64_t yielded;       /* told to give back */
	uint64_t held, waiting; /* now */
};
struct slots_stats slots_stats(const struct slots *slots);

#endif
