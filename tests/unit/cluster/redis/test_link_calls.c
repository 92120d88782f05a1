/* Calls: answers in order, and what a call is told when the connection ends. */
#include "scripted_link.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests_name("redis_link_calls", tests, NULL, NULL);
}
