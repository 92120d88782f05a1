/*
 * An attempt, happy path: PAUSING → (where is the master?) → (name) RESOLVING → CONNECTED: stream, TLS, the
 * link's handshake, ready. Whatever fails on the way, and whatever ends a ready connection, leads to one
 * place: the link's LINK_LOST, which starts the next pause. The link owns the one deadline; this module only
 * wakes it up.
 */
#include "io/redis_conn.h"

#include "io/stream.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <sys/random.h>

enum { RECONNECT_FIRST_MS = 50, RECONNECT_MAX_MS = 2000 };

/* uv_getaddrinfo() cannot always be cancelled: the request outlives its owner. */
struct resolving {
	uv_getaddrinfo_t request;
	struct redis_conn *conn; /* NULL: nobody waits any more */
};

struct redis_conn {
	struct loop *loop;
	struct redis_conn_options options;
	const struct redis_conn_callbacks *callbacks;
	void *arg;

	struct redis_link *link;
	struct stream *stream;       /* NULL: none */
	struct resolving *resolving; /* NULL: none */
	struct tls_context *tls;     /* of this attempt; NULL: in clear */
	struct loop_task upkeep;     /* at the end of a turn in which something happened */
	struct loop_timer deadline;  /* the link's */
	struct loop_timer pause;     /* until the next attempt */

	struct redis_place place;         /* of this attempt */
	struct redis_master_watch *watch; /* NULL: the place is fixed */
	char leaving[320];                /* why this stream is aborted; "": not */

	unsigned failures; /* in a row: which of a name's addresses comes next */
	uint64_t pause_ms; /* the next one, before jitter */
	uint64_t ready_since_ms;
	bool was_ready;
	bool freeing;
	char last_why[256];
};

static void begin_attempt(void *arg);
static void do_upkeep(void *arg);
static void on_master_moved(void *arg);
static void on_deadline(void *arg);
static void on_link_event(void *arg, enum redis_link_event event, const char *why);
static void transport_write(void *ctx, struct span bytes);
static void transport_close(void *ctx);

struct redis_conn *redis_conn_new(struct loop *loop, const struct redis_conn_options *options,
	const struct redis_conn_callbacks *callbacks, void *arg)
{
	struct redis_conn *conn = mem_zalloc(sizeof(*conn));
	struct redis_transport transport = { conn, transport_write, transport_close };

	conn->loop = loop;
	conn->options = *options;
	conn->callbacks = callbacks;
	conn->arg = arg;
	if (!conn->options.reconnect_first_ms)
		conn->options.reconnect_first_ms = RECONNECT_FIRST_MS;
	if (!conn->options.reconnect_max_ms)
		conn->options.reconnect_max_ms = RECONNECT_MAX_MS;
	if (conn->options.master)
		conn->watch = redis_master_watch(conn->options.master, loop, on_master_moved, conn);
	conn->pause_ms = conn->options.reconnect_first_ms;
	conn->link = redis_link_new(&options->link, transport, on_link_event, conn);
	loop_task_init(&conn->upkeep, do_upkeep, conn);
	loop_timer_init(&conn->deadline, on_deadline, conn);
	loop_timer_init(&conn->pause, begin_attempt, conn);
	loop_timer_set(loop, &conn->pause, 0);
	return conn;
}

static void drop_resolving(struct redis_conn *conn)
{
	if (!conn->resolving)
		return;
	conn->resolving->conn = NULL;
	uv_cancel((uv_req_t *)&conn->resolving->request);
	conn->resolving = NULL;
}

void redis_conn_free(struct redis_conn **conn_ref)
{
	struct redis_conn *conn = *conn_ref;

	if (!conn)
		return;
	conn->freeing = true;
	redis_master_unwatch(conn->options.master, &conn->watch);
	drop_resolving(conn);
	if (conn->stream)
		stream_detach(&conn->stream);
	redis_link_disconnected(conn->link, "closed", loop_boottime_ms());
	redis_link_free(&conn->link);
	loop_task_cancel(&conn->upkeep);
	loop_timer_cancel(conn->loop, &conn->deadline);
	loop_timer_cancel(conn->loop, &conn->pause);
	tls_context_unref(&conn->tls);
	mem_free(conn);
	*conn_ref = NULL;
}

struct redis_link *redis_conn_link(struct redis_conn *conn)
{
	return conn->link;
}

const struct redis_place *redis_conn_place(const struct redis_conn *conn)
{
	return &conn->place;
}

size_t redis_conn_queued_bytes(const struct redis_conn *conn)
{
	return conn->stream ? stream_queued_bytes(conn->stream) : 0;
}

/* ---- the link's side ---- */

static void transport_write(void *ctx, struct span bytes)
{
	struct redis_conn *conn = ctx;

	stream_write(conn->stream, bytes);
	loop_defer(conn->loop, &conn->upkeep);
}

static void transport_close(void *ctx)
{
	struct redis_conn *conn = ctx;

	drop_resolving(conn);
	/* With a reset: a call that is still in a buffer must not be executed after we gave it up. */
	if (conn->stream)
		stream_abort(conn->stream);
	else
		redis_link_disconnected(conn->link, "closed", loop_boottime_ms());
}

static void do_upkeep(void *arg)
{
	struct redis_conn *conn = arg;
	uint64_t now_ms = loop_boottime_ms();
	uint64_t next_ms;

	redis_link_flush(conn->link, now_ms);
	next_ms = redis_link_tick(conn->link, now_ms);
	if (next_ms == UINT64_MAX)
		loop_timer_cancel(conn->loop, &conn->deadline);
	else
		loop_timer_set(conn->loop, &conn->deadline, next_ms > now_ms ? next_ms - now_ms : 0);
}

static void on_deadline(void *arg)
{
	do_upkeep(arg);
}

static uint64_t with_jitter(uint64_t pause_ms)
{
	uint64_t random;

	CHECK(getrandom(&random, sizeof(random), 0) == (ssize_t)sizeof(random));
	return pause_ms / 2 + random % (pause_ms / 2 + 1);
}

static void begin_pause(struct redis_conn *conn)
{
	uint64_t doubled_ms = conn->pause_ms * 2;
	uint64_t max_ms = conn->options.reconnect_max_ms;

	loop_timer_set(conn->loop, &conn->pause, with_jitter(conn->pause_ms));
	conn->pause_ms = doubled_ms < max_ms ? doubled_ms : max_ms;
}

static void on_ready(struct redis_conn *conn)
{
	conn->was_ready = true;
	conn->ready_since_ms = loop_boottime_ms();
	conn->failures = 0;
	conn->last_why[0] = '\0';
	conn->callbacks->on_ready(conn->arg, redis_link_identity(conn->link));
}

static void on_lost(struct redis_conn *conn, const char *why)
{
	bool is_news = conn->was_ready || strcmp(why, conn->last_why) != 0;

	snprintf(conn->last_why, sizeof(conn->last_why), "%s", why);
	if (!conn->was_ready)
		conn->failures++;
	else if (loop_boottime_ms() - conn->ready_since_ms >= conn->options.reconnect_max_ms)
		conn->pause_ms = conn->options.reconnect_first_ms; /* not so for one that flaps */
	conn->was_ready = false;
	begin_pause(conn);
	if (is_news)
		conn->callbacks->on_lost(conn->arg, conn->last_why);
}

static void on_link_event(void *arg, enum redis_link_event event, const char *why)
{
	struct redis_conn *conn = arg;

	if (conn->freeing)
		return;
	if (event == LINK_READY)
		on_ready(conn);
	else
		on_lost(conn, why);
}

/* ---- the stream's side ---- */

static void on_open(void *arg)
{
	struct redis_conn *conn = arg;

	if (conn->tls)
		stream_start_tls(conn->stream, conn->tls,
			conn->options.server_name ? conn->options.server_name : conn->place.host,
			STREAM_TLS_KEEP);
	else
		redis_link_connected(conn->link, loop_boottime_ms());
}

static void on_tls(void *arg, const struct tls_info *info)
{
	struct redis_conn *conn = arg;

	(void)info;
	redis_link_connected(conn->link, loop_boottime_ms());
}

static size_t on_data(void *arg, struct span bytes)
{
	struct redis_conn *conn = arg;

	redis_link_received(conn->link, bytes, loop_boottime_ms());
	loop_defer(conn->loop, &conn->upkeep);
	return bytes.len;
}

static void on_close(void *arg, enum err why, const char *text)
{
	struct redis_conn *conn = arg;

	(void)why;
	conn->stream = NULL;
	redis_link_disconnected(conn->link, conn->leaving[0] ? conn->leaving : text, loop_boottime_ms());
}

static const struct stream_callbacks stream_callbacks = {
	.on_open = on_open,
	.on_data = on_data,
	.on_tls = on_tls,
	.on_close = on_close,
};

/* ---- an attempt ---- */

static void connect_to(struct redis_conn *conn, const struct sockaddr *peer)
{
	conn->stream = stream_connect(conn->loop, peer, NULL, &stream_callbacks, conn);
}

static const struct addrinfo *nth_address(const struct addrinfo *first, unsigned n)
{
	const struct addrinfo *at = first;

	while (n--)
		at = at->ai_next ? at->ai_next : first;
	return at;
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
	struct resolving *resolving = CONTAINER_OF(request, struct resolving, request);
	struct redis_conn *conn = resolving->conn;
	char why[320];

	mem_free(resolving);
	if (conn) {
		conn->resolving = NULL;
		if (status == 0) {
			connect_to(conn, nth_address(addresses, conn->failures % 16)->ai_addr);
		} else {
			snprintf(why, sizeof(why), "cannot resolve %s: %s", conn->place.host,
				uv_strerror(status));
			redis_link_disconnected(conn->link, why, loop_boottime_ms());
		}
	}
	uv_freeaddrinfo(addresses);
}

static void resolve(struct redis_conn *conn)
{
	struct addrinfo hints = { .ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC };
	char port[8];
	int status;

	conn->resolving = mem_zalloc(sizeof(*conn->resolving));
	conn->resolving->conn = conn;
	snprintf(port, sizeof(port), "%u", conn->place.port);
	status = uv_getaddrinfo(
		&conn->loop->uv, &conn->resolving->request, on_resolved, conn->place.host, port, &hints);
	if (status == 0)
		return;
	/* A name too long, or one that is no host name: told like one that does not exist. */
	mem_free(conn->resolving);
	conn->resolving = NULL;
	redis_link_disconnected(conn->link, uv_strerror(status), loop_boottime_ms());
}

/* False: not now. */
static bool find_place(struct redis_conn *conn)
{
	char why[256];

	if (!conn->options.master) {
		snprintf(conn->place.host, sizeof(conn->place.host), "%s", conn->options.host);
		conn->place.port = conn->options.port;
		return true;
	}
	if (redis_master_get(conn->options.master, &conn->place, why, sizeof(why)))
		return true;
	if (why[0]) {
		redis_link_connecting(conn->link, loop_boottime_ms());
		redis_link_disconnected(conn->link, why, loop_boottime_ms());
	} else {
		loop_timer_set(conn->loop, &conn->pause, conn->options.reconnect_first_ms);
	}
	return false;
}

static void begin_attempt(void *arg)
{
	struct redis_conn *conn = arg;
	struct address address;

	conn->leaving[0] = '\0';
	if (!find_place(conn))
		return;
	redis_link_connecting(conn->link, loop_boottime_ms());
	loop_defer(conn->loop, &conn->upkeep);
	tls_context_unref(&conn->tls);
	if (conn->options.tls)
		conn->tls = tls_slot_get(conn->options.tls);
	if (address_parse(span_of_str(conn->place.host), conn->place.port, &address) == ERR_OK)
		connect_to(conn, &address.sa);
	else
		resolve(conn);
}

/*
 * What was written to the old master and is not answered stays unknown; with a reset it is not executed if it
 * is still in a buffer. The pause begins anew: jitter keeps all nodes from coming to the new one at once.
 */
static void on_master_moved(void *arg)
{
	struct redis_conn *conn = arg;
	struct redis_place now;
	char trouble[2];

	if (!redis_master_get(conn->options.master, &now, trouble, sizeof(trouble)))
		return;
	conn->pause_ms = conn->options.reconnect_first_ms;
	if (loop_timer_is_set(&conn->pause)) {
		loop_timer_set(conn->loop, &conn->pause, with_jitter(conn->pause_ms));
		return;
	}
	if (now.port == conn->place.port && strcmp(now.host, conn->place.host) == 0)
		return;
	snprintf(conn->leaving, sizeof(conn->leaving), "the master is %s port %u now", now.host,
		(unsigned)now.port);
	if (conn->stream) {
		stream_abort(conn->stream);
	} else {
		drop_resolving(conn);
		redis_link_disconnected(conn->link, conn->leaving, loop_boottime_ms());
	}
}
