/*
 * fair_queue: messages that wait for their turn, in flows: each key (a sender) has a flow of its own, in the
 * order of arrival, and the flows take turns, one message each. So one sender's hundred thousand messages
 * delay another's single one by a turn. What has a higher priority goes before all of a lower one; a key has
 * a flow for each priority. Costs a small allocation per flow, nothing per message: a message is
 * linked by its queue_link and finds its flow by its `flow`.
 */
#ifndef NODE_OUTBOUND_FAIR_QUEUE_H
#define NODE_OUTBOUND_FAIR_QUEUE_H

#include "custody/message.h"
#include "skein/proto/base/table.h"

enum {
	FAIR_PRIORITY_MAX =
		ENVELOPE_PRIORITY_MAX, /* as MT-PRIORITY has them (RFC 6710): down to -9, usually 0 */
	FAIR_BANDS = 2 * FAIR_PRIORITY_MAX + 1,
	FAIR_KEY_MAX = ENVELOPE_ADDR_MAX,
};

struct fair_flow;

struct fair_queue {
	struct table flows;           /* by band and key */
	struct list turn[FAIR_BANDS]; /* fair_flow.link, by priority; the first is next */
	uint32_t filled;              /* bands that are not empty: bits */
	size_t count;                 /* messages */
	void *owner;                  /* whoever has the queue; not touched here */
};

/* `seed` is random: the keys come from peers. */
void fair_queue_init(struct fair_queue *queue, const uint64_t seed[2], void *owner);
/* The queue is empty. */
void fair_queue_fini(struct fair_queue *queue);
/* Takes a reference. The message is in no queue; `key` is no longer than FAIR_KEY_MAX. */
void fair_queue_push(struct fair_queue *queue, struct message *message, struct span key, int priority);
/* Takes a message out of the queue that it is in (message->flow), and drops the queue's reference. */
void fair_queue_remove(struct message *message);
/* The queue that it is in. */
struct fair_queue *fair_queue_of(const struct message *message);
/* The next message, still in the queue; its flow goes to the end of the turn. NULL when empty. */
struct message *fair_queue_next(struct fair_queue *queue);
/* The highest priority that waits; 0 when nothing does. */
int fair_queue_priority(const struct fair_queue *queue);
/* How many messages the key has in here. */
size_t fair_queue_share(const struct fair_queue *queue, struct span key);
size_t fair_queue_flows(const struct fair_queue *queue);

/* Walks the flows in turn: start with NULL, ends with NULL. Nothing may be added or removed meanwhile. */
struct fair_flow *fair_queue_each(const struct fair_queue *queue, struct fair_flow *flow);
/* What it was pushed with. */
struct span fair_flow_key(const struct fair_flow *flow);
struct message *fair_flow_first(const struct fair_flow *flow);

#endif
