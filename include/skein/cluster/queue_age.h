/*
 * queue_age: how long a shard's queue is, for who watches it. The rules for the calls are those of queue.h.
 */
#ifndef SKEIN_CLUSTER_QUEUE_AGE_H
#define SKEIN_CLUSTER_QUEUE_AGE_H

#include "skein/cluster/msg_id.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

/* How long the queue of one shard is and what in it is the oldest. Held and quarantined messages do not
 * count. */
struct queue_age {
	uint64_t count;
	bool has_oldest;
	struct msg_id oldest; /* in a long queue one of the oldest: see view.lua */
};
typedef void queue_age_fn(void *arg, const struct outcome *outcome, const struct queue_age *age);
bool queue_age(struct redis_link *link, unsigned shard, uint64_t now_ms, queue_age_fn *fn, void *arg);

#endif
