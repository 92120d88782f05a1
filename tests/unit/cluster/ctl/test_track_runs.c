/* How far runs were told: nothing twice, and what is missing is seen. */
#include "cmocka_all.h"

#include "track_runs.h"

static void what_is_missing_between_two_chunks_is_counted(void **state)
{
	static const struct {
		uint64_t run, first, count, missing;
	} rows[] = {
		{ 1, 41, 10, 0 }, /* not known before: nothing is said of 1 to 40 */
		{ 2, 1, 1, 0 },
		{ 1, 51, 1, 0 },
		{ 1, 41, 20, 0 }, /* a large one that replaces these, and more */
		{ 1, 45, 3, 0 },
		{ 1, 64, 2, 3 },
		{ 1, 66, 1, 0 },
		{ 2, 3, 1, 1 },
	};
	struct track_runs runs = { .count = 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct track_head head = {
			.run = rows[i].run, .first = rows[i].first, .count = rows[i].count
		};
		uint64_t missing = track_runs_note(&runs, &head);

		if (missing != rows[i].missing)
			fail_msg("row %zu: %llu", i, (unsigned long long)missing);
	}
	assert_true(track_runs_have(&runs, 1, 66));
	assert_false(track_runs_have(&runs, 1, 67));
	assert_true(track_runs_have(&runs, 2, 3));
	assert_false(track_runs_have(&runs, 3, 1));
	track_runs_fini(&runs);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_missing_between_two_chunks_is_counted),
	};

	return cmocka_run_group_tests_name("track_runs", tests, NULL, NULL);
}
