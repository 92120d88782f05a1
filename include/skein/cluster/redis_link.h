/*
 * redis_link: one connection to Redis as a pure machine. Commands go in, RESP bytes come out through a transport that
 * is handed in; bytes received are fed back, replies leave in order. No sockets and no clock: the node puts a stream
 * under it, skeinctl a blocking socket, the simulation a lossy network.
 *
 * Life: the owner connects the transport and calls redis_link_connected(); the link then authenticates, names itself,
 * reads role and replication id and makes sure that the function library is loaded, and reports LINK_READY or
 * LINK_LOST. Calls are taken only while ready. When the connection ends every call that is not answered gets its
 * callback with REDIS_UNKNOWN: it may or may not have been executed.
 */
#ifndef SKEIN_CLUSTER_REDIS_LINK_H
#define SKEIN_CLUSTER_REDIS_LINK_H

#include "skein/proto/base/buf.h"

struct redisReply;
struct redis_link;

struct redis_transport {
	void *ctx;
	/* `bytes` are borrowed. May buffer; must not call back into the link. */
	void (*write)(void *ctx, struct span bytes);
	/* Ends the connection. The owner answers with redis_link_disconnected(), now or later. */
	void (*close)(void *ctx);
};

/* What the server said of itself in the handshake; valid while ready. */
struct redis_identity {
	char replication_id[41]; /* the generation of protocol.md */
	char version[32];
	unsigned replicas;      /* connected ones */
	bool persistent;        /* appendonly, or save points */
	bool noeviction;
};

struct redis_link_options {
	const char *user, *password; /* NULL when not needed; borrowed for the life of the link */
	const char *client_name;
	const char *prefix;          /* of keys: "skein:" */
	unsigned wait_replicas;      /* 0: none. See redis_link_flush() */
	uint64_t handshake_timeout_ms;
	uint64_t call_timeout_ms;    /* a reply later than this closes the connection */
};

enum redis_link_event { LINK_READY, LINK_LOST };
/* `why` is a constant or borrowed text for the log; NULL with LINK_READY. */
typedef void redis_link_event_fn(void *arg, enum redis_link_event event, const char *why);

enum redis_outcome {
	REDIS_REPLY,        /* `reply` is the server's answer, maybe an error reply */
	REDIS_UNREPLICATED, /* executed, but fewer than wait_replicas replicas have it yet; `reply` is the answer */
	REDIS_UNKNOWN,      /* written to the transport, no answer: executed or not */
};
/* `reply` is borrowed; NULL with REDIS_UNKNOWN. Never runs inside redis_link_call(). */
typedef void redis_reply_fn(void *arg, enum redis_outcome outcome, const struct redisReply *reply);

struct redis_link *redis_link_new(const struct redis_link_options *options, struct redis_transport transport,
	redis_link_event_fn *on_event, void *arg);
void redis_link_free(struct redis_link **link);

void redis_link_connected(struct redis_link *link, uint64_t now_ms);
void redis_link_received(struct redis_link *link, struct span bytes, uint64_t now_ms);
void redis_link_disconnected(struct redis_link *link, const char *why, uint64_t now_ms);
/* Closes the transport when a deadline has passed; returns the next deadline, UINT64_MAX when there is none. */
uint64_t redis_link_tick(struct redis_link *link, uint64_t now_ms);

bool redis_link_is_ready(const struct redis_link *link);
const struct redis_identity *redis_link_identity(const struct redis_link *link);
const char *redis_link_prefix(const struct redis_link *link);

enum redis_call_flags {
	REDIS_CALL_PLAIN = 0,
	/* The answer waits for the WAIT that closes this batch (only when wait_replicas > 0). */
	REDIS_CALL_REPLICATED = 1,
};
/*
 * Writes one command. False when the link is not ready: nothing was written and the callback never runs. Otherwise it
 * runs exactly once, later. `fn` may be NULL for a reply nobody needs.
 */
bool redis_link_call(struct redis_link *link, size_t argc, const struct span *argv, unsigned flags, uint64_t now_ms,
	redis_reply_fn *fn, void *arg);
/* Calls written but not answered. */
size_t redis_link_in_flight(const struct redis_link *link);
/*
 * Ends a batch: one WAIT for all REPLICATED calls since the last flush. The owner calls it once per turn of its loop,
 * before the transport sends. Harmless when there is nothing to do.
 */
void redis_link_flush(struct redis_link *link, uint64_t now_ms);

#endif
