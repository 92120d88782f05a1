#include "cmocka_all.h"

#include "outbound/fair_queue.h"
#include "skein/proto/base/alloc.h"

#include <string.h>

enum { MESSAGES_MAX = 64 };

struct fixture {
	struct fair_queue queue;
	struct message *messages[MESSAGES_MAX];
	size_t count;
};

static int set_up(void **state)
{
	static const uint64_t seed[2] = { 1, 2 };
	struct fixture *fixture = mem_zalloc(sizeof(*fixture));

	fair_queue_init(&fixture->queue, seed, fixture);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < fixture->count; i++) {
		if (fixture->messages[i]->flow)
			fair_queue_remove(fixture->messages[i]);
		message_unref(&fixture->messages[i]);
	}
	fair_queue_fini(&fixture->queue);
	mem_free(fixture);
	return 0;
}

static void push_at(struct fixture *fixture, const char *key, int priority)
{
	const struct msg_id id = msg_id_make(1000, 0, fixture->count);
	struct message *message = message_new(&id);

	fixture->messages[fixture->count++] = message;
	fair_queue_push(&fixture->queue, message, span_of_str(key), priority);
}

static void push(struct fixture *fixture, const char *key)
{
	push_at(fixture, key, 0);
}

/* The number of the next message, which leaves the queue. */
static size_t pop(struct fixture *fixture)
{
	struct message *message = fair_queue_next(&fixture->queue);

	assert_non_null(message);
	fair_queue_remove(message);
	for (size_t i = 0; i < fixture->count; i++) {
		if (fixture->messages[i] == message)
			return i;
	}
	fail_msg("a message that was never pushed");
	return 0;
}

static void one_flow_keeps_its_order(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 5; i++)
		push(fixture, "a");
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(pop(fixture), i);
	assert_null(fair_queue_next(&fixture->queue));
}

static void a_newcomer_waits_for_one_turn_only(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 20; i++)
		push(fixture, "many");
	push(fixture, "one");
	assert_int_equal(pop(fixture), 0);
	assert_int_equal(pop(fixture), 20);
	assert_int_equal(pop(fixture), 1);
}

static void flows_take_turns(void **state)
{
	static const size_t expected[] = { 0, 3, 5, 1, 4, 2 };
	static const char *const keys[] = { "a", "a", "a", "b", "b", "" };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		push(fixture, keys[i]);
	assert_int_equal(fair_queue_flows(&fixture->queue), 3);
	for (size_t i = 0; i < ARRAY_LEN(expected); i++)
		assert_int_equal(pop(fixture), expected[i]);
	assert_int_equal(fair_queue_flows(&fixture->queue), 0);
}

static void one_may_leave_from_the_middle(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < 3; i++)
		push(fixture, "a");
	push(fixture, "b");
	assert_ptr_equal(fair_queue_of(fixture->messages[1])->owner, fixture);
	fair_queue_remove(fixture->messages[1]);
	assert_null(fixture->messages[1]->flow);
	fair_queue_remove(fixture->messages[3]);
	assert_int_equal(fair_queue_share(&fixture->queue, SPAN_LIT("a")), 2);
	assert_int_equal(fair_queue_share(&fixture->queue, SPAN_LIT("b")), 0);
	assert_int_equal(fixture->queue.count, 2);
	assert_int_equal(pop(fixture), 0);
	assert_int_equal(pop(fixture), 2);
}

static void flows_can_be_walked(void **state)
{
	struct fixture *fixture = *state;
	struct fair_flow *flow;

	assert_null(fair_queue_each(&fixture->queue, NULL));
	push(fixture, "a");
	push(fixture, "b");
	flow = fair_queue_each(&fixture->queue, NULL);
	assert_true(span_eq(fair_flow_key(flow), SPAN_LIT("a")));
	assert_ptr_equal(fair_flow_first(flow), fixture->messages[0]);
	flow = fair_queue_each(&fixture->queue, flow);
	assert_true(span_eq(fair_flow_key(flow), SPAN_LIT("b")));
	assert_null(fair_queue_each(&fixture->queue, flow));
}

static void a_higher_priority_goes_before_all_of_a_lower_one(void **state)
{
	static const struct {
		const char *key;
		int priority;
	} rows[] = { { "a", 0 }, { "b", -9 }, { "a", 9 }, { "c", 9 }, { "a", 9 }, { "b", 0 }, { "a", 3 } };
	static const size_t wanted[] = { 2, 3, 4, 6, 0, 5, 1 };
	static const int top[] = { 9, 9, 9, 3, 0, 0, -9 };
	struct fixture *fixture = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		push_at(fixture, rows[i].key, rows[i].priority);
	assert_int_equal(fair_queue_flows(&fixture->queue), 6);
	assert_int_equal(fair_queue_share(&fixture->queue, SPAN_LIT("a")), 4);
	for (size_t i = 0; i < ARRAY_LEN(wanted); i++) {
		assert_int_equal(fair_queue_priority(&fixture->queue), top[i]);
		assert_int_equal(pop(fixture), wanted[i]);
	}
	assert_int_equal(fair_queue_priority(&fixture->queue), 0);
}

static void flows_are_walked_from_the_highest_priority_down(void **state)
{
	struct fixture *fixture = *state;
	struct fair_flow *flow = NULL;
	size_t seen[4], count = 0;

	assert_null(fair_queue_each(&fixture->queue, NULL));
	push_at(fixture, "a", -1);
	push_at(fixture, "a", 5);
	push_at(fixture, "b", 5);
	push_at(fixture, "b", 0);
	while ((flow = fair_queue_each(&fixture->queue, flow))) {
		for (size_t i = 0; i < fixture->count; i++) {
			if (fair_flow_first(flow) == fixture->messages[i])
				seen[count++] = i;
		}
	}
	assert_int_equal(count, 4);
	assert_memory_equal(seen, ((const size_t[]){ 1, 2, 3, 0 }), sizeof(seen));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			a_higher_priority_goes_before_all_of_a_lower_one, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			flows_are_walked_from_the_highest_priority_down, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_flow_keeps_its_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_newcomer_waits_for_one_turn_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flows_take_turns, set_up, tear_down),
		cmocka_unit_test_setup_teardown(one_may_leave_from_the_middle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(flows_can_be_walked, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("fair_queue", tests, NULL, NULL);
}
