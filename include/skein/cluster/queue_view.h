/*
 * queue_view: what an operator sees of the queue. Reads only; each call is about one shard and bounded,
 * whatever the queue's size; the caller walks the shards. The rules for the calls are those of queue.h.
 */
#ifndef SKEIN_CLUSTER_QUEUE_VIEW_H
#define SKEIN_CLUSTER_QUEUE_VIEW_H

#include "skein/cluster/queue.h"

enum { QUEUE_LIST_MAX = 200 };

enum queue_state {
	QUEUE_DUE,         /* nobody's, its time has come */
	QUEUE_DEFERRED,    /* nobody's, waits */
	QUEUE_OWNED,       /* a node is at it */
	QUEUE_HELD,        /* an operator holds it */
	QUEUE_QUARANTINED, /* its owners died too often */
	QUEUE_STATES,
};

const char *queue_state_name(enum queue_state state);
bool queue_state_parse(struct span name, enum queue_state *state_out) WARN_UNUSED;

struct queue_view_record {
	struct queue_record record; /* to_journal is not meaningful */
	enum queue_state state;
	struct incarnation owner; /* OWNED */
	uint64_t due_in_ms;       /* DEFERRED; 0 otherwise */
	bool hold;                /* asked for */
	struct span holders;      /* UUIDs, separated by spaces */
};

/*
 * A page of one shard's messages in one state. Start with an empty cursor; the walk is over when the next one
 * is empty. What changes state during the walk may be missed or seen twice. DUE also lists what is deferred,
 * soonest first: look at each record's state.
 */
struct queue_list {
	unsigned shard;
	enum queue_state
		state; /* DUE (and DEFERRED, which is the same), OWNED, HELD (and QUARANTINED, the same) */
	struct span cursor;
	unsigned count; /* 1..QUEUE_LIST_MAX */
};
struct queue_page {
	const struct queue_view_record *records;
	size_t count;
	struct span cursor; /* of the next page; empty: none */
};
typedef void queue_list_fn(void *arg, const struct outcome *outcome, const struct queue_page *page);
bool queue_list(struct redis_link *link, const struct queue_list *args, uint64_t now_ms, queue_list_fn *fn,
	void *arg);

/* One record whole. GONE: `why`, PENDING if it was never known or is long forgotten. `record` is NULL then.
 */
typedef void queue_show_fn(void *arg, const struct outcome *outcome, const struct queue_view_record *record);
bool queue_show(
	struct redis_link *link, const struct msg_id *id, uint64_t now_ms, queue_show_fn *fn, void *arg);

struct queue_count_owner {
	struct incarnation node;
	uint64_t owned;
};
struct queue_count_awaited {
	struct node_uuid node;
	uint64_t news; /* not yet seen */
};
/* Of one shard; costs Redis no scan. */
struct queue_counts {
	uint64_t states[QUEUE_STATES];
	uint64_t tombstones;
	uint64_t facts;
	uint64_t grace_ms; /* nothing is given out for that long; 0: no grace */
	struct span generation;
	const struct queue_count_owner *owners;
	size_t owner_count;
	const struct queue_count_awaited *awaited;
	size_t awaited_count;
};
typedef void queue_status_fn(void *arg, const struct outcome *outcome, const struct queue_counts *counts);
bool queue_status(struct redis_link *link, unsigned shard, uint64_t now_ms, queue_status_fn *fn, void *arg);

#endif
