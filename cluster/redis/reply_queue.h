/*
 * reply_queue: who waits for which reply, in the order of the calls. A ring, so that ten thousand calls in
 * flight are one array. Its elements pass through two stations: sent, answered (kept while an earlier one
 * waits for replicas), and leave from the front.
 */
#ifndef CLUSTER_REDIS_REPLY_QUEUE_H
#define CLUSTER_REDIS_REPLY_QUEUE_H

#include "skein/cluster/redis_link.h"

enum pending_kind {
	PENDING_PLAIN,
	PENDING_REPLICATED,
	PENDING_WAIT,     /* the WAIT that closes a batch; has no callback */
	PENDING_INTERNAL, /* the link's own call: its callback runs with REDIS_REPLY or not at all */
};

struct pending {
	redis_reply_fn *fn; /* NULL: nobody is interested */
	void *arg;
	struct redisReply *reply; /* owned; NULL until answered */
	uint64_t sent_ms;
	enum pending_kind kind;
};

/* All zero bytes is a valid empty queue. Positions only grow; front <= unanswered <= end. */
struct reply_queue {
	struct pending *slots;
	size_t cap; /* a power of two, or 0 */
	size_t front, unanswered, end;
};

/* Frees replies that nobody took, and the ring. */
void reply_queue_fini(struct reply_queue *queue);
void reply_queue_push(struct reply_queue *queue, const struct pending *pending);
/* `position` is in front..end; the pointer is good until the next push. */
struct pending *reply_queue_at(const struct reply_queue *queue, size_t position);
/* The queue must not be empty. The reply is the caller's. */
struct pending reply_queue_pop(struct reply_queue *queue);

static inline bool reply_queue_is_empty(const struct reply_queue *queue)
{
	return queue->front == queue->end;
}

static inline bool reply_queue_has_unanswered(const struct reply_queue *queue)
{
	return queue->unanswered != queue->end;
}

#endif
