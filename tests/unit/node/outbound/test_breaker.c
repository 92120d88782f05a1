#include "cmocka_all.h"

#include "outbound/breaker.h"

static const struct breaker_options options = {
	.failures_max = 3, .pause_first_ms = 1000, .pause_max_ms = 8000
};

static void fail_times(struct breaker *breaker, unsigned times, uint64_t now_ms)
{
	while (times--)
		breaker_failed(breaker, &options, now_ms, 0);
}

static void it_opens_after_consecutive_failures_only(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	fail_times(&breaker, 2, 100);
	breaker_succeeded(&breaker);
	fail_times(&breaker, 2, 100);
	assert_true(breaker_is_usable(&breaker, 100));
	fail_times(&breaker, 1, 100);
	assert_false(breaker_is_usable(&breaker, 100));
	assert_int_equal(breaker_wait_ms(&breaker, 600), 500);
}

static void it_lets_one_probe_through_when_the_pause_is_over(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	fail_times(&breaker, 3, 0);
	assert_false(breaker_admit(&breaker, 999));
	assert_true(breaker_admit(&breaker, 1000));
	assert_false(breaker_admit(&breaker, 1000));
	breaker_succeeded(&breaker);
	assert_true(breaker_admit(&breaker, 1000));
}

/* A hop that greets and then breaks off each time is no better than one that is not there. */
static void a_connection_that_brings_nothing_is_no_success(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	for (int i = 0; i < 2; i++) {
		breaker_connected(&breaker);
		fail_times(&breaker, 1, 0);
		assert_true(breaker_is_usable(&breaker, 0));
	}
	breaker_connected(&breaker);
	fail_times(&breaker, 1, 0);
	assert_int_equal(breaker_wait_ms(&breaker, 0), 1000);
	assert_true(breaker_admit(&breaker, 1000));
	breaker_connected(&breaker);
	assert_true(breaker_is_usable(&breaker, 1000));
	fail_times(&breaker, 1, 1000);
	assert_int_equal(breaker_wait_ms(&breaker, 1000), 2000);
	breaker_connected(&breaker);
	breaker_succeeded(&breaker);
	fail_times(&breaker, 2, 3000);
	assert_true(breaker_is_usable(&breaker, 3000));
}

static void failed_probes_double_the_pause_up_to_its_bound(void **state)
{
	static const uint64_t pauses[] = { 1000, 2000, 4000, 8000, 8000 };
	struct breaker breaker = { 0 };
	uint64_t now = 0;

	(void)state;
	fail_times(&breaker, 3, now);
	for (size_t i = 0; i < sizeof(pauses) / sizeof(pauses[0]); i++) {
		assert_int_equal(breaker_wait_ms(&breaker, now), pauses[i]);
		now += pauses[i];
		assert_true(breaker_admit(&breaker, now));
		fail_times(&breaker, 1, now);
	}
}

static void failures_of_connections_under_way_do_not_lengthen_the_pause(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	fail_times(&breaker, 20, 0);
	assert_int_equal(breaker_wait_ms(&breaker, 0), 1000);
}

static void jitter_shortens_a_pause_by_less_than_a_quarter(void **state)
{
	(void)state;
	for (uint32_t random = 0; random < 5000; random += 7) {
		struct breaker breaker = { 0 };

		for (int i = 0; i < 3; i++)
			breaker_failed(&breaker, &options, 0, random);
		assert_in_range(breaker_wait_ms(&breaker, 0), 751, 1000);
	}
}

static void it_is_tripped_by_one_failure(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	breaker_trip(&breaker, &options, 0, 0);
	assert_int_equal(breaker_wait_ms(&breaker, 0), 1000);
	assert_true(breaker_admit(&breaker, 1000));
	breaker_trip(&breaker, &options, 1000, 0);
	assert_int_equal(breaker_wait_ms(&breaker, 1000), 2000);
}

static void held_it_stays_open_until_the_time_is_over_or_it_is_released(void **state)
{
	struct breaker breaker = { 0 };

	(void)state;
	breaker_hold(&breaker, 0, 60000);
	assert_false(breaker_admit(&breaker, 59999));
	assert_true(breaker_admit(&breaker, 60000));
	breaker_hold(&breaker, 60000, 60000);
	breaker_release(&breaker, 60001);
	assert_true(breaker_admit(&breaker, 60001));
	assert_false(breaker_admit(&breaker, 60001));
	breaker_succeeded(&breaker);
	breaker_release(&breaker, 60002);
	assert_int_equal(breaker.state, BREAKER_CLOSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_opens_after_consecutive_failures_only),
		cmocka_unit_test(it_lets_one_probe_through_when_the_pause_is_over),
		cmocka_unit_test(a_connection_that_brings_nothing_is_no_success),
		cmocka_unit_test(failed_probes_double_the_pause_up_to_its_bound),
		cmocka_unit_test(failures_of_connections_under_way_do_not_lengthen_the_pause),
		cmocka_unit_test(jitter_shortens_a_pause_by_less_than_a_quarter),
		cmocka_unit_test(it_is_tripped_by_one_failure),
		cmocka_unit_test(held_it_stays_open_until_the_time_is_over_or_it_is_released),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
