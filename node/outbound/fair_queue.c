#include "outbound/fair_queue.h"

#include "skein/proto/base/alloc.h"

#include <string.h>

struct fair_flow {
	struct list link;
	struct fair_queue *queue;
	struct list messages; /* message.queue_link */
	size_t count;
	size_t key_len;
	char key[];
};

void fair_queue_init(struct fair_queue *queue, const uint64_t seed[2], void *owner)
{
	*queue = (struct fair_queue){ .owner = owner };
	table_init(&queue->flows, seed);
	list_init(&queue->turn);
}

void fair_queue_fini(struct fair_queue *queue)
{
	CHECK(!queue->count);
	table_fini(&queue->flows);
}

struct span fair_flow_key(const struct fair_flow *flow)
{
	return span_of(flow->key, flow->key_len);
}

static struct fair_flow *flow_of(struct fair_queue *queue, struct span key)
{
	struct fair_flow *flow = table_get(&queue->flows, key);

	if (flow)
		return flow;
	flow = mem_alloc(sizeof(*flow) + key.len);
	flow->queue = queue;
	flow->count = 0;
	flow->key_len = key.len;
	if (key.len)
		memcpy(flow->key, key.ptr, key.len);
	list_init(&flow->messages);
	list_push_back(&queue->turn, &flow->link);
	table_put(&queue->flows, fair_flow_key(flow), flow);
	return flow;
}

void fair_queue_push(struct fair_queue *queue, struct message *message, struct span key)
{
	struct fair_flow *flow = flow_of(queue, key);

	CHECK(!message->flow);
	message->flow = flow;
	list_push_back(&flow->messages, &message_ref(message)->queue_link);
	flow->count++;
	queue->count++;
}

void fair_queue_remove(struct message *message)
{
	struct fair_flow *flow = message->flow;
	struct fair_queue *queue = flow->queue;

	list_remove(&message->queue_link);
	message->flow = NULL;
	queue->count--;
	if (--flow->count == 0) {
		list_remove(&flow->link);
		table_remove(&queue->flows, fair_flow_key(flow));
		mem_free(flow);
	}
	message_unref(&message);
}

struct fair_queue *fair_queue_of(const struct message *message)
{
	return message->flow->queue;
}

struct message *fair_queue_next(struct fair_queue *queue)
{
	struct fair_flow *flow;

	if (!queue->count)
		return NULL;
	flow = LIST_FIRST(&queue->turn, struct fair_flow, link);
	list_remove(&flow->link);
	list_push_back(&queue->turn, &flow->link);
	return fair_flow_first(flow);
}

size_t fair_queue_share(const struct fair_queue *queue, struct span key)
{
	const struct fair_flow *flow = table_get(&queue->flows, key);

	return flow ? flow->count : 0;
}

size_t fair_queue_flows(const struct fair_queue *queue)
{
	return queue->flows.count;
}

struct fair_flow *fair_queue_each(const struct fair_queue *queue, struct fair_flow *flow)
{
	const struct list *next = flow ? flow->link.next : queue->turn.next;

	return next == &queue->turn ? NULL : LIST_ENTRY(next, struct fair_flow, link);
}

struct message *fair_flow_first(const struct fair_flow *flow)
{
	return LIST_FIRST(&flow->messages, struct message, queue_link);
}
