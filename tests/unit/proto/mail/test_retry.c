#include "cmocka_all.h"

#include "skein/proto/base/check.h"
#include "skein/proto/mail/retry.h"

static const struct retry_schedule schedule = { .first_ms = 1000, .max_ms = 6000, .expiry_ms = 100000 };

static void delays_double_up_to_their_bound(void **state)
{
	static const uint64_t delays[] = { 1000, 2000, 4000, 6000, 6000 };

	(void)state;
	for (unsigned i = 0; i < ARRAY_LEN(delays); i++)
		assert_int_equal(retry_delay_ms(&schedule, i + 1, 0, 0), delays[i]);
	assert_int_equal(retry_delay_ms(&schedule, 0, 0, 0), 1000);
	assert_int_equal(retry_delay_ms(&schedule, UINT32_MAX, 0, 0), 6000);
}

static void jitter_shortens_a_delay_by_less_than_a_quarter(void **state)
{
	uint64_t least = UINT64_MAX;

	(void)state;
	for (uint32_t random = 0; random < 5000; random += 7) {
		uint64_t delay = retry_delay_ms(&schedule, 3, 0, random);

		assert_in_range(delay, 3001, 4000);
		least = delay < least ? delay : least;
	}
	assert_in_range(least, 3001, 3100);
}

static void the_last_attempt_is_made_when_the_time_is_up(void **state)
{
	static const struct {
		uint64_t age_ms, delay_ms;
		bool is_expired;
	} rows[] = {
		{ 93000, 6000, false },
		{ 99000, 1000, false },
		{ 99999, 1, false },
		{ 100000, 6000, true },
		{ 200000, 6000, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(retry_delay_ms(&schedule, 9, rows[i].age_ms, 0), rows[i].delay_ms);
		assert_int_equal(retry_is_expired(&schedule, rows[i].age_ms), rows[i].is_expired);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(delays_double_up_to_their_bound),
		cmocka_unit_test(jitter_shortens_a_delay_by_less_than_a_quarter),
		cmocka_unit_test(the_last_attempt_is_made_when_the_time_is_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
