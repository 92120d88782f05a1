/*
 * limit_desk: a worker's limiter with the timer that its deadlines need. Sessions and routes ask there.
 */
#ifndef NODE_ACCESS_LIMIT_DESK_H
#define NODE_ACCESS_LIMIT_DESK_H

#include "io/loop.h"
#include "skein/cluster/limiter.h"
#include "track/metrics.h"

struct limit_desk {
	struct loop *loop;
	struct limiter *limiter;
	struct meter *meter; /* set by the owner; NULL: nothing is counted */
	struct loop_timer timer;
};

/* `link`: the loop's; both are borrowed. A question waits `patience_ms` for Redis. */
void limit_desk_init(struct limit_desk *desk, struct loop *loop, struct redis_link *link,
	struct limit_share *share, uint64_t patience_ms);
/* Nothing is asked, and the link has ended its calls. */
void limit_desk_fini(struct limit_desk *desk);
/* After each question that was not decided at once: its deadline is watched. */
void limit_desk_watch(struct limit_desk *desk);

#endif
