#include "queue_driver.h"

#define A node_at('a', 100)
#define B node_at('b', 100)

static struct queue_sweep_node row_of(char node, uint64_t floor, uint64_t epoch, enum node_fate fate)
{
	return (struct queue_sweep_node){ node_uuid(node), floor, epoch, fate };
}

static struct answer sweep_one(struct queue_driver *q, unsigned takeovers_max, struct queue_sweep_node row)
{
	return do_sweep(q, takeovers_max, &row, 1);
}

static void sweep_moves_what_a_dead_epoch_owned_to_anyone_at_once(void **state)
{
	struct queue_driver *q = *state;
	struct answer swept;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, B, message_of(2, 1)), 1);
	swept = sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD));
	assert_kind(swept, OUTCOME_OK);
	assert_int_equal(swept.swept.moved, 1);
	assert_false(swept.swept.more);
	assert_state(q, 1, QUEUE_DUE);
	assert_state(q, 2, QUEUE_OWNED);
	assert_int_equal(sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD)).swept.moved, 0);
	/* No head start for the dead. */
	assert_int_equal(do_claim(q, B, 10).count, 1);
	assert_int_equal(do_own(q, A).count, 0);
}

static void sweep_leaves_what_only_a_stale_set_gives_to_the_dead(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, B, message_of(2, 1)), 1);
	redis_client_command(&q->redis, "SADD skein:{s3}:own:%s#100 %s", A.node.text, text_of(2).text);
	assert_kind(sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD)), OUTCOME_OK);
	assert_state(q, 1, QUEUE_DUE);
	assert_state(q, 2, QUEUE_OWNED);
}

/* 2, 3: a living node's older incarnations are ended up to the floor that it declared. */
static void finding_2_the_floor_of_a_living_node_ends_its_older_epochs_only(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, node_at('a', 101), message_of(2, 1)), 1);
	assert_int_equal(sweep_one(q, 0, row_of('a', 99, 101, FATE_ALIVE)).swept.moved, 0);
	assert_int_equal(sweep_one(q, 0, row_of('a', 100, 101, FATE_ALIVE)).swept.moved, 1);
	assert_state(q, 1, QUEUE_DUE);
	assert_state(q, 2, QUEUE_OWNED);
}

/* 11: a late decision of an older leader. */
static void finding_11_a_fence_never_goes_down(void **state)
{
	struct queue_driver *q = *state;

	assert_kind(sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD)), OUTCOME_OK);
	assert_kind(sweep_one(q, 0, row_of('a', 50, 100, FATE_ALIVE)), OUTCOME_OK);
	assert_int_equal(do_accept(q, A, message_of(1, 1)).outcome.fence, 100);
}

static void sweep_takes_five_hundred_at_a_time_and_says_that_there_is_more(void **state)
{
	struct queue_driver *q = *state;
	struct answer first, last;

	for (unsigned i = 1; i <= 700; i++)
		assert_turn(do_accept(q, A, message_of(i, 0)), 1);
	first = sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD));
	assert_int_equal(first.swept.moved, 500);
	assert_true(first.swept.more);
	/* The fence came first. */
	assert_kind(do_accept(q, A, message_of(800, 0)), OUTCOME_FENCED);
	last = sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD));
	assert_int_equal(last.swept.moved, 200);
	assert_false(last.swept.more);
	assert_int_equal(do_status(q).counts.owner_count, 0);
}

/* 49 */
static void finding_49_incarnations_that_no_registry_knows_are_reported(void **state)
{
	struct queue_driver *q = *state;
	struct answer swept;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, node_at('b', 101), message_of(2, 1)), 1);
	assert_turn(do_accept(q, node_at('c', 100), message_of(3, 1)), 1);
	{
		const struct queue_sweep_node rows[] = { row_of('a', 0, 100, FATE_ALIVE),
			row_of('b', 0, 100, FATE_ALIVE) };

		swept = do_sweep(q, 0, rows, 2);
	}
	assert_int_equal(swept.swept.unknown_count, 2);
	assert_string_equal(swept.swept.unknown[0].node.text, node_uuid('b').text);
	assert_int_equal(swept.swept.unknown[0].epoch, 101);
	assert_string_equal(swept.swept.unknown[1].node.text, node_uuid('c').text);
	/* After a minute of that the leader gives it a row of its own. */
	assert_int_equal(sweep_one(q, 0, row_of('c', 100, 100, FATE_DEAD)).swept.moved, 1);
}

static void a_message_that_was_taken_over_too_often_is_quarantined_until_released(void **state)
{
	struct queue_driver *q = *state;
	struct answer swept;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_int_equal(sweep_one(q, 1, row_of('a', 100, 100, FATE_DEAD)).swept.quarantined, 0);
	assert_int_equal(do_claim(q, B, 1).records[0].takeovers, 1);
	swept = sweep_one(q, 1, row_of('b', 100, 100, FATE_DEAD));
	assert_int_equal(swept.swept.moved, 1);
	assert_int_equal(swept.swept.quarantined, 1);
	assert_state(q, 1, QUEUE_QUARANTINED);
	assert_int_equal(do_status(q).counts.states[QUEUE_QUARANTINED], 1);
	assert_int_equal(do_claim(q, node_at('c', 100), 1).count, 0);
	assert_kind(do_release(q, 1), OUTCOME_OK);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, node_at('c', 100), 1).count, 1);
}

static void an_attempt_that_came_to_its_end_clears_the_count(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(sweep_one(q, 1, row_of('a', 100, 100, FATE_DEAD)), OUTCOME_OK);
	assert_int_equal(do_claim(q, B, 1).count, 1);
	assert_kind(do_defer(q, B, 1, 2, 0), OUTCOME_OK);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 1).records[0].takeovers, 0);
	/* Handed over without an attempt: no sign of life. */
	assert_kind(sweep_one(q, 1, row_of('b', 100, 100, FATE_DEAD)), OUTCOME_OK);
	assert_int_equal(do_claim(q, node_at('c', 100), 1).records[0].takeovers, 1);
	assert_kind(do_defer(q, node_at('c', 100), 1, 4, 0), OUTCOME_OK);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, node_at('c', 100), 1).records[0].takeovers, 1);
}

/* 12 */
static void finding_12_a_cancel_is_honoured_when_the_owner_lets_go(void **state)
{
	static const char *const how[] = { "defer", "sweep", "keep" };

	for (size_t i = 0; i < ARRAY_LEN(how); i++) {
		struct queue_driver *q = *state;

		queue_driver_reset(state);
		assert_turn(do_accept(q, A, message_of(1, 1)), 1);
		assert_kind(do_cancel(q, 1), OUTCOME_PENDING);
		assert_kind(do_cancel(q, 1), OUTCOME_PENDING);
		assert_state(q, 1, QUEUE_OWNED);
		if (i == 0)
			assert_gone(do_defer(q, A, 1, 1, 0), SETTLED_CANCELLED);
		else if (i == 1)
			assert_int_equal(sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD)).swept.moved, 1);
		else
			assert_gone(do_keep(q, node_at('a', 101), 1, message_of(1, 1)), SETTLED_CANCELLED);
		assert_gone(do_show(q, 1), SETTLED_CANCELLED);
		assert_int_equal(do_news(q, 'a').count, 1);
		assert_gone(do_cancel(q, 1), SETTLED_CANCELLED);
	}
}

static void cancel_of_what_nobody_owns_ends_it(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_defer(q, A, 1, 1, 60000), OUTCOME_OK);
	assert_kind(do_cancel(q, 1), OUTCOME_OK);
	assert_gone(do_cancel(q, 1), SETTLED_CANCELLED);
	assert_int_equal(do_status(q).counts.states[QUEUE_DEFERRED], 0);
	assert_gone(do_cancel(q, 9), SETTLED_PENDING);
}

/* 39: a clock that went back must not make retries wait. */
static void finding_39_a_due_time_too_far_away_is_set_right(void **state)
{
	struct queue_driver *q = *state;
	struct queue_sweep args = {
		.shard = SHARD, .generation = SPAN_LIT(GENERATION), .wait_max_ms = 3600000
	};

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, A, message_of(2, 1)), 1);
	assert_kind(do_defer(q, A, 1, 1, 7200000), OUTCOME_OK);
	assert_kind(do_defer(q, A, 2, 1, 3000000), OUTCOME_OK);
	assert_kind(do_sweep_with(q, &args), OUTCOME_OK);
	assert_int_equal(do_show(q, 1).views[0].due_in_ms, 3600000);
	assert_int_equal(do_show(q, 2).views[0].due_in_ms, 3000000);
}

/* 47 */
static void finding_47_a_forgotten_nodes_news_and_lone_bodies_are_given_up(void **state)
{
	struct queue_driver *q = *state;
	struct answer claimed;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, A, message_of(2, 0)), 1);
	assert_kind(do_settle(q, 'b', 1, "5", "a"), OUTCOME_OK);
	assert_kind(sweep_one(q, 0, row_of('a', 100, 100, FATE_DEAD)), OUTCOME_OK);
	assert_int_equal(do_claim(q, B, 1).count, 0);
	assert_kind(sweep_one(q, 0, row_of('a', 100, 100, FATE_FORGOTTEN)), OUTCOME_OK);
	assert_int_equal(do_news(q, 'a').count, 0);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 1);
	/* What is settled later does not wait for it either. */
	assert_turn(do_accept(q, B, message_of(4, 1)), 1);
	assert_kind(do_settle(q, 'b', 4, "5", "a"), OUTCOME_OK);
	assert_kind(do_seen(q, 'b', 4, ""), OUTCOME_OK);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 1);
	claimed = do_claim(q, B, 1);
	assert_int_equal(claimed.count, 1);
	assert_int_equal(claimed.records[0].pieces, 0);
	/* No epoch of it is heard any more. */
	assert_kind(do_accept(q, node_at('a', 5000), message_of(3, 1)), OUTCOME_FENCED);
}

static void repair_finds_records_that_no_index_has(void **state)
{
	struct queue_driver *q = *state;

	for (unsigned i = 1; i <= 4; i++)
		assert_turn(do_accept(q, i == 2 ? node_at('c', 100) : A, message_of(i, 1)), 1);
	assert_kind(do_defer(q, A, 3, 1, 0), OUTCOME_OK);
	assert_kind(do_defer(q, A, 4, 1, 0), OUTCOME_OK);
	assert_kind(do_hold(q, 4), OUTCOME_OK);
	assert_kind(sweep_one(q, 0, row_of('d', 100, 100, FATE_DEAD)), OUTCOME_OK);
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(do_repair(q, i).number, 0);
	redis_client_command(&q->redis, "HSET skein:{s3}:shard %s 100", node_uuid('c').text);
	redis_client_command(&q->redis,
		"DEL skein:{s3}:due skein:{s3}:held skein:{s3}:own:%s#100 skein:{s3}:own:%s#100", A.node.text,
		node_uuid('c').text);
	for (unsigned i = 1; i <= 4; i++)
		assert_int_equal(do_repair(q, i).number, 1);
	assert_int_equal(do_own(q, A).count, 1); /* its owner lives */
	assert_state(q, 2, QUEUE_DUE);           /* its owner was fenced */
	assert_state(q, 3, QUEUE_DUE);
	assert_state(q, 4, QUEUE_HELD);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 10).count, 2);
	assert_int_equal(do_repair(q, 9).number, 0);
}

static void scan_finds_all_records_of_the_cluster_and_nothing_else(void **state)
{
	struct queue_driver *q = *state;
	size_t found = 0;
	uint64_t cursor = 0;

	for (unsigned i = 1; i <= 30; i++)
		assert_turn(do_accept(q, A, message_of(i, 1)), 1);
	redis_client_command(&q->redis, "SET other:{s3}:m:%s x", text_of(1).text);
	redis_client_command(&q->redis, "SET skein:{s3}:m:junk x");
	do {
		struct answer page = do_scan(q, cursor);

		assert_kind(page, OUTCOME_OK);
		found += page.count;
		cursor = page.cursor;
	} while (cursor);
	assert_int_equal(found, 30);
}

static void hold_and_release_reach_a_message_in_every_state(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	/* Owned: when its owner lets go. */
	assert_kind(do_hold(q, 1), OUTCOME_PENDING);
	assert_state(q, 1, QUEUE_OWNED);
	assert_true(do_show(q, 1).views[0].hold);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	assert_state(q, 1, QUEUE_HELD);
	pass_ms(q, 3600000);
	assert_int_equal(do_claim(q, A, 1).count, 0);
	/* A journal holder that comes back does not set it free. */
	assert_kind(do_adopt(q, node_at('a', 101), 0, message_of(1, 1)), OUTCOME_HELD);
	assert_kind(do_hold(q, 1), OUTCOME_OK);
	assert_state(q, 1, QUEUE_HELD);
	assert_kind(do_release(q, 1), OUTCOME_OK);
	assert_state(q, 1, QUEUE_DUE);
	/* Release is retry, too. */
	assert_int_equal(do_claim(q, A, 1).records[0].turn, 2);
	assert_kind(do_defer(q, A, 1, 2, 3600000), OUTCOME_OK);
	assert_state(q, 1, QUEUE_DEFERRED);
	assert_kind(do_release(q, 1), OUTCOME_OK);
	assert_state(q, 1, QUEUE_DUE);
	assert_int_equal(do_claim(q, A, 1).count, 1);
	assert_kind(do_release(q, 1), OUTCOME_PENDING);
	assert_gone(do_hold(q, 9), SETTLED_PENDING);
	assert_gone(do_release(q, 9), SETTLED_PENDING);
}

static void a_held_message_can_be_cancelled_and_settled(void **state)
{
	struct queue_driver *q = *state;

	for (unsigned i = 1; i <= 2; i++) {
		assert_turn(do_accept(q, A, message_of(i, 1)), 1);
		assert_kind(do_defer(q, A, i, 1, 0), OUTCOME_OK);
		assert_kind(do_hold(q, i), OUTCOME_OK);
	}
	assert_kind(do_cancel(q, 1), OUTCOME_OK);
	assert_kind(do_settle(q, 'a', 2, "5", "a"), OUTCOME_OK);
	assert_int_equal(do_status(q).counts.states[QUEUE_HELD], 0);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(sweep_moves_what_a_dead_epoch_owned_to_anyone_at_once),
		ROW(sweep_leaves_what_only_a_stale_set_gives_to_the_dead),
		ROW(finding_2_the_floor_of_a_living_node_ends_its_older_epochs_only),
		ROW(finding_11_a_fence_never_goes_down),
		ROW(sweep_takes_five_hundred_at_a_time_and_says_that_there_is_more),
		ROW(finding_49_incarnations_that_no_registry_knows_are_reported),
		ROW(a_message_that_was_taken_over_too_often_is_quarantined_until_released),
		ROW(an_attempt_that_came_to_its_end_clears_the_count),
		ROW(finding_12_a_cancel_is_honoured_when_the_owner_lets_go),
		ROW(cancel_of_what_nobody_owns_ends_it),
		ROW(finding_39_a_due_time_too_far_away_is_set_right),
		ROW(finding_47_a_forgotten_nodes_news_and_lone_bodies_are_given_up),
		ROW(repair_finds_records_that_no_index_has),
		ROW(scan_finds_all_records_of_the_cluster_and_nothing_else),
		ROW(hold_and_release_reach_a_message_in_every_state),
		ROW(a_held_message_can_be_cancelled_and_settled),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
