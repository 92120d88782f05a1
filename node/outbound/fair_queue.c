#include "outbound/fair_queue.h"

#include "skein/proto/base/alloc.h"

#include <string.h>

struct fair_flow {
	struct list link;
	struct fair_queue *queue;
	struct list messages; /* message.queue_link */
	size_t count;
	size_t key_len; /* of both */
	char key[];     /* the band, and what it was pushed with */
};

/* A key in a band, as the table has it. */
struct flow_key {
	char bytes[1 + FAIR_KEY_MAX];
	size_t len;
};

static void make_key(struct flow_key *out, unsigned band, struct span key)
{
	CHECK(band < FAIR_BANDS && key.len <= FAIR_KEY_MAX);
	out->bytes[0] = (char)band;
	if (key.len)
		memcpy(out->bytes + 1, key.ptr, key.len);
	out->len = 1 + key.len;
}

static unsigned band_of(const struct fair_flow *flow)
{
	return (unsigned char)flow->key[0];
}

/* The highest below `end` that is not empty; FAIR_BANDS: none is. */
static unsigned next_band(const struct fair_queue *queue, unsigned end)
{
	uint32_t filled = queue->filled & ((UINT32_C(1) << end) - 1);

	return filled ? 31u - (unsigned)__builtin_clz(filled) : FAIR_BANDS;
}

void fair_queue_init(struct fair_queue *queue, const uint64_t seed[2], void *owner)
{
	*queue = (struct fair_queue){ .owner = owner };
	table_init(&queue->flows, seed);
	for (size_t i = 0; i < FAIR_BANDS; i++)
		list_init(&queue->turn[i]);
}

void fair_queue_fini(struct fair_queue *queue)
{
	CHECK(!queue->count);
	table_fini(&queue->flows);
}

static struct span table_key(const struct fair_flow *flow)
{
	return span_of(flow->key, flow->key_len);
}

static struct fair_flow *flow_of(struct fair_queue *queue, unsigned band, struct span text)
{
	struct flow_key key;
	struct fair_flow *flow;

	make_key(&key, band, text);
	flow = table_get(&queue->flows, span_of(key.bytes, key.len));
	if (flow)
		return flow;
	flow = mem_alloc(sizeof(*flow) + key.len);
	flow->queue = queue;
	flow->count = 0;
	flow->key_len = key.len;
	memcpy(flow->key, key.bytes, key.len);
	list_init(&flow->messages);
	list_push_back(&queue->turn[band], &flow->link);
	queue->filled |= UINT32_C(1) << band;
	table_put(&queue->flows, table_key(flow), flow);
	return flow;
}

void fair_queue_push(struct fair_queue *queue, struct message *message, struct span key, int priority)
{
	struct fair_flow *flow = flow_of(queue, (unsigned)(priority + FAIR_PRIORITY_MAX), key);

	CHECK(!message->flow);
	message->flow = flow;
	list_push_back(&flow->messages, &message_ref(message)->queue_link);
	flow->count++;
	queue->count++;
}

static void end_flow(struct fair_queue *queue, struct fair_flow *flow)
{
	unsigned band = band_of(flow);

	list_remove(&flow->link);
	if (list_is_empty(&queue->turn[band]))
		queue->filled &= ~(UINT32_C(1) << band);
	table_remove(&queue->flows, table_key(flow));
	mem_free(flow);
}

void fair_queue_remove(struct message *message)
{
	struct fair_flow *flow = message->flow;
	struct fair_queue *queue = flow->queue;

	list_remove(&message->queue_link);
	message->flow = NULL;
	queue->count--;
	if (--flow->count == 0)
		end_flow(queue, flow);
	message_unref(&message);
}

struct fair_queue *fair_queue_of(const struct message *message)
{
	return message->flow->queue;
}

struct message *fair_queue_next(struct fair_queue *queue)
{
	struct fair_flow *flow;
	struct list *turn;

	if (!queue->count)
		return NULL;
	turn = &queue->turn[next_band(queue, FAIR_BANDS)];
	flow = LIST_FIRST(turn, struct fair_flow, link);
	list_remove(&flow->link);
	list_push_back(turn, &flow->link);
	return fair_flow_first(flow);
}

int fair_queue_priority(const struct fair_queue *queue)
{
	return queue->count ? (int)next_band(queue, FAIR_BANDS) - FAIR_PRIORITY_MAX : 0;
}

size_t fair_queue_share(const struct fair_queue *queue, struct span text)
{
	size_t share = 0;

	for (unsigned band = next_band(queue, FAIR_BANDS); band < FAIR_BANDS; band = next_band(queue, band)) {
		struct flow_key key;
		const struct fair_flow *flow;

		make_key(&key, band, text);
		flow = table_get(&queue->flows, span_of(key.bytes, key.len));
		share += flow ? flow->count : 0;
	}
	return share;
}

size_t fair_queue_flows(const struct fair_queue *queue)
{
	return queue->flows.count;
}

struct fair_flow *fair_queue_each(const struct fair_queue *queue, struct fair_flow *flow)
{
	unsigned band = flow ? band_of(flow) : next_band(queue, FAIR_BANDS);
	const struct list *next;

	if (band == FAIR_BANDS)
		return NULL;
	next = flow ? flow->link.next : queue->turn[band].next;
	if (next == &queue->turn[band]) {
		band = next_band(queue, band);
		if (band == FAIR_BANDS)
			return NULL;
		next = queue->turn[band].next;
	}
	return LIST_ENTRY(next, struct fair_flow, link);
}

struct span fair_flow_key(const struct fair_flow *flow)
{
	return span_drop(table_key(flow), 1);
}

struct message *fair_flow_first(const struct fair_flow *flow)
{
	return LIST_FIRST(&flow->messages, struct message, queue_link);
}
