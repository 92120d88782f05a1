/* Servers that failed are left alone, longer each time, and tried by one asker at a time. */
#include "cmocka_all.h"

#include "auth/dc_list.h"
#include "skein/proto/base/check.h"

static int next(struct dc_list *list, uint64_t now_ms, uint32_t *tried)
{
	size_t index;

	return dc_list_next(list, now_ms, tried, &index) ? (int)index : -1;
}

static int first(struct dc_list *list, uint64_t now_ms)
{
	uint32_t tried = 0;

	return next(list, now_ms, &tried);
}

static void servers_are_asked_in_order_and_once_for_a_question(void **state)
{
	struct dc_list *list = dc_list_new(3);
	uint32_t tried = 0;

	(void)state;
	assert_int_equal(next(list, 1000, &tried), 0);
	assert_int_equal(next(list, 1000, &tried), 1);
	assert_int_equal(next(list, 1000, &tried), 2);
	assert_int_equal(next(list, 1000, &tried), -1);
	dc_list_free(&list);
}

static void a_pause_doubles_to_a_minute(void **state)
{
	static const uint64_t pauses[] = { 1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000 };
	struct dc_list *list = dc_list_new(2);
	uint64_t now_ms = 5000;

	(void)state;
	assert_true(dc_list_down(list, 0, now_ms));
	for (size_t i = 0; i < ARRAY_LEN(pauses); i++) {
		assert_int_equal(first(list, now_ms + pauses[i] - 1), 1);
		now_ms += pauses[i];
		assert_int_equal(first(list, now_ms), 0);
		assert_false(dc_list_down(list, 0, now_ms));
	}
	assert_int_equal(first(list, now_ms + 60000), 0);
	assert_true(dc_list_up(list, 0));
	assert_false(dc_list_up(list, 0));
	assert_true(dc_list_down(list, 0, now_ms));
	assert_int_equal(first(list, now_ms + 1000), 0);
	dc_list_free(&list);
}

static void one_asker_at_a_time_tries_a_server_that_is_down(void **state)
{
	struct dc_list *list = dc_list_new(2);

	(void)state;
	assert_true(dc_list_down(list, 0, 5000));
	assert_int_equal(first(list, 6000), 0);
	assert_int_equal(first(list, 6000), 1);
	assert_true(dc_list_up(list, 0));
	assert_int_equal(first(list, 6000), 0);
	assert_int_equal(first(list, 6000), 0);
	dc_list_free(&list);
}

static void askers_that_fail_together_count_once(void **state)
{
	struct dc_list *list = dc_list_new(2);

	(void)state;
	assert_true(dc_list_down(list, 0, 5000));
	for (unsigned i = 0; i < 8; i++)
		assert_false(dc_list_down(list, 0, 5000));
	assert_int_equal(first(list, 6000), 0);
	dc_list_free(&list);
}

static void while_none_works_each_is_tried_every_second(void **state)
{
	struct dc_list *list = dc_list_new(1);
	uint64_t now_ms = 5000;

	(void)state;
	dc_list_down(list, 0, now_ms);
	for (unsigned i = 0; i < 10; i++) {
		assert_int_equal(first(list, now_ms + 999), -1);
		now_ms += 1000;
		assert_int_equal(first(list, now_ms), 0);
		assert_int_equal(first(list, now_ms), -1);
		dc_list_down(list, 0, now_ms);
	}
	dc_list_free(&list);
}

static void what_is_not_its_fault_is_a_pause_and_no_failure(void **state)
{
	struct dc_list *list = dc_list_new(2);

	(void)state;
	dc_list_rest(list, 0, 5000);
	assert_int_equal(first(list, 5999), 1);
	assert_int_equal(first(list, 6000), 0);
	/* Whose fault it is has changed. */
	assert_true(dc_list_down(list, 0, 6000));
	assert_int_equal(first(list, 7999), 1);
	assert_int_equal(first(list, 8000), 0);
	dc_list_rest(list, 0, 8000);
	assert_false(dc_list_down(list, 0, 8000));
	assert_true(dc_list_up(list, 0));
	assert_false(dc_list_up(list, 0));
	dc_list_rest(list, 0, 9000);
	assert_true(dc_list_up(list, 0));
	dc_list_free(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(servers_are_asked_in_order_and_once_for_a_question),
		cmocka_unit_test(a_pause_doubles_to_a_minute),
		cmocka_unit_test(one_asker_at_a_time_tries_a_server_that_is_down),
		cmocka_unit_test(askers_that_fail_together_count_once),
		cmocka_unit_test(what_is_not_its_fault_is_a_pause_and_no_failure),
		cmocka_unit_test(while_none_works_each_is_tried_every_second),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
