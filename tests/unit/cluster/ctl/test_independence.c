#include "cmocka_all.h"

#include "independence.h"

#define HERE(name)  "id=1 addr=10.0.0.1:5000 laddr=10.0.0.1:6379 fd=8 name=" name " age=1 db=0\n"
#define THERE(name) "id=1 addr=10.0.0.2:5000 laddr=10.0.0.1:6379 fd=8 name=" name " age=1 db=0\n"

static void it_is_told_from_where_the_living_nodes_connect(void **state)
{
	static const struct {
		const char *clients;
		unsigned replicas;
		enum redis_fact is_given;
		const char *words;
	} rows[] = {
		{ THERE("a") THERE("b"), 0, REDIS_YES, "250 means two independent places: a node's journal" },
		{ THERE("a:w0") THERE("b:w0"), 0, REDIS_YES, "on another host" },
		{ HERE("a") THERE("b"), 0, REDIS_NO, "on the host of a: " },
		{ HERE("a") HERE("b"), 0, REDIS_NO, "on the host of a, b: " },
		{ HERE("a") THERE("b"), 1, REDIS_FACT_UNKNOWN, "only with redis.wait_replicas above 0" },
		{ THERE("a"), 0, REDIS_FACT_UNKNOWN, "does not run on the host of b, which cannot be seen" },
		{ "", 0, REDIS_FACT_UNKNOWN, "which cannot be seen" },
		/* Others, a dead node, and a node whose name begins alike say nothing. */
		{ HERE("skeinctl") HERE("dead") HERE("ab") THERE("a") THERE("b"), 0, REDIS_YES,
			"on another host" },
	};
	struct registry_node nodes[] = {
		{ .name = SPAN_LIT("a"), .state = NODE_ALIVE },
		{ .name = SPAN_LIT("b"), .state = NODE_ALIVE },
		{ .name = SPAN_LIT("dead"), .state = NODE_DEAD },
	};
	struct roster roster = { .nodes = nodes, .count = ARRAY_LEN(nodes) };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct independence seen =
			independence_judge(&roster, span_of_str(rows[i].clients), rows[i].replicas);

		buf_append_byte(&seen.text, '\0');
		assert_int_equal(seen.is_given, rows[i].is_given);
		if (!strstr(buf_span(&seen.text).ptr, rows[i].words))
			fail_msg("\"%s\" lacks \"%s\"", buf_span(&seen.text).ptr, rows[i].words);
		buf_fini(&seen.text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(it_is_told_from_where_the_living_nodes_connect),
	};

	return cmocka_run_group_tests_name("independence", tests, NULL, NULL);
}
