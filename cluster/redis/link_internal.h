/* What link.c and handshake.c share: the struct, and the few steps by which the handshake moves the link. */
#ifndef CLUSTER_REDIS_LINK_INTERNAL_H
#define CLUSTER_REDIS_LINK_INTERNAL_H

#include "redis/identity.h"
#include "redis/reply_queue.h"
#include "redis/reply_reader.h"

enum link_phase {
	PHASE_IDLE,
	PHASE_CONNECTING,
	PHASE_HANDSHAKE,
	PHASE_READY,
	PHASE_CLOSING, /* transport.close was called */
	PHASE_ENDING,  /* callbacks of what was in flight run */
	PHASE_COUNT,
};

struct redis_link {
	struct redis_link_options options;
	struct redis_transport transport;
	redis_link_event_fn *on_event;
	void *arg;

	enum link_phase phase;
	uint64_t now_ms;     /* as told by the last call */
	uint64_t connection; /* counts them, so that a loop over replies notices that its own has ended */
	unsigned callback_depth;
	uint64_t handshake_deadline_ms;
	uint64_t watch_due_ms;
	bool watching; /* an INFO of the watch is unanswered */

	struct reply_reader reader; /* in HANDSHAKE, READY and CLOSING */
	struct reply_queue queue;
	size_t in_flight; /* calls of others in the queue */
	struct redis_link_stats stats;
	struct buf scratch;

	bool batch_open;      /* REPLICATED calls since the last WAIT */
	size_t batch_end;     /* position of the last answered WAIT: REPLICATED calls before it may leave */
	bool batch_is_copied; /* what that WAIT said */
	uint64_t wait_ms;     /* that the next WAIT allows replicas */

	struct redis_identity identity; /* of the last connection that became ready */
	struct redis_identity learned;  /* in the handshake */
	struct server_state server;
	char why[256]; /* why the link itself closed; "": it did not */
};

/* Sends a call of the link's own. */
void link_send(struct redis_link *link, size_t argc, const struct span *argv, redis_reply_fn *fn);
void link_enter_ready(struct redis_link *link);
/* Ends the connection; the first reason stays. */
void link_close(struct redis_link *link, const char *fmt, ...) PRINTF_LIKE(2, 3);

/* Sends all that needs no answer before. The rest follows from the replies. */
void handshake_start(struct redis_link *link);
/* Asks whether the server is still who it was. */
void handshake_watch(struct redis_link *link);

#endif
