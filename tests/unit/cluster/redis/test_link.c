/* The link against scripted bytes: every conversation is fed whole and byte by byte. */
#include "cmocka_all.h"

#include "skein/cluster/redis_functions.h"
#include "skein/cluster/redis_link.h"
#include "skein/proto/base/alloc.h"

#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>

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

static void on_write(void *ctx, struct span bytes)
{
	struct fixture *f = ctx;

	f->writes++;
	buf_append(&f->written, bytes);
}

static void on_close(void *ctx)
{
	struct fixture *f = ctx;

	f->closes++;
	if (f->is_close_sync)
		redis_link_disconnected(f->link, "closed", f->now_ms);
}

static void on_event(void *arg, enum redis_link_event event, const char *why)
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

static void fixture_open(struct fixture *f, size_t chunk)
{
	memset(f, 0, sizeof(*f));
	f->chunk = chunk;
	f->now_ms = 10000;
	f->options = (struct redis_link_options){
		.prefix = "skein:", .handshake_timeout_ms = HANDSHAKE_MS, .call_timeout_ms = CALL_MS
	};
}

static void connect_link(struct fixture *f)
{
	struct redis_transport transport = { f, on_write, on_close };

	f->link = redis_link_new(&f->options, transport, on_event, f);
	redis_link_connecting(f->link, f->now_ms);
	redis_link_connected(f->link, f->now_ms);
}

static void fixture_close(struct fixture *f)
{
	f->reconnects = false;
	redis_link_disconnected(f->link, "test ends", f->now_ms);
	redis_link_free(&f->link);
	assert_null(f->link);
	buf_fini(&f->written);
	buf_fini(&f->log);
}

static void feed_span(struct fixture *f, struct span bytes)
{
	size_t step = f->chunk ? f->chunk : bytes.len;

	while (bytes.len) {
		size_t len = step < bytes.len ? step : bytes.len;

		redis_link_received(f->link, span_take(bytes, len), f->now_ms);
		bytes = span_drop(bytes, len);
	}
}

static void feed(struct fixture *f, const char *text)
{
	feed_span(f, span_of_str(text));
}

static void feed_bulk(struct fixture *f, const char *text)
{
	struct buf bulk = { 0 };

	buf_printf(&bulk, "$%zu\r\n%s\r\n", strlen(text), text);
	feed_span(f, buf_span(&bulk));
	buf_fini(&bulk);
}

static void make_ready(struct fixture *f)
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

static bool call(struct fixture *f, const char *name, unsigned flags)
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

static void note(void *arg, enum redis_outcome outcome, const redisReply *reply)
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

static void assert_log(struct fixture *f, const char *wanted)
{
	assert_span_equal(buf_span(&f->log), wanted);
	buf_clear(&f->log);
}

static void assert_written(struct fixture *f, const char *wanted)
{
	assert_span_equal(buf_span(&f->written), wanted);
	buf_clear(&f->written);
}

static void assert_lost(struct fixture *f, const char *why)
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

/* ---- handshake ---- */

static void it_logs_in_and_asks_everything_in_one_round_trip(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	f.options.user = "u";
	f.options.password = "secret";
	f.options.client_name = "skeind:a";
	connect_link(&f);
	assert_written(&f, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$6\r\nsecret\r\n"
			   "*3\r\n$6\r\nCLIENT\r\n$7\r\nSETNAME\r\n$8\r\nskeind:a\r\n"
			   "*1\r\n$4\r\nINFO\r\n"
			   "*2\r\n$6\r\nCLIENT\r\n$4\r\nINFO\r\n"
			   "*3\r\n$6\r\nCONFIG\r\n$3\r\nGET\r\n$4\r\nsave\r\n"
			   "*4\r\n$8\r\nFUNCTION\r\n$4\r\nLIST\r\n$11\r\nLIBRARYNAME\r\n$5\r\nlib_1\r\n");
	fixture_close(&f);
}

static void it_logs_in_as_it_was_told(void **state)
{
	static const struct {
		const char *user, *password, *written;
	} rows[] = {
		{ NULL, NULL, "*1\r\n$4\r\nINFO\r\n" },
		{ NULL, "p", "*2\r\n$4\r\nAUTH\r\n$1\r\np\r\n*1\r\n" },
		{ "u", NULL, "*3\r\n$4\r\nAUTH\r\n$1\r\nu\r\n$0\r\n\r\n*1\r\n" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_open(&f, 0);
		f.options.user = rows[i].user;
		f.options.password = rows[i].password;
		connect_link(&f);
		assert_true(span_starts_with(buf_span(&f.written), span_of_str(rows[i].written)));
		fixture_close(&f);
	}
}

static void it_is_ready_with_what_the_server_said(void **state)
{
	const struct redis_identity *identity;
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		connect_link(&f);
		feed_bulk(&f, INFO_MASTER);
		feed(&f, CLIENT_LOCAL SAVE_SOME);
		assert_false(redis_link_is_ready(f.link));
		feed(&f, LIBRARY_THERE);
		assert_true(redis_link_is_ready(f.link));
		identity = redis_link_identity(f.link);
		assert_string_equal(identity->replication_id, REPLID);
		assert_string_equal(identity->version, "7.0.15");
		assert_int_equal(identity->replicas, 1);
		assert_int_equal(identity->appendonly, REDIS_NO);
		assert_int_equal(identity->persistent, REDIS_YES);
		assert_int_equal(identity->noeviction, REDIS_YES);
		assert_string_equal(identity->eviction, "noeviction");
		assert_int_equal(identity->same_host, REDIS_YES);
		assert_int_equal(identity->memory_used, 1000);
		assert_int_equal(identity->memory_max, 5000);
		assert_int_equal(f.closes, 0);
		fixture_close(&f);
	}
}

static void what_an_acl_hides_is_unknown_and_no_reason_to_leave(void **state)
{
	const struct redis_identity *identity;
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		f.options.client_name = "x";
		connect_link(&f);
		feed(&f, NOPERM);
		feed_bulk(&f, "redis_version:7.2.1\r\nrole:master\r\nmaster_replid:" REPLID "\r\n");
		feed(&f, NOPERM NOPERM LIBRARY_THERE);
		assert_true(redis_link_is_ready(f.link));
		identity = redis_link_identity(f.link);
		assert_int_equal(identity->persistent, REDIS_FACT_UNKNOWN);
		assert_int_equal(identity->appendonly, REDIS_FACT_UNKNOWN);
		assert_int_equal(identity->noeviction, REDIS_FACT_UNKNOWN);
		assert_int_equal(identity->same_host, REDIS_FACT_UNKNOWN);
		fixture_close(&f);
	}
}

static void persistence_is_told_by_either_of_its_two_signs(void **state)
{
	static const struct {
		const char *aof, *save;
		enum redis_fact persistent;
	} rows[] = {
		{ "0", SAVE_NONE, REDIS_NO },
		{ "0", SAVE_SOME, REDIS_YES },
		{ "1", SAVE_NONE, REDIS_YES },
		{ "1", NOPERM, REDIS_YES },
		{ "0", NOPERM, REDIS_FACT_UNKNOWN },
	};
	struct fixture f;
	char info[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		fixture_open(&f, 0);
		connect_link(&f);
		snprintf(info, sizeof(info), "%saof_enabled:%s\r\n", INFO_MASTER, rows[i].aof);
		feed_bulk(&f, info);
		feed(&f, CLIENT_REMOTE);
		feed(&f, rows[i].save);
		feed(&f, LIBRARY_THERE);
		assert_int_equal(redis_link_identity(f.link)->persistent, rows[i].persistent);
		assert_int_equal(redis_link_identity(f.link)->same_host, REDIS_NO);
		fixture_close(&f);
	}
}

static void a_missing_library_is_loaded(void **state)
{
	static const char *const answers[] = { "$5\r\nlib_1\r\n", "-ERR Library 'lib_1' already exists\r\n" };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answers); i++) {
		FOR_EACH_CHUNK(f)
		{
			connect_link(&f);
			feed_bulk(&f, INFO_MASTER);
			buf_clear(&f.written);
			feed(&f, CLIENT_REMOTE SAVE_NONE LIBRARY_MISSING);
			assert_false(redis_link_is_ready(f.link));
			assert_written(
				&f, "*3\r\n$8\r\nFUNCTION\r\n$4\r\nLOAD\r\n$16\r\n#!lua name=lib_1\r\n");
			feed(&f, answers[i]);
			assert_true(redis_link_is_ready(f.link));
			fixture_close(&f);
		}
	}
}

/* `info` NULL: `rest` is all. */
static const struct refusal {
	const char *auth, *info, *rest, *why;
} refusals[] = {
	{ "-WRONGPASS invalid username-password pair\r\n", NULL, "", "check user and password): WRONGPASS" },
	{ OK, NULL, "-ERR max number of clients reached\r\n", "refuses the connection: ERR max number" },
	{ OK OK, NULL, NOPERM, "the user needs +info" },
	{ OK OK, NULL, "-DENIED Redis is running in protected mode\r\n", "refuses the connection: DENIED" },
	{ OK OK, NULL, "-NOAUTH Authentication required.\r\n", "wants a password" },
	{ OK "-NOAUTH Authentication required.\r\n", NULL, "", "wants a password" },
	{ OK OK, "redis_version:6.2.7\r\nrole:master\r\n", "", "Redis 6.2.7 is too old" },
	{ OK OK, "nothing", "", "too old" },
	{ OK OK, "redis_version:7.0.1\r\nrole:master\r\n", "", "replication id" },
	{ OK OK, INFO_MASTER "loading:1\r\n", "", "loading" },
	{ OK OK, INFO_MASTER "cluster_enabled:1\r\n", "", "Cluster" },
	{ OK OK, INFO_MASTER "role:slave\r\nmaster_host:db1\r\nmaster_port:6379\r\n", "",
		"replica of db1:6379: the address of the master is needed" },
	{ OK OK, INFO_MASTER, CLIENT_REMOTE SAVE_NONE NOPERM, "the user needs +function" },
	{ OK OK, INFO_MASTER, CLIENT_REMOTE SAVE_NONE LIBRARY_MISSING "-OOM command not allowed\r\n",
		"does not load the function library lib_1: OOM" },
};

static void a_server_that_will_not_do_is_left_with_the_reason(void **state)
{
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		FOR_EACH_CHUNK(f)
		{
			f.options.password = "p";
			f.options.client_name = "n";
			connect_link(&f);
			feed(&f, refusals[i].auth);
			if (refusals[i].info)
				feed_bulk(&f, refusals[i].info);
			feed(&f, refusals[i].rest);
			assert_lost(&f, refusals[i].why);
			assert_int_equal(f.readies, 0);
			fixture_close(&f);
		}
	}
}

static void one_deadline_covers_connecting_and_the_handshake(void **state)
{
	struct redis_transport transport;
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	transport = (struct redis_transport){ &f, on_write, on_close };
	f.link = redis_link_new(&f.options, transport, on_event, &f);
	assert_int_equal(redis_link_tick(f.link, f.now_ms), UINT64_MAX);
	redis_link_connecting(f.link, 100);
	assert_int_equal(redis_link_tick(f.link, 500), 100 + HANDSHAKE_MS);
	redis_link_connected(f.link, 600);
	assert_int_equal(redis_link_tick(f.link, 99 + HANDSHAKE_MS), 100 + HANDSHAKE_MS);
	assert_int_equal(f.closes, 0);
	assert_int_equal(redis_link_tick(f.link, 100 + HANDSHAKE_MS), UINT64_MAX);
	assert_lost(&f, "no connection to Redis within 1000 ms");
	fixture_close(&f);
}

static void a_connection_that_never_came_is_lost_too(void **state)
{
	struct redis_transport transport;
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	transport = (struct redis_transport){ &f, on_write, on_close };
	f.link = redis_link_new(&f.options, transport, on_event, &f);
	redis_link_connecting(f.link, 100);
	redis_link_disconnected(f.link, "connection refused", 200);
	assert_int_equal(f.losses, 1);
	assert_string_equal(f.why, "connection refused");
	redis_link_disconnected(f.link, "told again", 200);
	assert_int_equal(f.losses, 1);
	fixture_close(&f);
}

/* ---- calls ---- */

static void replies_leave_in_the_order_of_the_calls(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		make_ready(&f);
		assert_true(call(&f, "a", REDIS_CALL_PLAIN));
		assert_true(call(&f, "b", REDIS_CALL_REPLICATED)); /* no replicas are asked for */
		assert_written(&f, "*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
		redis_link_flush(f.link, f.now_ms);
		assert_written(&f, "");
		assert_int_equal(redis_link_in_flight(f.link), 2);
		assert_log(&f, "");
		feed(&f, "+1\r\n$1\r\n2\r\n");
		assert_log(&f, "a=1 b=2 ");
		assert_int_equal(redis_link_in_flight(f.link), 0);
		fixture_close(&f);
	}
}

static void a_large_argument_goes_to_the_transport_whole(void **state)
{
	static char body[1024 * 1024 + 1];
	struct span argv[] = { SPAN_LIT("SET"), SPAN_LIT("k"), span_of(body, sizeof(body)), SPAN_LIT("PX"),
		{ 0 } };
	struct buf wanted = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	make_ready(&f);
	memset(body, '\r', sizeof(body));
	f.writes = 0;
	assert_true(redis_link_call(f.link, ARRAY_LEN(argv), argv, REDIS_CALL_PLAIN, f.now_ms, NULL, NULL));
	buf_printf(&wanted, "*5\r\n$3\r\nSET\r\n$1\r\nk\r\n$%zu\r\n", sizeof(body));
	buf_append(&wanted, argv[2]);
	buf_append_str(&wanted, "\r\n$2\r\nPX\r\n$0\r\n\r\n");
	assert_true(span_eq(buf_span(&f.written), buf_span(&wanted)));
	assert_int_equal(f.writes, 3);
	feed(&f, "+OK\r\n");
	buf_fini(&wanted);
	fixture_close(&f);
}

static void count_in_order(void *arg, enum redis_outcome outcome, const redisReply *reply)
{
	long long *next = arg;

	assert_int_equal(outcome, REDIS_REPLY);
	assert_int_equal(reply->integer, *next);
	(*next)++;
}

static void many_thousand_calls_may_be_in_flight(void **state)
{
	struct span argv[] = { SPAN_LIT("PING") };
	long long next = 0;
	struct buf replies = { 0 };
	struct fixture f;

	(void)state;
	fixture_open(&f, 4096);
	make_ready(&f);
	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < 10000; i++) {
			assert_true(redis_link_call(f.link, 1, argv, 0, f.now_ms, count_in_order, &next));
			buf_printf(&replies, ":%d\r\n", round * 10000 + i);
		}
		feed_span(&f, buf_span(&replies));
		assert_int_equal(next, (round + 1) * 10000);
		buf_clear(&replies);
	}
	buf_fini(&replies);
	fixture_close(&f);
}

static void nothing_is_taken_before_ready_or_after_the_end(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	connect_link(&f);
	buf_clear(&f.written);
	assert_false(call(&f, "early", REDIS_CALL_PLAIN));
	feed_bulk(&f, INFO_MASTER);
	feed(&f, CLIENT_REMOTE SAVE_NONE LIBRARY_THERE);
	assert_true(call(&f, "a", REDIS_CALL_PLAIN));
	buf_clear(&f.written);
	feed(&f, "-READONLY You can't write against a read only replica.\r\n");
	assert_int_equal(f.closes, 1);
	assert_false(call(&f, "closing", REDIS_CALL_PLAIN));
	redis_link_disconnected(f.link, "closed", f.now_ms);
	assert_false(call(&f, "late", REDIS_CALL_PLAIN));
	redis_link_flush(f.link, f.now_ms);
	assert_written(&f, "");
	assert_log(&f, "a=READONLY You can't write against a read only replica. ");
	fixture_close(&f);
}

/* The connection ends after each number of replies in turn; each callback runs once whatever the number. */
static void what_is_not_answered_when_the_connection_ends_is_unknown(void **state)
{
	static const char *const logs[] = { "a? b? c? ", "a=1 b? c? ", "a=1 b=2 c? ", "a=1 b=2 c=3 " };
	struct fixture f;

	(void)state;
	for (size_t replies = 0; replies < ARRAY_LEN(logs); replies++) {
		FOR_EACH_CHUNK(f)
		{
			make_ready(&f);
			call(&f, "a", REDIS_CALL_PLAIN);
			call(&f, "b", REDIS_CALL_PLAIN);
			call(&f, "c", REDIS_CALL_PLAIN);
			feed_span(&f, span_take(SPAN_LIT("+1\r\n+2\r\n+3\r\n"), replies * 4));
			feed(&f, replies < 3 ? "+hal" : "");
			redis_link_disconnected(f.link, "reset", f.now_ms);
			assert_log(&f, logs[replies]);
			assert_string_equal(f.why, "reset");
			fixture_close(&f);
		}
	}
}

static void a_callback_may_call_again(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		make_ready(&f);
		call(&f, "again", REDIS_CALL_PLAIN);
		call(&f, "b", REDIS_CALL_PLAIN);
		feed(&f, "+1\r\n+2\r\n+3\r\n");
		assert_log(&f, "again=1 b=2 inner=3 ");
		call(&f, "again", REDIS_CALL_PLAIN);
		redis_link_disconnected(f.link, "reset", f.now_ms);
		assert_log(&f, "again? ");
		fixture_close(&f);
	}
}

static void a_late_reply_ends_the_connection(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	make_ready(&f);
	call(&f, "a", REDIS_CALL_PLAIN);
	f.now_ms += 100;
	call(&f, "b", REDIS_CALL_PLAIN);
	assert_int_equal(redis_link_tick(f.link, f.now_ms), 10000 + CALL_MS);
	feed(&f, "+1\r\n");
	assert_int_equal(redis_link_tick(f.link, 10000 + CALL_MS), 10100 + CALL_MS);
	assert_int_equal(f.closes, 0);
	redis_link_tick(f.link, 10100 + CALL_MS);
	assert_lost(&f, "did not answer within 500 ms");
	assert_log(&f, "a=1 b? ");
	fixture_close(&f);
}

static void an_answer_that_ends_the_connection_is_delivered_first(void **state)
{
	static const struct {
		const char *reply, *why;
	} rows[] = {
		{ "READONLY You can't write", "has become a replica: READONLY You" },
		{ "MASTERDOWN Link with MASTER is down", "has become a replica" },
		{ "UNBLOCKED force unblock", "has become a replica" },
		{ "LOADING Redis is loading the dataset", "loading" },
		{ "NOAUTH Authentication required.", "forgot our login" },
		{ "ERR Function not found", "functions are gone" },
	};
	struct fixture f;
	char text[128];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FOR_EACH_CHUNK(f)
		{
			make_ready(&f);
			call(&f, "a", REDIS_CALL_PLAIN);
			call(&f, "b", REDIS_CALL_PLAIN);
			snprintf(text, sizeof(text), "-%s\r\n+late\r\n", rows[i].reply);
			feed(&f, text);
			assert_lost(&f, rows[i].why);
			snprintf(text, sizeof(text), "a=%s b? ", rows[i].reply);
			assert_log(&f, text);
			fixture_close(&f);
		}
	}
}

static void other_errors_are_answers_like_any(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	make_ready(&f);
	call(&f, "a", REDIS_CALL_PLAIN);
	call(&f, "b", REDIS_CALL_PLAIN);
	feed(&f, "-OOM command not allowed\r\n-BUSY running a script\r\n");
	assert_log(&f, "a=OOM command not allowed b=BUSY running a script ");
	assert_true(redis_link_is_ready(f.link));
	fixture_close(&f);
}

static void the_owner_may_close_and_connect_again_from_inside(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		make_ready(&f);
		f.is_close_sync = f.reconnects = true;
		call(&f, "a", REDIS_CALL_PLAIN);
		call(&f, "b", REDIS_CALL_PLAIN);
		feed(&f, "-READONLY x\r\n");
		assert_log(&f, "a=READONLY x b? ");
		assert_int_equal(f.losses, 1);
		feed_bulk(&f, INFO_MASTER);
		feed(&f, CLIENT_REMOTE SAVE_NONE LIBRARY_THERE);
		assert_int_equal(f.readies, 2);
		call(&f, "c", REDIS_CALL_PLAIN);
		feed(&f, "+3\r\n");
		assert_log(&f, "c=3 ");
		fixture_close(&f);
	}
}

/* ---- replicas ---- */

static void replicated_calls_wait_for_the_end_of_their_batch(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		f.options.wait_replicas = 1;
		make_ready(&f);
		call(&f, "p", REDIS_CALL_PLAIN);
		call(&f, "a", REDIS_CALL_REPLICATED);
		call(&f, "b", REDIS_CALL_REPLICATED);
		buf_clear(&f.written);
		redis_link_flush(f.link, f.now_ms);
		assert_written(&f, "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$3\r\n251\r\n");
		redis_link_flush(f.link, f.now_ms);
		assert_written(&f, "");
		feed(&f, "+0\r\n+1\r\n+2\r\n");
		assert_log(&f, "p=0 ");
		assert_int_equal(redis_link_in_flight(f.link), 2);
		feed(&f, ":1\r\n");
		assert_log(&f, "a=1 b=2 ");
		assert_int_equal(redis_link_in_flight(f.link), 0);
		fixture_close(&f);
	}
}

static void too_few_replicas_are_told_except_for_errors(void **state)
{
	static const char *const waits[] = { ":1\r\n", NOPERM };
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(waits); i++) {
		FOR_EACH_CHUNK(f)
		{
			f.options.wait_replicas = 2;
			make_ready(&f);
			call(&f, "a", REDIS_CALL_REPLICATED);
			call(&f, "p", REDIS_CALL_PLAIN);
			call(&f, "e", REDIS_CALL_REPLICATED);
			redis_link_flush(f.link, f.now_ms);
			feed(&f, "+1\r\n+2\r\n-ERR no\r\n");
			assert_log(&f, "");
			feed(&f, waits[i]);
			assert_log(&f, "a~=1 p=2 e=ERR no ");
			fixture_close(&f);
		}
	}
}

static void batches_are_answered_each_by_its_own_wait(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		f.options.wait_replicas = 1;
		make_ready(&f);
		call(&f, "a", REDIS_CALL_REPLICATED);
		redis_link_flush(f.link, f.now_ms);
		call(&f, "b", REDIS_CALL_REPLICATED);
		redis_link_flush(f.link, f.now_ms);
		call(&f, "c", REDIS_CALL_REPLICATED);
		feed(&f, "+1\r\n:0\r\n+2\r\n");
		assert_log(&f, "a~=1 ");
		feed(&f, ":1\r\n+3\r\n");
		assert_log(&f, "b=2 ");
		redis_link_flush(f.link, f.now_ms);
		feed(&f, ":1\r\n");
		assert_log(&f, "c=3 ");
		fixture_close(&f);
	}
}

static void an_answer_whose_wait_is_lost_counts_as_not_replicated(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	f.options.wait_replicas = 1;
	make_ready(&f);
	call(&f, "a", REDIS_CALL_REPLICATED);
	call(&f, "p", REDIS_CALL_PLAIN);
	call(&f, "e", REDIS_CALL_REPLICATED);
	call(&f, "b", REDIS_CALL_REPLICATED);
	redis_link_flush(f.link, f.now_ms);
	feed(&f, "+1\r\n+2\r\n-ERR no\r\n");
	redis_link_disconnected(f.link, "reset", f.now_ms);
	assert_log(&f, "a~=1 p=2 e=ERR no b? ");
	fixture_close(&f);
}

static void a_wait_that_is_not_answered_is_late_like_a_call(void **state)
{
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	f.options.wait_replicas = 1;
	make_ready(&f);
	call(&f, "a", REDIS_CALL_REPLICATED);
	redis_link_flush(f.link, f.now_ms);
	feed(&f, "+1\r\n");
	redis_link_tick(f.link, f.now_ms + CALL_MS);
	assert_lost(&f, "did not answer");
	assert_log(&f, "a~=1 ");
	fixture_close(&f);
}

static void while_replicas_are_away_batches_wait_less_and_less(void **state)
{
	static const char *const waits[] = { "251", "125", "62", "31", "31" };
	struct fixture f;
	char wanted[64];

	(void)state;
	fixture_open(&f, 0);
	f.options.wait_replicas = 1;
	make_ready(&f);
	for (size_t i = 0; i <= ARRAY_LEN(waits) + 1; i++) {
		const char *wait_ms = i < ARRAY_LEN(waits) ? waits[i] : i == ARRAY_LEN(waits) ? "31" : "251";

		call(&f, "a", REDIS_CALL_REPLICATED);
		buf_clear(&f.written);
		redis_link_flush(f.link, f.now_ms);
		snprintf(wanted, sizeof(wanted), "*3\r\n$4\r\nWAIT\r\n$1\r\n1\r\n$%zu\r\n%s\r\n",
			strlen(wait_ms), wait_ms);
		assert_written(&f, wanted);
		feed(&f, i == ARRAY_LEN(waits) ? "+1\r\n:1\r\n" : "+1\r\n:0\r\n");
	}
	fixture_close(&f);
}

/* ---- the watch ---- */

static void tick_to_watch(struct fixture *f)
{
	buf_clear(&f->written);
	assert_int_equal(redis_link_tick(f->link, f->now_ms), f->now_ms + REDIS_LINK_WATCH_MS);
	f->now_ms += REDIS_LINK_WATCH_MS;
	assert_int_equal(redis_link_tick(f->link, f->now_ms), f->now_ms + CALL_MS);
	assert_written(f, "*3\r\n$4\r\nINFO\r\n$11\r\nreplication\r\n$6\r\nmemory\r\n");
	assert_int_equal(redis_link_in_flight(f->link), 0);
}

static void an_idle_link_watches_its_server(void **state)
{
	struct fixture f;

	(void)state;
	FOR_EACH_CHUNK(f)
	{
		make_ready(&f);
		tick_to_watch(&f);
		feed_bulk(&f, "role:master\r\nconnected_slaves:3\r\nmaster_replid:" REPLID "\r\n");
		assert_int_equal(redis_link_identity(f.link)->replicas, 3);
		tick_to_watch(&f);
		feed(&f, NOPERM);
		assert_true(redis_link_is_ready(f.link));
		tick_to_watch(&f);
		redis_link_tick(f.link, f.now_ms + CALL_MS);
		assert_lost(&f, "did not answer");
		fixture_close(&f);
	}
}

static void a_server_that_is_another_one_now_is_left(void **state)
{
	static const struct {
		const char *info, *why;
	} rows[] = {
		{ "role:master\r\nmaster_replid:ffff456789abcdef0123456789abcdef01234567\r\n",
			"replication id of Redis has changed" },
		{ "role:slave\r\nmaster_host:db2\r\nmaster_port:7\r\nmaster_replid:" REPLID "\r\n",
			"has become a replica of db2:7" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FOR_EACH_CHUNK(f)
		{
			make_ready(&f);
			tick_to_watch(&f);
			feed_bulk(&f, rows[i].info);
			assert_lost(&f, rows[i].why);
			fixture_close(&f);
		}
	}
}

/* ---- a server that misbehaves ---- */

static void a_breach_of_the_protocol_ends_the_connection(void **state)
{
	static const struct {
		const char *bytes, *why;
	} rows[] = {
		{ "hello\r\n", "broke the protocol" },
		{ "%1\r\n", "broke the protocol" }, /* RESP3 */
		{ "_\r\n", "broke the protocol" },
		{ "*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n", "broke the protocol" },
		{ "*2147483647\r\n", "broke the protocol" },
		{ "*1048577\r\n", "broke the protocol" },
		{ "+1\r\n+2\r\n", "nobody asked" },
	};
	struct fixture f;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		FOR_EACH_CHUNK(f)
		{
			make_ready(&f);
			call(&f, "a", REDIS_CALL_PLAIN);
			feed(&f, rows[i].bytes);
			assert_lost(&f, rows[i].why);
			fixture_close(&f);
		}
	}
}

static void a_reply_that_never_ends_is_cut_off(void **state)
{
	static char megabyte[1024 * 1024];
	struct fixture f;

	(void)state;
	fixture_open(&f, 0);
	make_ready(&f);
	call(&f, "a", REDIS_CALL_PLAIN);
	feed(&f, "$400000000\r\n");
	for (unsigned i = 0; i < REDIS_LINK_REPLY_MAX / sizeof(megabyte) && f.closes == 0; i++)
		feed_span(&f, span_of(megabyte, sizeof(megabyte)));
	assert_lost(&f, "the reply is too large");
	fixture_close(&f);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_logs_in_and_asks_everything_in_one_round_trip),
		cmocka_unit_test(it_logs_in_as_it_was_told),
		cmocka_unit_test(it_is_ready_with_what_the_server_said),
		cmocka_unit_test(what_an_acl_hides_is_unknown_and_no_reason_to_leave),
		cmocka_unit_test(persistence_is_told_by_either_of_its_two_signs),
		cmocka_unit_test(a_missing_library_is_loaded),
		cmocka_unit_test(a_server_that_will_not_do_is_left_with_the_reason),
		cmocka_unit_test(one_deadline_covers_connecting_and_the_handshake),
		cmocka_unit_test(a_connection_that_never_came_is_lost_too),
		cmocka_unit_test(replies_leave_in_the_order_of_the_calls),
		cmocka_unit_test(a_large_argument_goes_to_the_transport_whole),
		cmocka_unit_test(many_thousand_calls_may_be_in_flight),
		cmocka_unit_test(nothing_is_taken_before_ready_or_after_the_end),
		cmocka_unit_test(what_is_not_answered_when_the_connection_ends_is_unknown),
		cmocka_unit_test(a_callback_may_call_again),
		cmocka_unit_test(a_late_reply_ends_the_connection),
		cmocka_unit_test(an_answer_that_ends_the_connection_is_delivered_first),
		cmocka_unit_test(other_errors_are_answers_like_any),
		cmocka_unit_test(the_owner_may_close_and_connect_again_from_inside),
		cmocka_unit_test(replicated_calls_wait_for_the_end_of_their_batch),
		cmocka_unit_test(too_few_replicas_are_told_except_for_errors),
		cmocka_unit_test(batches_are_answered_each_by_its_own_wait),
		cmocka_unit_test(an_answer_whose_wait_is_lost_counts_as_not_replicated),
		cmocka_unit_test(a_wait_that_is_not_answered_is_late_like_a_call),
		cmocka_unit_test(while_replicas_are_away_batches_wait_less_and_less),
		cmocka_unit_test(an_idle_link_watches_its_server),
		cmocka_unit_test(a_server_that_is_another_one_now_is_left),
		cmocka_unit_test(a_breach_of_the_protocol_ends_the_connection),
		cmocka_unit_test(a_reply_that_never_ends_is_cut_off),
	};

	return cmocka_run_group_tests_name("redis_link", tests, NULL, NULL);
}
