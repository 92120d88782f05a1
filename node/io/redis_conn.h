/*
 * redis_conn: keeps one redis_link connected: resolves the name, connects a stream, does TLS, feeds the link,
 * and after a loss begins again with growing, jittered pauses, for ever. One deadline covers an attempt up to
 * the link's readiness. All calls are for the loop's own thread.
 *
 * With options.master the place is looked up for each attempt, and a connection to another place ends at once
 * when the master moves.
 *
 * The link's clock is loop_boottime_ms(): callers of queue.h and registry.h hand in that one.
 */
#ifndef NODE_IO_REDIS_CONN_H
#define NODE_IO_REDIS_CONN_H

#include "io/loop.h"
#include "io/redis_master.h"
#include "io/tls.h"
#include "skein/cluster/redis_link.h"

struct redis_conn;

/* All text is borrowed for the connection's life. */
struct redis_conn_options {
	const char *host; /* an address, or a name that is resolved anew for each attempt */
	uint16_t port;
	struct redis_master *master; /* borrowed; in place of host and port. NULL: those count */
	struct tls_slot *tls;        /* borrowed; NULL or empty: in clear. Read anew for each attempt */
	const char *server_name;     /* what the certificate must name; NULL: the host connected to */
	uint64_t reconnect_first_ms, reconnect_max_ms; /* 0: 50 and 2000 */
	struct redis_link_options link;
};

struct redis_conn_callbacks {
	/* `identity` is borrowed; see redis_link_identity(). */
	void (*on_ready)(void *arg, const struct redis_identity *identity);
	/* Told once after each on_ready, and once for each run of equal failures to get there. */
	void (*on_lost)(void *arg, const char *why);
};

/* Starts connecting; callbacks come from the loop only. */
struct redis_conn *redis_conn_new(struct loop *loop, const struct redis_conn_options *options,
	const struct redis_conn_callbacks *callbacks, void *arg);
/*
 * Ends the connection: calls in flight get REDIS_UNKNOWN from inside this call, on_lost does not run. Not
 * inside a callback of this connection or of a call on its link. Sets the pointer to NULL.
 */
void redis_conn_free(struct redis_conn **conn);

/* The same link for the connection's whole life; ready or not. Flushed at the end of each turn. */
struct redis_link *redis_conn_link(struct redis_conn *conn);
/* Where the last attempt went; an empty host before the first, and while no Sentinel has said it. Borrowed.
 */
const struct redis_place *redis_conn_place(const struct redis_conn *conn);
/* Bytes of calls that the kernel has not taken yet: the sign to hold bodies back. */
size_t redis_conn_queued_bytes(const struct redis_conn *conn);

#endif
