#include "queue_driver.h"

#define A node_at('a', 100)
#define B node_at('b', 100)

/* Message `number` of A, let go `delay_ms` from now. */
static void let_go(struct queue_driver *q, unsigned number, uint64_t delay_ms)
{
	assert_turn(do_accept(q, A, message_of(number, 1)), 1);
	assert_kind(do_defer(q, A, number, 1, delay_ms), OUTCOME_OK);
}

static void claim_gives_what_is_due_with_all_that_delivery_needs(void **state)
{
	struct queue_driver *q = *state;
	struct answer claimed;

	let_go(q, 1, 5000);
	pass_ms(q, 5000 + 2000);
	claimed = do_claim(q, B, 10);
	assert_kind(claimed, OUTCOME_OK);
	assert_int_equal(claimed.count, 1);
	assert_int_equal(claimed.records[0].turn, 2);
	assert_id(claimed.records[0].id, 1);
	assert_int_equal(claimed.records[0].env.len, 9);
	assert_span_equal(claimed.records[0].settled, "0");
	assert_int_equal(claimed.records[0].size, 5);
	assert_int_equal(claimed.records[0].pieces, 1);
	assert_int_equal(claimed.records[0].attempts, 1);
	assert_int_equal(claimed.records[0].age_ms, 1000 + 7000);
	assert_int_equal(claimed.records[0].expires_in_ms, 432000000 - 7000);
	assert_string_equal(claimed.records[0].origin.text, node_uuid('a').text);
	assert_true(node_uuid_is_empty(&claimed.records[0].body_at));
	assert_false(claimed.records[0].to_journal);
	assert_int_equal(do_own(q, B).count, 1);
	assert_int_equal(do_claim(q, node_at('c', 100), 10).count, 0);
}

/* 48: the head start ends by time alone. */
static void finding_48_the_origin_may_claim_two_seconds_before_others(void **state)
{
	static const struct {
		uint64_t after_due_ms;
		size_t origin_gets, others_get;
	} rows[] = { { 0, 1, 0 }, { 1999, 1, 0 }, { 2000, 1, 1 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_driver *q = *state;

		queue_driver_reset(state);
		let_go(q, 1, 10);
		let_go(q, 2, 10);
		pass_ms(q, 9);
		assert_int_equal(do_claim(q, A, 10).count, 0);
		pass_ms(q, 1 + rows[i].after_due_ms);
		assert_int_equal(do_claim(q, B, 1).count, rows[i].others_get);
		assert_int_equal(do_claim(q, A, 1).count, rows[i].origin_gets);
	}
}

static void claim_gives_no_more_than_asked_and_the_oldest_first(void **state)
{
	struct queue_driver *q = *state;
	struct answer claimed;

	for (unsigned i = 1; i <= 150; i++)
		let_go(q, i, 1000 - i);
	pass_ms(q, 60000);
	claimed = do_claim(q, B, 100);
	assert_int_equal(claimed.count, 100);
	assert_id(claimed.records[0].id, 150);
	assert_int_equal(do_claim(q, B, 100).count, 50);
	assert_int_equal(do_claim(q, B, 100).count, 0);
}

/* 13: nothing is given out before everybody has re-asserted. */
static void finding_13_after_a_change_of_redis_nothing_is_given_out_until_the_living_have_spoken(void **state)
{
	struct queue_driver *q = *state;
	static const char other[] = "ffffffffffffffffffffffffffffffffffffffff";
	struct answer waiting;

	let_go(q, 1, 0);
	pass_ms(q, 2000);
	assert_kind(do_recover(q, other), OUTCOME_OK);
	assert_kind(do_claim(q, B, 1), OUTCOME_NEWGEN);
	assert_kind(do_takeup(q, B, 1), OUTCOME_NEWGEN);
	assert_kind(do_sweep(q, 0, NULL, 0), OUTCOME_NEWGEN);
	assert_kind(do_repair(q, 1), OUTCOME_NEWGEN);
	assert_kind(do_asserted(q, A, GENERATION, "ab"), OUTCOME_NEWGEN);

	assert_kind(do_recover(q, GENERATION), OUTCOME_OK);
	pass_ms(q, 1000);
	waiting = do_claim(q, B, 1);
	assert_kind(waiting, OUTCOME_WAIT);
	assert_int_equal(waiting.outcome.wait_ms, 5000);
	assert_kind(do_takeup(q, B, 1), OUTCOME_WAIT);
	assert_kind(do_sweep(q, 0, NULL, 0), OUTCOME_WAIT);
	assert_kind(do_repair(q, 1), OUTCOME_WAIT);
	/* Knowing the generation already, recover starts no second grace. */
	assert_kind(do_recover(q, GENERATION), OUTCOME_OK);
	assert_int_equal(do_claim(q, B, 1).outcome.wait_ms, 5000);

	/* Who has just started cannot say who lives. */
	assert_kind(do_asserted(q, A, GENERATION, ""), OUTCOME_OK);
	assert_kind(do_claim(q, B, 1), OUTCOME_WAIT);
	assert_kind(do_asserted(q, A, GENERATION, "ab"), OUTCOME_OK);
	assert_kind(do_asserted(q, A, GENERATION, "ab"), OUTCOME_OK);
	assert_kind(do_claim(q, B, 1), OUTCOME_WAIT);
	assert_kind(do_asserted(q, B, GENERATION, "ab"), OUTCOME_OK);
	assert_int_equal(do_claim(q, B, 1).count, 1);
}

static void what_was_asserted_in_another_generation_does_not_count(void **state)
{
	struct queue_driver *q = *state;

	assert_kind(do_recover(q, "second"), OUTCOME_OK);
	assert_kind(do_asserted(q, A, "second", "ab"), OUTCOME_OK);
	assert_kind(do_recover(q, GENERATION), OUTCOME_OK);
	assert_kind(do_asserted(q, B, GENERATION, "ab"), OUTCOME_OK);
	assert_kind(do_claim(q, B, 1), OUTCOME_WAIT);
}

static void the_grace_lasts_while_somebody_adopts_but_not_for_ever(void **state)
{
	struct queue_driver *q = *state;
	unsigned number = 1;

	assert_kind(do_recover(q, "other"), OUTCOME_OK);
	assert_kind(do_recover(q, GENERATION), OUTCOME_OK);
	pass_ms(q, 5000);
	assert_int_equal(do_claim(q, B, 1).outcome.wait_ms, 1000);
	assert_turn(do_adopt(q, A, 1, message_of(number++, 1)), 2);
	assert_int_equal(do_claim(q, B, 1).outcome.wait_ms, 2000);
	for (int i = 0; i < 60; i++) {
		pass_ms(q, 1000);
		assert_turn(do_adopt(q, A, 1, message_of(number++, 1)), 2);
	}
	assert_kind(do_claim(q, B, 1), OUTCOME_OK);
}

static void without_adopts_the_grace_ends_after_six_seconds(void **state)
{
	struct queue_driver *q = *state;

	assert_kind(do_recover(q, "other"), OUTCOME_OK);
	assert_kind(do_recover(q, GENERATION), OUTCOME_OK);
	pass_ms(q, 5999);
	assert_kind(do_claim(q, B, 1), OUTCOME_WAIT);
	pass_ms(q, 1);
	assert_kind(do_claim(q, B, 1), OUTCOME_OK);
}

/* 4: a claim whose reply is lost: the node reads its own set and takes up what it does not know. */
static void finding_4_a_lost_claim_is_found_in_the_own_set_and_taken_up(void **state)
{
	struct queue_driver *q = *state;
	struct answer own, taken;

	let_go(q, 1, 0);
	pass_ms(q, 2000);
	(void)do_claim(q, B, 1);
	own = do_own(q, B);
	assert_int_equal(own.count, 1);
	assert_int_equal(own.cursor, 0);
	assert_id(own.ids[0], 1);
	taken = do_takeup(q, B, 1);
	assert_kind(taken, OUTCOME_OK);
	assert_int_equal(taken.count, 1);
	assert_int_equal(taken.records[0].turn, 3);
	assert_int_equal(do_takeup(q, B, 1).records[0].turn, 4);
	assert_kind(do_takeup(q, A, 1), OUTCOME_NOT);
	assert_kind(do_takeup(q, node_at('b', 101), 1), OUTCOME_NOT);
	assert_kind(do_takeup(q, B, 2), OUTCOME_NOT);
}

static void takeup_clears_the_own_set_of_what_is_not_ones_own(void **state)
{
	struct queue_driver *q = *state;

	redis_client_command(&q->redis, "SADD skein:{s3}:own:%s#100 %s", B.node.text, text_of(7).text);
	assert_int_equal(do_own(q, B).count, 1);
	assert_kind(do_takeup(q, B, 7), OUTCOME_NOT);
	assert_int_equal(do_own(q, B).count, 0);
}

static void what_is_taken_up_is_in_the_sweeps_reach(void **state)
{
	struct queue_driver *q = *state;
	struct queue_sweep_node row = { node_uuid('a'), 100, 100, FATE_DEAD };

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	redis_client_command(&q->redis, "HDEL skein:{s3}:shard %s#100", A.node.text);
	assert_int_equal(do_takeup(q, A, 1).count, 1);
	assert_int_equal(do_sweep(q, 0, &row, 1).swept.moved, 1);
}

/* 5: (epoch, node) cannot tell one turn of ownership from the next. */
static void finding_5_a_late_copy_of_defer_does_not_end_the_next_turn(void **state)
{
	struct queue_driver *q = *state;

	let_go(q, 1, 0);
	assert_int_equal(do_claim(q, A, 1).records[0].turn, 2);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_NOT);
	assert_state(q, 1, QUEUE_OWNED);
	assert_kind(do_defer(q, A, 1, 2, 0), OUTCOME_OK);
}

/* 18: who claims from a lost origin becomes a holder. */
static void finding_18_claiming_from_a_dead_origin_makes_a_holder(void **state)
{
	static const enum node_fate fates[] = { FATE_DEAD, FATE_FORGOTTEN };

	for (size_t i = 0; i < ARRAY_LEN(fates); i++) {
		struct queue_driver *q = *state;
		struct queue_sweep_node row = { node_uuid('a'), 100, 100, fates[i] };
		struct answer claimed;

		queue_driver_reset(state);
		assert_turn(do_accept(q, A, message_of(1, 1)), 1);
		assert_int_equal(do_sweep(q, 0, &row, 1).swept.moved, 1);
		claimed = do_claim(q, B, 1);
		assert_int_equal(claimed.count, 1);
		assert_true(claimed.records[0].to_journal);
		/* If the answer is lost, takeup says it again. */
		assert_true(do_takeup(q, B, 1).records[0].to_journal);
		assert_kind(do_settle(q, 'b', 1, "5", "ab"), OUTCOME_OK);
		assert_int_equal(do_news(q, 'b').count, 1);
	}
}

static void a_dead_origin_that_lives_again_is_no_lost_origin(void **state)
{
	struct queue_driver *q = *state;
	struct queue_sweep_node row = { node_uuid('a'), 100, 100, FATE_DEAD };

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_sweep(q, 0, &row, 1), OUTCOME_OK);
	row = (struct queue_sweep_node){ node_uuid('a'), 100, 101, FATE_ALIVE };
	assert_kind(do_sweep(q, 0, &row, 1), OUTCOME_OK);
	assert_false(do_claim(q, B, 1).records[0].to_journal);
}

static void a_due_entry_without_a_record_is_dropped(void **state)
{
	struct queue_driver *q = *state;

	redis_client_command(&q->redis, "ZADD skein:{s3}:due 1 %s", text_of(7).text);
	assert_int_equal(do_claim(q, B, 10).count, 0);
	assert_int_equal(redis_client_integer(&q->redis, "ZCARD skein:{s3}:due"), 0);
}

static void a_large_own_set_is_read_in_pages(void **state)
{
	struct queue_driver *q = *state;
	struct queue_own args = { A, SHARD, 0 };
	size_t seen = 0, pages = 0;

	for (unsigned i = 1; i <= 2000; i++)
		assert_turn(do_accept(q, A, message_of(i, 0)), 1);
	do {
		struct answer page = do_own_from(q, &args);

		seen += page.count;
		pages++;
		args.cursor = page.cursor;
	} while (args.cursor);
	assert_true(seen >= 2000);
	assert_true(pages > 1);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(claim_gives_what_is_due_with_all_that_delivery_needs),
		ROW(finding_48_the_origin_may_claim_two_seconds_before_others),
		ROW(claim_gives_no_more_than_asked_and_the_oldest_first),
		ROW(finding_13_after_a_change_of_redis_nothing_is_given_out_until_the_living_have_spoken),
		ROW(what_was_asserted_in_another_generation_does_not_count),
		ROW(the_grace_lasts_while_somebody_adopts_but_not_for_ever),
		ROW(without_adopts_the_grace_ends_after_six_seconds),
		ROW(finding_4_a_lost_claim_is_found_in_the_own_set_and_taken_up),
		ROW(takeup_clears_the_own_set_of_what_is_not_ones_own),
		ROW(what_is_taken_up_is_in_the_sweeps_reach),
		ROW(finding_5_a_late_copy_of_defer_does_not_end_the_next_turn),
		ROW(finding_18_claiming_from_a_dead_origin_makes_a_holder),
		ROW(a_dead_origin_that_lives_again_is_no_lost_origin),
		ROW(a_due_entry_without_a_record_is_dropped),
		ROW(a_large_own_set_is_read_in_pages),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
