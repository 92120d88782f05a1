/* What nodes do in a second, from two looks. */
#include "cmocka_all.h"

#include "node_rates.h"

static struct registry_node node_of(uint64_t epoch, const char *load)
{
	struct registry_node node = { .epoch = epoch, .load = span_of_str(load) };

	assert_true(node_uuid_parse(SPAN_LIT("11111111-1111-4111-8111-111111111111"), &node.node));
	return node;
}

static void look(struct node_rates *rates, uint64_t epoch, const char *load)
{
	struct registry_node node = node_of(epoch, load);
	struct roster roster = { .nodes = &node, .count = 1 };

	node_rates_look(rates, &roster);
}

static void a_rate_is_of_the_time_by_the_nodes_clock(void **state)
{
	struct node_rates rates = { .rows = NULL };

	(void)state;
	look(&rates, 1, "{\"at_ms\": 1000, \"accepted\": 100, \"deferred\": 7, \"sessions\": 3}");
	assert_false(rates.rows[0].is_known);
	assert_int_equal(rates.rows[0].sessions, 3);
	look(&rates, 1, "{\"at_ms\": 3000, \"accepted\": 125, \"deferred\": 7, \"sessions\": 4}");
	assert_true(rates.rows[0].is_known);
	assert_int_equal(rates.rows[0].per_second[NODE_ACCEPTED] * 10, 125);
	assert_int_equal(rates.rows[0].per_second[NODE_DEFERRED], 0);
	assert_int_equal(rates.rows[0].sessions, 4);
	/* Told nothing new since: what was known stays. */
	look(&rates, 1, "{\"at_ms\": 3000, \"accepted\": 125, \"sessions\": 4}");
	assert_true(rates.rows[0].is_known);
	assert_int_equal(rates.rows[0].per_second[NODE_ACCEPTED] * 10, 125);
	node_rates_fini(&rates);
}

static void a_node_that_starts_anew_has_no_rate_yet(void **state)
{
	struct node_rates rates = { .rows = NULL };

	(void)state;
	look(&rates, 1, "{\"at_ms\": 1000, \"accepted\": 100}");
	look(&rates, 2, "{\"at_ms\": 2000, \"accepted\": 5}");
	assert_false(rates.rows[0].is_known);
	look(&rates, 2, "{\"at_ms\": 3000, \"accepted\": 6}");
	assert_true(rates.rows[0].is_known);
	assert_int_equal(rates.rows[0].per_second[NODE_ACCEPTED], 1);
	node_rates_fini(&rates);
}

static void a_load_that_tells_no_counts_has_no_rate(void **state)
{
	static const char *const loads[] = { "", "nonsense", "[]", "{\"messages\": 1}", "{\"at_ms\": -5}" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(loads); i++) {
		struct node_rates rates = { .rows = NULL };

		look(&rates, 1, loads[i]);
		look(&rates, 1, loads[i]);
		assert_false(rates.rows[0].is_known);
		node_rates_fini(&rates);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rate_is_of_the_time_by_the_nodes_clock),
		cmocka_unit_test(a_node_that_starts_anew_has_no_rate_yet),
		cmocka_unit_test(a_load_that_tells_no_counts_has_no_rate),
	};

	return cmocka_run_group_tests_name("node_rates", tests, NULL, NULL);
}
