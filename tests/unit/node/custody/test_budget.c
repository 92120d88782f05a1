#include "cmocka_all.h"

#include "custody/budget.h"
#include "skein/proto/base/check.h"

#include <pthread.h>

static void the_level_follows_what_is_used(void **state)
{
	static const struct {
		size_t used;
		enum budget_level level;
	} rows[] = {
		{ 0, BUDGET_EASY },
		{ 499, BUDGET_EASY },
		{ 500, BUDGET_TIGHT },
		{ 799, BUDGET_TIGHT },
		{ 800, BUDGET_HIGH },
		{ 999, BUDGET_HIGH },
		{ 1000, BUDGET_FULL },
		{ 5000, BUDGET_FULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct budget budget;

		budget_init(&budget, 1000, 80);
		budget_force(&budget, rows[i].used);
		assert_int_equal(budget_level(&budget), rows[i].level);
		budget_give(&budget, rows[i].used);
		assert_int_equal(budget_used(&budget), 0);
	}
}

static void nothing_is_taken_beyond_the_limit(void **state)
{
	struct budget budget;

	(void)state;
	budget_init(&budget, 1000, 80);
	assert_true(budget_take(&budget, 999));
	assert_false(budget_take(&budget, 2));
	assert_true(budget_take(&budget, 1));
	assert_false(budget_take(&budget, 1));
	budget_force(&budget, 100);
	assert_false(budget_take(&budget, 0));
	assert_false(budget_take(&budget, SIZE_MAX));
	assert_int_equal(budget_used(&budget), 1100);
}

static void *take_and_give(void *arg)
{
	struct budget *budget = arg;

	for (int i = 0; i < 100000; i++) {
		if (budget_take(budget, 3)) {
			CHECK(budget_used(budget) <= 10);
			budget_give(budget, 3);
		}
	}
	return NULL;
}

static void threads_together_stay_below_the_limit(void **state)
{
	struct budget budget;
	pthread_t threads[4];

	(void)state;
	budget_init(&budget, 10, 80);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_and_give, &budget), 0);
	for (size_t i = 0; i < ARRAY_LEN(threads); i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(budget_used(&budget), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_level_follows_what_is_used),
		cmocka_unit_test(nothing_is_taken_beyond_the_limit),
		cmocka_unit_test(threads_together_stay_below_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
