/* Calls that replicas must have: one WAIT behind each batch. */
#include "scripted_link.h"

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

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(replicated_calls_wait_for_the_end_of_their_batch),
		cmocka_unit_test(too_few_replicas_are_told_except_for_errors),
		cmocka_unit_test(batches_are_answered_each_by_its_own_wait),
		cmocka_unit_test(an_answer_whose_wait_is_lost_counts_as_not_replicated),
		cmocka_unit_test(a_wait_that_is_not_answered_is_late_like_a_call),
		cmocka_unit_test(while_replicas_are_away_batches_wait_less_and_less),
	};

	return cmocka_run_group_tests_name("redis_link_replicas", tests, NULL, NULL);
}
