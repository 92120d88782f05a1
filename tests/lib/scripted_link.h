/*
 * scripted_link: a redis_link against scripted bytes, which are fed whole and in pieces. What it writes, and
 * what became of its calls, is noted. For programs that have the library of functions as defined here.
 */
#ifndef TESTS_LIB_SCRIPTED_LINK_H
#define TESTS_LIB_SCRIPTED_LINK_H

#include "cmocka_all.h"

#include "skein/cluster/redis_functions.h"
#include "skein/cluster/redis_link.h"
#include "skein/proto/base/alloc.h"

#include <hiredis/hiredis.h>
#include <stdio.h>

/* Instead of the real library: a script is easier to read with a short one. */
const char redis_functions_name[] = "lib_1";
const char redis_functions_version[] = "1";
const char redis_functions_source[] = "#!lua name=lib_1";

enum { HANDSHAKE_MS = 1000, CALL_MS = 500 };

#define OK "+OK\r\n"
#define INFO_MASTER                                                                                          \
	"redis_version:7.0.15\r\ncluster_enabled:0\r\nused_memory:1000\r\nmaxmemory:5000\r\n"                \
	"maxmemory_policy:noeviction\r\nloading:0\r\naof_enabled:0\r\nrole:master\r\nconnected_slaves:1\r\n" \
	"master_replid:" REPLID "\r\n"
#define REPLID          "0123456789abcdef0123456789abcdef01234567"
#define CLIENT_LOCAL    "$42\r\nid=4 addr=127.0.0.1:1 laddr=127.0.0.1:6379\r\n"
#define CLIENT_REMOTE   "$41\r\nid=4 addr=10.0.0.1:1 laddr=10.0.0.2:6379 \r\n"
#define SAVE_NONE       "*2\r\n$4\r\nsave\r\n$0\r\n\r\n"
#define SAVE_SOME       "*2\r\n$4\r\nsave\r\n$6\r\n3600 1\r\n"
#define LIBRARY_THERE   "*1\r\n*2\r\n$12\r\nlibrary_name\r\n$5\r\nlib_1\r\n"
#define LIBRARY_MISSING "*0\r\n"
#define NOPERM          "-NOPERM this user has no permissions\r\n"

struct fixture {
	struct redis_link *link;
	struct redis_link_options options;
	struct buf written;
	unsigned writes, closes, readies, losses;
	bool is_close_sync, reconnects;
	uint64_t now_ms;
	size_t chunk; /* bytes fed at once; 0: all */
	char why[256];
	struct buf log; /* what callbacks saw */
};

static inline void on_write(void *ctx, struct span bytes)
{
	struct fixture *f = ctx;

	f->writes++;
	buf_append(&f->written, bytes);
}

static inline void on_close(void *ctx)
{
	struct fixture *f = ctx;

	f->closes++;
	if (f->is_close_sync)
		redis_link_disconnected(f->link, "closed", f->now_ms);
}

static inline void on_event(void *arg, enum redis_link_event event, const char *why)
{
	struct fixture *f = arg;

	if (event == LINK_READY) {
		assert_null(why);
		f->readies++;
		return;
	}
	f->losses++;
	snprintf(f->why, sizeof(f->why), "%s", why);
	assert_false(redis_link_is_ready(f->link));
	assert_int_equal(redis_link_in_flight(f->link), 0);
	if (f->reconnects) {
		redis_link_connecting(f->link, f->now_ms);
		redis_link_connected(f->link, f->now_ms);
	}
}

static inline void fixture_open(struct fixture *f, size_t chunk)
{
	memset(f, 0, sizeof(*f));
	f->chunk = chunk;
	f->now_ms = 10000;
	f->options = (struct redis_link_options){
		.prefix = "skein:", .handshake_timeout_ms = HANDSHAKE_MS, .call_timeout_ms = CALL_MS
	};
}

static inline void connect_link(struct fixture *f)
{
	struct redis_transport transport = { f, on_write, on_close };

	f->link = redis_link_new(&f->options, transport, on_event, f);
	redis_link_connecting(f->link, f->now_ms);
	redis_link_connected(f->link, f->now_ms);
}

static inline void fixture_close(struct fixture *f)
{
	f->reconnects = false;
	redis_link_disconnected(f->link, "test ends", f->now_ms);
	redis_link_free(&f->link);
	assert_null(f->link);
	buf_fini(&f->written);
	buf_fini(&f->log);
}

static inline void feed_span(struct fixture *f, struct span bytes)
{
	size_t step = f->chunk ? f->chunk : bytes.len;

	while (bytes.len) {
		size_t len = step < bytes.len ? step : bytes.len;

		redis_link_received(f->link, span_take(bytes, len), f->now_ms);
		bytes = span_drop(bytes, len);
	}
}

static inline void feed(struct fixture *f, const char *text)
{
	feed_span(f, span_of_str(text));
}

static inline void feed_bulk(struct fixture *f, const char *text)
{
	struct buf bulk = { 0 };

	buf_printf(&bulk, "$%zu\r\n%s\r\n", strlen(text), text);
	feed_span(f, buf_span(&bulk));
	buf_fini(&bulk);
}

static inline void make_ready(struct fixture *f)
{
	connect_link(f);
	feed_bulk(f, INFO_MASTER);
	feed(f, CLIENT_REMOTE SAVE_NONE LIBRARY_THERE);
	assert_true(redis_link_is_ready(f->link));
	assert_int_equal(f->readies, 1);
	buf_clear(&f->written);
}

/* ---- calls that write down what became of them ---- */

struct noted_call {
	struct fixture *fixture;
	const char *name;
};

static void note(void *arg, enum redis_outcome outcome, const redisReply *reply);

static inline bool call(struct fixture *f, const char *name, unsigned flags)
{
	struct noted_call *noted = mem_zalloc(sizeof(*noted));
	struct span argv[] = { SPAN_LIT("GET"), span_of_str(name) };
	bool taken;

	noted->fixture = f;
	noted->name = name;
	taken = redis_link_call(f->link, 2, argv, flags, f->now_ms, note, noted);
	if (!taken)
		mem_free(noted);
	return taken;
}

static inline void note(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	static const char *const names[] = { "", "~", "?" };
	struct noted_call *noted = arg;
	struct fixture *f = noted->fixture;

	assert_true((outcome == REDIS_UNKNOWN) == !reply);
	buf_printf(&f->log, "%s%s", noted->name, names[outcome]);
	if (reply)
		buf_printf(&f->log, "=%s", reply->str);
	buf_append_byte(&f->log, ' ');
	if (strcmp(noted->name, "again") == 0)
		call(f, "inner", REDIS_CALL_PLAIN);
	mem_free(noted);
}

static inline void assert_log(struct fixture *f, const char *wanted)
{
	assert_span_equal(buf_span(&f->log), wanted);
	buf_clear(&f->log);
}

static inline void assert_written(struct fixture *f, const char *wanted)
{
	assert_span_equal(buf_span(&f->written), wanted);
	buf_clear(&f->written);
}

static inline void assert_lost(struct fixture *f, const char *why)
{
	assert_int_equal(f->closes, 1);
	assert_false(redis_link_is_ready(f->link));
	redis_link_disconnected(f->link, "the transport's words", f->now_ms);
	assert_int_equal(f->losses, 1);
	if (!strstr(f->why, why))
		fail_msg("lost for \"%s\", expected \"%s\"", f->why, why);
}

static const size_t chunks[] = { 0, 1, 7 };

#define FOR_EACH_CHUNK(f)                                                                                    \
	for (size_t c = 0; c < ARRAY_LEN(chunks) && (fixture_open(&(f), chunks[c]), true); c++)

#endif
