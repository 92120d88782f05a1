/*
 * redis_link: one connection to Redis as a pure machine. Commands go in, RESP bytes come out through a
 * transport that is handed in; bytes received are fed back, replies leave in order. No sockets and no clock:
 * the node puts a stream under it, skeinctl a blocking socket, the simulation a lossy network.
 *
 * Life: the owner starts to connect and calls redis_link_connecting(), then redis_link_connected(); the link
 * authenticates, names itself, reads who the server is and makes sure that the function library is loaded,
 * all in one round trip (two when it loads), and reports LINK_READY or LINK_LOST. Calls are taken only while
 * ready. When the connection ends every call that is not answered gets its callback with REDIS_UNKNOWN: it
 * may or may not have been executed. LINK_LOST follows after those, once for each redis_link_connecting();
 * then the owner may connect again.
 *
 * The link ends a connection by itself, through transport.close, when the handshake or a call is late, when
 * the server is no master or stops being one, when its replication id is no longer the one of the handshake
 * (looked at every REDIS_LINK_WATCH_MS: a master also changes it when its first replica comes), when the
 * functions are gone, and after any breach of the protocol. Redis Cluster is not spoken.
 *
 * To a Sentinel it is the same link, without what only a Redis with data has: no identity, no functions, no
 * watch. What a Sentinel publishes to subscribers goes to on_published.
 *
 * `now_ms` is any clock that does not jump back, the same one in all calls; a lease wants one that counts a
 * suspended machine.
 */
#ifndef SKEIN_CLUSTER_REDIS_LINK_H
#define SKEIN_CLUSTER_REDIS_LINK_H

#include "skein/proto/base/buf.h"

struct redisReply;
struct redis_link;

enum {
	REDIS_LINK_WATCH_MS = 5000,
	REDIS_LINK_REPLY_MAX = 64 * 1024 * 1024, /* bytes of one reply */
	REDIS_LINK_WAIT_MS_MAX = 1000, /* that a batch waits for replicas; less while they do not answer */
	REDIS_LINK_WAIT_MS_MIN = 20,
};

struct redis_transport {
	void *ctx;
	/* `bytes` are borrowed. May buffer; must not call back into the link. */
	void (*write)(void *ctx, struct span bytes);
	/* Ends the connection. The owner answers with redis_link_disconnected(), now or later. */
	void (*close)(void *ctx);
};

/* UNKNOWN: the ACL user may not read it. */
enum redis_fact { REDIS_NO, REDIS_YES, REDIS_FACT_UNKNOWN };

/* What the server said of itself. */
struct redis_identity {
	char replication_id[41]; /* the generation of protocol.md */
	char version[32];
	unsigned replicas;          /* connected ones; kept fresh while ready */
	enum redis_fact persistent; /* appendonly, or save points */
	enum redis_fact appendonly;
	enum redis_fact noeviction;
	enum redis_fact same_host;        /* it sees us come from its own address */
	char eviction[32];                /* policy; "" when unknown */
	uint64_t memory_used, memory_max; /* memory_max 0: no limit; kept fresh while ready */
};

/* `message` is borrowed: "message", the channel, the text. Not inside redis_link_call(). */
typedef void redis_published_fn(void *arg, const struct redisReply *message);

struct redis_link_options {
	const char *user,
		*password; /* NULL when not needed; borrowed for the life of the link, as all text here */
	const char *client_name; /* a node: its name, as skeinctl looks for it in CLIENT LIST; without spaces.
				    NULL: none */
	const char *prefix;      /* of keys: "skein:" */
	unsigned wait_replicas;  /* 0: none. See redis_link_flush() */
	uint64_t handshake_timeout_ms; /* for connecting, TLS, authentication and the rest together */
	uint64_t call_timeout_ms;      /* a reply later than this closes the connection */
	bool is_sentinel;
	redis_published_fn *on_published; /* for Sentinels, with published_arg; NULL: nothing is subscribed */
	void *published_arg;
};

enum redis_link_event { LINK_READY, LINK_LOST };
/* `why` is text for the log that names the cure where there is one, borrowed; NULL with LINK_READY. */
typedef void redis_link_event_fn(void *arg, enum redis_link_event event, const char *why);

enum redis_outcome {
	REDIS_REPLY,        /* `reply` is the server's answer, maybe an error reply */
	REDIS_UNREPLICATED, /* executed, but fewer than wait_replicas replicas have it yet; `reply` is the
			       answer */
	REDIS_UNKNOWN,      /* written to the transport, no answer: executed or not */
};
/* `reply` is borrowed; NULL with REDIS_UNKNOWN. Never runs inside redis_link_call(). */
typedef void redis_reply_fn(void *arg, enum redis_outcome outcome, const struct redisReply *reply);

struct redis_link *redis_link_new(const struct redis_link_options *options, struct redis_transport transport,
	redis_link_event_fn *on_event, void *arg);
/* Not inside a callback, and not while the transport is connected: nothing is in flight. */
void redis_link_free(struct redis_link **link);

void redis_link_connecting(struct redis_link *link, uint64_t now_ms);
/* The transport carries bytes (TLS is done). */
void redis_link_connected(struct redis_link *link, uint64_t now_ms);
void redis_link_received(struct redis_link *link, struct span bytes, uint64_t now_ms);
/* `why` yields to the reason for which the link closed the transport itself. Harmless when it was told
 * before. */
void redis_link_disconnected(struct redis_link *link, const char *why, uint64_t now_ms);
/*
 * Closes the transport when a deadline has passed; returns the next time at which it wants to be called,
 * UINT64_MAX when there is none. A call or a reply may bring that forward: ask again after each.
 */
uint64_t redis_link_tick(struct redis_link *link, uint64_t now_ms);

bool redis_link_is_ready(const struct redis_link *link);
/* As told last; all zero before the first LINK_READY. */
const struct redis_identity *redis_link_identity(const struct redis_link *link);
const char *redis_link_prefix(const struct redis_link *link);

enum redis_call_flags {
	REDIS_CALL_PLAIN = 0,
	/* The answer waits for the WAIT that closes this batch (only when wait_replicas > 0). */
	REDIS_CALL_REPLICATED = 1,
};
/*
 * Writes one command. False when the link is not ready: nothing was written and the callback never runs.
 * Otherwise it runs exactly once, later. `fn` may be NULL for a reply nobody needs.
 */
bool redis_link_call(struct redis_link *link, size_t argc, const struct span *argv, unsigned flags,
	uint64_t now_ms, redis_reply_fn *fn, void *arg);
struct redis_link_stats {
	uint64_t answered, errors, unknown; /* calls, by how they ended; `errors` are answers too */
};
/* Since the link was made. */
const struct redis_link_stats *redis_link_stats(const struct redis_link *link);
/* Calls written but not answered. */
size_t redis_link_in_flight(const struct redis_link *link);
/*
 * Ends a batch: one WAIT for all REPLICATED calls since the last flush. The owner calls it once per turn of
 * its loop, before the transport sends. Harmless when there is nothing to do.
 */
void redis_link_flush(struct redis_link *link, uint64_t now_ms);

#endif
