/*
 * route_gate: holds one worker's mail of one route to what all workers of all nodes may do there together: so
 * many messages in a time (route.rate) and so many connections at once (route.cluster_connections). Shared by
 * all destinations of the route.
 *
 * The rate: a worker has one place at a time, reserved (limiter.h) when a connection is there that could
 * start a message, and the next when that is used, if more waits. Whoever is refused waits in line and is
 * called when a place has come.
 *
 * Connections: a permit is asked for before one is opened, and freed when it is closed. Idle ones are given
 * up when another worker waits longer than is fair (slots.h).
 */
#ifndef NODE_OUTBOUND_ROUTE_GATE_H
#define NODE_OUTBOUND_ROUTE_GATE_H

#include "access/limit_desk.h"
#include "skein/cluster/route.h"
#include "skein/cluster/slots.h"
#include "track/metrics.h"

/* One per worker. */
struct gate_desk {
	struct loop *loop;
	struct limit_desk *limits;
	struct meter *meter;
	struct slots *slots;
	struct list gates;       /* route_gate.link */
	struct loop_timer timer; /* while there are slots */
	struct slots_stats seen; /* what the metrics know */
	bool is_stopped;
};

struct gate_desk_options {
	struct loop *loop;
	struct limit_desk *limits;
	struct meter *meter;
	struct redis_link *link;  /* of the loop */
	struct slot_share *share; /* of the node */
	struct span holder;       /* see slots_new() */
	uint64_t seed[2];
};

/* All is borrowed but the holder. */
void gate_desk_init(struct gate_desk *desk, const struct gate_desk_options *options);
/* Places are given back; none is asked for any more. */
void gate_desk_stop(struct gate_desk *desk);
/* Stopped; no gate and no permit is left, and the link has ended its calls. */
void gate_desk_fini(struct gate_desk *desk);
/* To be called now and then. */
void gate_desk_count(struct gate_desk *desk);

/* --- the rate */

struct route_gate;

/* Embedded by who waits. */
struct gate_waiter {
	struct list link;
	void (*fn)(void *arg);
	void *arg;
};

/* A reference. NULL: the route has no such limit. The route stays until it is dropped. */
struct route_gate *route_gate_get(struct gate_desk *desk, const struct route *route);
/* Sets the pointer to NULL; harmless where it is that. */
void route_gate_unref(struct route_gate **gate);

void gate_waiter_init(struct gate_waiter *waiter, void (*fn)(void *arg), void *arg);
/* True: a message may be started now; route_gate_use() when it is. False: the waiter waits in line. */
bool route_gate_admits(struct route_gate *gate, struct gate_waiter *waiter);
/* `more`: there is another one. */
void route_gate_use(struct route_gate *gate, bool more);
/* The rate is what holds mail up. */
bool route_gate_is_shut(const struct route_gate *gate);
bool route_gate_has_rate(const struct route_gate *gate);
/* How far apart this worker's places are. */
uint64_t route_gate_pace_ms(const struct route_gate *gate);

/* --- connections */

bool route_gate_has_slots(const struct route_gate *gate);

struct route_permit {
	struct slot slot;
	struct list link; /* in the gate */
	struct list held; /* its asker's, see hop.h */
	struct route_gate *gate;
	void (*granted)(void *arg);
	void (*look)(void *arg); /* a few times a second: an idle connection asks whether to yield */
	void *arg;
};

/* `granted` runs when it is granted, unless it is so at once, or freed before. */
struct route_permit *route_permit_new(struct route_gate *gate, void (*granted)(void *arg), void *arg);
/* Whose it is now. */
void route_permit_give(struct route_permit *permit, void (*look)(void *arg), void *arg);
bool route_permit_is_held(const struct route_permit *permit);
/* Another waits: close the connection when its message is over. */
bool route_permit_should_yield(struct route_permit *permit);
/* Sets the pointer to NULL; harmless where it is that. */
void route_permit_free(struct route_permit **permit);

#endif
