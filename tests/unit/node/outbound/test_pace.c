#include "cmocka_all.h"

#include "outbound/pace.h"

/* As many as may, over a time; each is taken. Returns how many. */
static unsigned run(struct pace *pace, uint64_t from_ms, uint64_t until_ms, bool takes)
{
	unsigned count = 0;

	for (uint64_t now_ms = from_ms; now_ms < until_ms; now_ms++) {
		if (pace_wait_ms(pace, now_ms))
			continue;
		pace_started(pace, now_ms);
		if (takes)
			pace_taken(pace, now_ms);
		count++;
	}
	return count;
}

static void nothing_holds_back_a_hop_that_takes_what_it_gets(void **state)
{
	struct pace pace = { 0 };

	(void)state;
	assert_int_equal(run(&pace, 1000, 2000, true), 1000);
	assert_int_equal(pace_per_minute(&pace), 0);
}

/* It took so many in the second before 3000 ms, and then said no. */
static struct pace slowed(unsigned in_second)
{
	struct pace pace = { 0 };

	for (uint64_t now_ms = 1000; now_ms < 3000; now_ms += 1000 / in_second) {
		pace_started(&pace, now_ms);
		pace_taken(&pace, now_ms);
	}
	assert_true(pace_pushed_back(&pace, 3000));
	return pace;
}

static void pushed_back_it_gets_a_part_of_what_it_took_and_then_half_of_that(void **state)
{
	struct pace pace = slowed(20);

	(void)state;
	assert_int_equal(pace_per_minute(&pace), 900);
	assert_in_range(run(&pace, 3000, 13000, false), 148, 151);
	assert_true(pace_pushed_back(&pace, 13000));
	assert_int_equal(pace_per_minute(&pace), 450);
	for (uint64_t now_ms = 30000; now_ms < 2000000; now_ms += 20000)
		assert_true(pace_pushed_back(&pace, now_ms));
	assert_int_equal(pace_per_minute(&pace), 60000 / PACE_GAP_MAX_MS);
}

static void a_hop_that_has_taken_nothing_gets_little(void **state)
{
	struct pace pace = { 0 };

	(void)state;
	assert_true(pace_pushed_back(&pace, 0));
	assert_int_equal(pace_per_minute(&pace), 45);
}

static void what_was_under_way_slows_it_once(void **state)
{
	struct pace pace = slowed(20);

	(void)state;
	for (int i = 0; i < 20; i++)
		assert_false(pace_pushed_back(&pace, 3000 + (uint64_t)i * 50));
	assert_int_equal(pace_per_minute(&pace), 900);
}

static void after_a_while_it_is_a_little_faster_with_each_message_that_is_taken(void **state)
{
	struct pace pace = slowed(10);

	(void)state;
	run(&pace, 3000, 5000, true);
	assert_int_equal(pace_per_minute(&pace), 450);
	assert_in_range(run(&pace, 5000, 7000, true), 14, 30);
	assert_in_range(pace_per_minute(&pace), 500, 1500);
	run(&pace, 7000, 60000, true);
	assert_int_equal(pace_per_minute(&pace), 0);
}

static void from_the_slowest_it_is_back_within_seconds(void **state)
{
	struct pace pace = slowed(10);

	(void)state;
	for (uint64_t now_ms = 10000; now_ms < 200000; now_ms += 10000)
		(void)pace_pushed_back(&pace, now_ms);
	assert_int_equal(pace_per_minute(&pace), 60000 / PACE_GAP_MAX_MS);
	run(&pace, 200000, 212000, true);
	assert_in_range(pace_per_minute(&pace), 300, 60000);
}

static void a_rest_is_not_caught_up_with(void **state)
{
	struct pace pace = slowed(10);

	(void)state;
	assert_in_range(run(&pace, 60000, 61000, false), 7, 9);
}

/* A provider that takes 14 in a second, and says so. */
static void it_finds_the_rate_of_a_provider_that_says_no(void **state)
{
	struct pace pace = { 0 };
	unsigned in_second = 0, taken = 0, refused = 0;

	(void)state;
	for (uint64_t now_ms = 1000; now_ms < 301000; now_ms++) {
		if (now_ms % 1000 == 0)
			in_second = 0;
		if (pace_wait_ms(&pace, now_ms))
			continue;
		pace_started(&pace, now_ms);
		if (in_second++ < 14) {
			taken++;
			pace_taken(&pace, now_ms);
		} else {
			refused++;
			pace_pushed_back(&pace, now_ms);
		}
	}
	print_message("[ taken   ] %u of %u, refused %u\n", taken, 300 * 14, refused);
	assert_true(taken > 300 * 14 / 2);
	assert_true(refused < taken / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_holds_back_a_hop_that_takes_what_it_gets),
		cmocka_unit_test(pushed_back_it_gets_a_part_of_what_it_took_and_then_half_of_that),
		cmocka_unit_test(a_hop_that_has_taken_nothing_gets_little),
		cmocka_unit_test(what_was_under_way_slows_it_once),
		cmocka_unit_test(after_a_while_it_is_a_little_faster_with_each_message_that_is_taken),
		cmocka_unit_test(from_the_slowest_it_is_back_within_seconds),
		cmocka_unit_test(a_rest_is_not_caught_up_with),
		cmocka_unit_test(it_finds_the_rate_of_a_provider_that_says_no),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
