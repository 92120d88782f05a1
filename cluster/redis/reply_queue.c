#include "redis/reply_queue.h"

#include "skein/proto/base/alloc.h"

#include <hiredis/hiredis.h>

enum { CAP_MIN = 64 };

void reply_queue_fini(struct reply_queue *queue)
{
	while (!reply_queue_is_empty(queue)) {
		struct pending pending = reply_queue_pop(queue);

		freeReplyObject(pending.reply);
	}
	mem_free(queue->slots);
	memset(queue, 0, sizeof(*queue));
}

static void grow(struct reply_queue *queue)
{
	size_t cap = queue->cap ? queue->cap * 2 : CAP_MIN;
	struct pending *slots = mem_alloc(cap * sizeof(*slots));

	for (size_t at = queue->front; at != queue->end; at++)
		slots[at & (cap - 1)] = queue->slots[at & (queue->cap - 1)];
	mem_free(queue->slots);
	queue->slots = slots;
	queue->cap = cap;
}

void reply_queue_push(struct reply_queue *queue, const struct pending *pending)
{
	if (queue->end - queue->front == queue->cap)
		grow(queue);
	queue->slots[queue->end & (queue->cap - 1)] = *pending;
	queue->end++;
}

struct pending *reply_queue_at(const struct reply_queue *queue, size_t position)
{
	CHECK(position - queue->front < queue->end - queue->front);
	return &queue->slots[position & (queue->cap - 1)];
}

struct pending reply_queue_pop(struct reply_queue *queue)
{
	struct pending pending = *reply_queue_at(queue, queue->front);

	if (queue->unanswered == queue->front)
		queue->unanswered++;
	queue->front++;
	return pending;
}
