#include "queue_driver.h"

/* Redis' clock at the start of each test, in microseconds. */
#define CLOCK_US (1800000060000000)

static struct registry_register entry_of(char letter, const char *name, const char *host)
{
	return (struct registry_register){ .node = node_uuid(letter),
		.name = span_of_str(name),
		.host = span_of_str(host),
		.address = SPAN_LIT("10.0.0.1:25"),
		.admin = SPAN_LIT("10.0.0.1:8025"),
		.version = SPAN_LIT("0.1.0") };
}

/* Registers and gives the incarnation. */
static struct incarnation join(struct queue_driver *q, char letter, const char *name)
{
	struct registry_register entry = entry_of(letter, name, "host");
	struct answer answer = do_register(q, &entry);

	assert_kind(answer, OUTCOME_OK);
	return node_at(letter, answer.number);
}

static void the_first_node_makes_the_cluster_and_the_others_find_it(void **state)
{
	struct queue_driver *q = *state;
	struct answer first = do_open(q, "id-1", false, 64), second = do_open(q, "id-2", false, 32);

	assert_kind(first, OUTCOME_OK);
	assert_span_equal(first.cluster.cluster_id, "id-1");
	assert_int_equal(first.cluster.shards, 64);
	assert_int_equal(first.cluster.format, REGISTRY_FORMAT);
	assert_int_equal(first.cluster.last_write_ago_ms, 0);
	assert_span_equal(second.cluster.cluster_id, "id-1");
	assert_int_equal(second.cluster.shards, 64);
	assert_kind(do_open(q, "id-1", true, 64), OUTCOME_OK);
	assert_int_equal(do_open(q, "id-2", true, 64).outcome.refusal, REFUSAL_CLUSTER);
}

static void another_format_is_refused(void **state)
{
	struct queue_driver *q = *state;
	struct answer answer;

	assert_kind(do_open(q, "id-1", false, 64), OUTCOME_OK);
	redis_client_command(&q->redis, "HSET skein:{meta} format 2");
	answer = do_open(q, "id-1", true, 64);
	assert_kind(answer, OUTCOME_REFUSED);
	assert_int_equal(answer.outcome.refusal, REFUSAL_FORMAT);
}

/* 17: how far back Redis went is known by the last renewal that it remembers. */
static void finding_17_open_tells_when_redis_was_last_written(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation a = join(q, 'a', "one");

	assert_kind(do_open(q, "id-1", false, 64), OUTCOME_OK);
	assert_kind(do_renew(q, a), OUTCOME_OK);
	pass_ms(q, 90000);
	assert_int_equal(do_open(q, "id-1", true, 64).cluster.last_write_ago_ms, 90000);
}

/* 36: above everything that was ever used or told. */
static void finding_36_an_epoch_is_above_clock_spool_registry_and_fence(void **state)
{
	static const struct {
		const char *what;
		uint64_t last, told, expected;
	} rows[] = {
		{ "Redis' clock", 0, 0, CLOCK_US },
		{ "the registered one", 0, 0, CLOCK_US + 1 },
		{ "the spool's", CLOCK_US + 500, 0, CLOCK_US + 501 },
		{ "the fence it was told", 0, CLOCK_US + 800, CLOCK_US + 801 },
	};
	struct queue_driver *q = *state;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct registry_register entry = entry_of('a', "one", "host");
		struct answer answer;

		entry.last_epoch = rows[i].last;
		entry.told_fence = rows[i].told;
		answer = do_register(q, &entry);
		assert_kind(answer, OUTCOME_OK);
		if (answer.number != rows[i].expected)
			fail_msg("%s: %llu", rows[i].what, (unsigned long long)answer.number);
	}
}

static void a_name_belongs_to_one_living_node(void **state)
{
	struct queue_driver *q = *state;
	struct registry_register entry = entry_of('b', "one", "host");
	struct incarnation a = join(q, 'a', "one");
	struct answer refused = do_register(q, &entry);

	assert_kind(refused, OUTCOME_REFUSED);
	assert_int_equal(refused.outcome.refusal, REFUSAL_NAME);
	assert_kind(do_kill(q, a, 0), OUTCOME_OK);
	assert_kind(do_register(q, &entry), OUTCOME_OK);
}

/* 38: the same spool on another host waits until the old one is dead. */
static void finding_38_a_cloned_spool_is_refused_while_the_original_lives(void **state)
{
	struct queue_driver *q = *state;
	struct registry_register entry = entry_of('a', "one", "clone");
	struct incarnation a = join(q, 'a', "one");
	struct answer refused = do_register(q, &entry);

	assert_kind(refused, OUTCOME_REFUSED);
	assert_int_equal(refused.outcome.refusal, REFUSAL_HOST);
	assert_kind(do_renew(q, a), OUTCOME_OK);
	assert_kind(do_kill(q, a, 1), OUTCOME_OK);
	assert_kind(do_register(q, &entry), OUTCOME_OK);
}

static void renew_counts_and_only_for_the_registered_epoch(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation a = join(q, 'a', "one"), newer;

	assert_int_equal(do_renew(q, a).number, 1);
	assert_int_equal(do_renew(q, a).number, 2);
	newer = join(q, 'a', "one");
	assert_true(newer.epoch > a.epoch);
	assert_int_equal(do_renew(q, a).outcome.fence, newer.epoch);
	assert_kind(do_renew(q, a), OUTCOME_FENCED);
	assert_int_equal(do_renew(q, newer).number, 1);
	assert_kind(do_renew(q, node_at('b', 1)), OUTCOME_FENCED);
}

/* 1, 21: dead is dead; only a new epoch helps. */
static void finding_1_renew_does_not_bring_a_dead_lease_back(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation a = join(q, 'a', "one");

	assert_kind(do_renew(q, a), OUTCOME_OK);
	/* The counter moved since the leader looked. */
	assert_kind(do_kill(q, a, 0), OUTCOME_ALIVE);
	assert_kind(do_kill(q, a, 1), OUTCOME_OK);
	assert_kind(do_kill(q, a, 1), OUTCOME_OK);
	assert_kind(do_renew(q, a), OUTCOME_FENCED);
	assert_kind(do_settled(q, a), OUTCOME_FENCED);
	assert_int_equal(do_nodes(q).nodes[0].floor, a.epoch);
	assert_int_equal(do_nodes(q).nodes[0].state, NODE_DEAD);
	assert_true(join(q, 'a', "one").epoch > a.epoch);
	assert_kind(do_kill(q, a, 1), OUTCOME_ALIVE);
}

/* 3: a living node's floor comes from the node. */
static void finding_3_only_settled_raises_a_living_nodes_floor(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation first = join(q, 'a', "one"), second = join(q, 'a', "one");

	assert_int_equal(do_nodes(q).nodes[0].floor, 0);
	assert_kind(do_settled(q, first), OUTCOME_FENCED);
	assert_kind(do_settled(q, second), OUTCOME_OK);
	assert_kind(do_settled(q, second), OUTCOME_OK);
	assert_int_equal(do_nodes(q).nodes[0].floor, second.epoch - 1);
	(void)join(q, 'a', "one");
	assert_int_equal(do_nodes(q).nodes[0].floor, second.epoch - 1);
}

static void one_node_leads_until_its_counter_stands_still(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation a = join(q, 'a', "one"), b = join(q, 'b', "two");
	struct registry_lead as_a = { .node = a }, as_b = { .node = b };
	struct answer refused;

	assert_kind(do_lead(q, &as_a), OUTCOME_OK);
	assert_int_equal(do_lead(q, &as_a).leader.counter, 1);
	refused = do_lead(q, &as_b);
	assert_kind(refused, OUTCOME_NOT);
	assert_int_equal(refused.leader.node.epoch, a.epoch);
	assert_int_equal(refused.leader.counter, 1);
	as_b.stale = refused.leader.node;
	as_b.stale_counter = refused.leader.counter;
	assert_int_equal(do_lead(q, &as_a).leader.counter, 2);
	assert_kind(do_lead(q, &as_b), OUTCOME_NOT);
	as_b.stale_counter = 2;
	assert_kind(do_lead(q, &as_b), OUTCOME_OK);
	assert_kind(do_lead(q, &as_a), OUTCOME_NOT);
	assert_int_equal(do_nodes(q).leader.node.epoch, b.epoch);
}

static void a_dead_node_cannot_lead(void **state)
{
	struct queue_driver *q = *state;
	struct registry_lead as_a = { .node = join(q, 'a', "one") };

	assert_kind(do_kill(q, as_a.node, 0), OUTCOME_OK);
	assert_kind(do_lead(q, &as_a), OUTCOME_FENCED);
}

/* 47 */
static void finding_47_a_forgotten_node_cannot_come_back(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation a = join(q, 'a', "one");
	struct registry_register entry = entry_of('a', "one", "host");

	assert_kind(do_forget(q, 'a'), OUTCOME_ALIVE);
	assert_kind(do_kill(q, a, 0), OUTCOME_OK);
	assert_kind(do_forget(q, 'a'), OUTCOME_OK);
	assert_kind(do_forget(q, 'a'), OUTCOME_OK);
	assert_int_equal(do_register(q, &entry).outcome.refusal, REFUSAL_FORGOTTEN);
	assert_int_equal(do_nodes(q).nodes[0].state, NODE_FORGOTTEN);
	assert_gone(do_forget(q, 'b'), SETTLED_PENDING);
}

static void a_node_hears_that_it_is_to_drain_with_its_renewal_and_after_a_restart(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation a = join(q, 'a', "one");

	assert_false(do_renew(q, a).drain);
	assert_kind(do_drain(q, 'a', true), OUTCOME_OK);
	assert_true(do_renew(q, a).drain);
	assert_true(do_nodes(q).nodes[0].drain);
	assert_true(do_renew(q, join(q, 'a', "one")).drain);
	assert_kind(do_drain(q, 'a', false), OUTCOME_OK);
	assert_false(do_nodes(q).nodes[0].drain);
	assert_gone(do_drain(q, 'b', true), SETTLED_PENDING);
}

static void a_node_can_say_goodbye_itself(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation a = join(q, 'a', "one");
	struct registry_kill args = { a, 0, true };

	assert_kind(do_kill_with(q, &args), OUTCOME_OK);
	assert_int_equal(do_nodes(q).nodes[0].state, NODE_LEFT);
	assert_int_equal(do_nodes(q).nodes[0].floor, a.epoch);
	assert_kind(do_renew(q, a), OUTCOME_FENCED);
}

static void the_list_of_nodes_has_all_that_others_need_to_know(void **state)
{
	struct queue_driver *q = *state;
	struct incarnation b = join(q, 'b', "two"), a = join(q, 'a', "one");
	struct answer view;

	assert_kind(do_renew(q, b), OUTCOME_OK);
	view = do_nodes(q);
	assert_kind(view, OUTCOME_OK);
	assert_int_equal(view.count, 2);
	assert_int_equal(view.leader.node.epoch, 0);
	assert_span_equal(view.nodes[0].name, "one");
	assert_int_equal(view.nodes[0].epoch, a.epoch);
	assert_span_equal(view.nodes[0].load, "");
	assert_string_equal(view.nodes[1].node.text, node_uuid('b').text);
	assert_span_equal(view.nodes[1].name, "two");
	assert_span_equal(view.nodes[1].host, "host");
	assert_span_equal(view.nodes[1].address, "10.0.0.1:25");
	assert_span_equal(view.nodes[1].admin, "10.0.0.1:8025");
	assert_span_equal(view.nodes[1].version, "0.1.0");
	assert_span_equal(view.nodes[1].load, "{\"sessions\":1}");
	assert_int_equal(view.nodes[1].counter, 1);
	assert_int_equal(view.nodes[1].state, NODE_ALIVE);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(the_first_node_makes_the_cluster_and_the_others_find_it),
		ROW(another_format_is_refused),
		ROW(finding_17_open_tells_when_redis_was_last_written),
		ROW(finding_36_an_epoch_is_above_clock_spool_registry_and_fence),
		ROW(a_name_belongs_to_one_living_node),
		ROW(finding_38_a_cloned_spool_is_refused_while_the_original_lives),
		ROW(renew_counts_and_only_for_the_registered_epoch),
		ROW(finding_1_renew_does_not_bring_a_dead_lease_back),
		ROW(finding_3_only_settled_raises_a_living_nodes_floor),
		ROW(one_node_leads_until_its_counter_stands_still),
		ROW(a_dead_node_cannot_lead),
		ROW(finding_47_a_forgotten_node_cannot_come_back),
		ROW(a_node_hears_that_it_is_to_drain_with_its_renewal_and_after_a_restart),
		ROW(a_node_can_say_goodbye_itself),
		ROW(the_list_of_nodes_has_all_that_others_need_to_know),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
