#include "queue_driver.h"

#define A node_at('a', 100)
#define B node_at('b', 100)

static void accept_makes_the_caller_owner_and_holder(void **state)
{
	struct queue_driver *q = *state;
	struct answer shown;

	assert_turn(do_accept(q, A, message_of(1, 2)), 1);
	shown = do_show(q, 1);
	assert_int_equal(shown.count, 1);
	assert_int_equal(shown.views[0].state, QUEUE_OWNED);
	assert_int_equal(shown.views[0].owner.epoch, 100);
	assert_string_equal(shown.views[0].owner.node.text, node_uuid('a').text);
	assert_span_equal(shown.views[0].holders, node_uuid('a').text);
	assert_int_equal(shown.views[0].record.env.len, 9);
	assert_memory_equal(shown.views[0].record.env.ptr, "env\0elope", 9);
	assert_int_equal(shown.views[0].record.size, 10);
	assert_int_equal(shown.views[0].record.pieces, 2);
	assert_int_equal(shown.views[0].record.age_ms, 1000);
	assert_int_equal(shown.views[0].record.expires_in_ms, 432000000);
	assert_memory_equal(do_get_piece(q, 1, 1).bytes.ptr, "bo\0dy", 5);
	assert_kind(do_get_piece(q, 1, 2), OUTCOME_GONE);
}

static void accept_repeated_answers_as_before_and_changes_nothing(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_int_equal(do_own(q, A).count, 1);
}

static void accept_of_what_another_owns_by_now_is_custody_without_ownership(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	assert_kind(do_accept(q, A, message_of(1, 1)), OUTCOME_HELD);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 1).count, 1);
	assert_kind(do_accept(q, A, message_of(1, 1)), OUTCOME_HELD);
}

static void accept_of_what_ended_says_why(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_gone(do_accept(q, A, message_of(1, 1)), SETTLED_DELIVERED);
	assert_state(q, 1, QUEUE_STATES);
}

static void a_fenced_epoch_can_do_nothing_but_settle(void **state)
{
	struct queue_driver *q = *state;
	struct queue_sweep_node row = { node_uuid('a'), 100, 100, FATE_DEAD };
	struct answer refused;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_sweep(q, 0, &row, 1), OUTCOME_OK);
	refused = do_accept(q, A, message_of(2, 1));
	assert_kind(refused, OUTCOME_FENCED);
	assert_int_equal(refused.outcome.fence, 100);
	assert_kind(do_adopt(q, A, 1, message_of(1, 1)), OUTCOME_FENCED);
	assert_kind(do_keep(q, A, 1, message_of(1, 1)), OUTCOME_FENCED);
	assert_kind(do_claim(q, A, 1), OUTCOME_FENCED);
	assert_kind(do_takeup(q, A, 1), OUTCOME_FENCED);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_FENCED);
	assert_kind(do_bounce(q, A, 1, 1, "4", message_of(9, 1)), OUTCOME_FENCED);
	assert_kind(do_asserted(q, A, GENERATION, "a"), OUTCOME_FENCED);
	assert_state(q, 1, QUEUE_DUE);
	/* 6: what the hop said is a fact. */
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_gone(do_show(q, 1), SETTLED_DELIVERED);
	assert_turn(do_accept(q, node_at('a', 101), message_of(2, 1)), 1);
}

/* 41: pieces first; a failover in between may have lost one. */
static void finding_41_a_body_with_a_missing_or_short_piece_is_asked_for_again(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 2);
	struct queue_accept args = { A, &message };

	put_body(q, &message);
	link_driver_settle(q->driver);
	redis_client_command(&q->redis, "DEL skein:{s3}:b:%s:1", msg_id_format(&message.id).text);
	assert_kind(do_accept_only(q, &args), OUTCOME_BODY);
	message.size = 11;
	assert_kind(do_accept(q, A, message), OUTCOME_BODY);
	assert_state(q, 1, QUEUE_STATES);
	assert_int_equal(do_own(q, A).count, 0);
	message.size = 10;
	assert_turn(do_accept(q, A, message), 1);
}

static void pieces_end_by_themselves_until_a_record_names_them(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);
	struct msg_id_text id = msg_id_format(&message.id);

	put_body(q, &message);
	link_driver_settle(q->driver);
	assert_in_range(redis_client_integer(&q->redis, "PTTL skein:{s3}:b:%s:0", id.text), 3500000, 3600000);
	assert_turn(do_accept(q, A, message), 1);
	assert_int_equal(redis_client_integer(&q->redis, "PTTL skein:{s3}:b:%s:0", id.text), -1);
	/* A late copy of the SET must not start the clock again. */
	put_body(q, &message);
	link_driver_settle(q->driver);
	assert_int_equal(redis_client_integer(&q->redis, "PTTL skein:{s3}:b:%s:0", id.text), -1);
}

/* 3, 5, 14: who adopts what. Each row starts with message 1 owned by B#100 at turn 2, or unowned. */
static void adopt_gives_it_to_the_higher_turn(void **state)
{
	static const struct {
		const char *what;
		bool owned_by_b;
		char node;
		uint64_t epoch, turn;
		enum outcome_kind kind;
		uint64_t new_turn;
	} rows[] = {
		{ "another's, unknown turn", true, 'a', 100, 0, OUTCOME_NOT, 0 },
		{ "another's, older turn", true, 'a', 100, 1, OUTCOME_NOT, 0 },
		{ "another's, the same turn", true, 'a', 100, 2, OUTCOME_NOT, 0 },
		{ "another's by an older state", true, 'a', 100, 3, OUTCOME_OK, 4 },
		{ "one's own", true, 'b', 100, 2, OUTCOME_OK, 3 },
		{ "one's own, a late copy", true, 'b', 100, 1, OUTCOME_OK, 3 },
		{ "an older self's, carried on", true, 'b', 101, 2, OUTCOME_OK, 3 },
		{ "an older self's, after a restart", true, 'b', 101, 0, OUTCOME_OK, 3 },
		{ "a newer self's", true, 'b', 99, 5, OUTCOME_NOT, 0 },
		{ "nobody's, after a restart", false, 'a', 101, 0, OUTCOME_OK, 2 },
		{ "nobody's, known", false, 'a', 100, 1, OUTCOME_OK, 2 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct queue_driver *q = *state;
		struct answer answer;

		queue_driver_reset(state);
		assert_turn(do_accept(q, A, message_of(1, 1)), 1);
		assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
		pass_ms(q, 2000);
		if (rows[i].owned_by_b)
			assert_int_equal(do_claim(q, B, 1).count, 1);
		answer = do_adopt(q, node_at(rows[i].node, rows[i].epoch), rows[i].turn, message_of(1, 1));
		if (answer.outcome.kind != rows[i].kind || answer.turn != rows[i].new_turn)
			fail_msg("%s: got %s %d", rows[i].what, outcome_kind_name(answer.outcome.kind),
				(int)answer.turn);
		if (rows[i].kind == OUTCOME_OK) {
			struct incarnation owner = node_at(rows[i].node, rows[i].epoch);

			assert_int_equal(do_own(q, owner).count, 1);
			assert_int_equal(do_status(q).counts.states[QUEUE_OWNED], 1);
			assert_int_equal(do_status(q).counts.states[QUEUE_DUE], 0);
		}
	}
}

/* 8: only a journal holder can make a record anew. */
static void finding_8_adopt_of_an_absent_message_needs_a_holder(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);
	struct queue_adopt args = { .node = B, .turn = 4, .holder = false, .message = &message };

	assert_gone(do_adopt_with(q, &args), SETTLED_PENDING);
	assert_state(q, 1, QUEUE_STATES);
	args.holder = true;
	assert_turn(do_adopt_with(q, &args), 5);
}

/* After a loss the owner speaks before those who hold a copy: what it is sending must not become due. */
static void in_grace_an_owner_without_a_journal_copy_makes_the_record_anew(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);
	struct queue_adopt args = { .node = B, .turn = 4, .holder = false, .message = &message };
	struct answer shown;

	assert_kind(do_recover(q, "another"), OUTCOME_OK);
	args.turn = 0;
	assert_gone(do_adopt_with(q, &args), SETTLED_PENDING);
	args.turn = 4;
	assert_turn(do_adopt_with(q, &args), 5);
	assert_state(q, 1, QUEUE_OWNED);
	assert_int_equal(do_show(q, 1).views[0].holders.len, 0);
	assert_kind(do_keep(q, A, 1, message_of(1, 1)), OUTCOME_OK);
	assert_state(q, 1, QUEUE_OWNED);
	shown = do_show(q, 1);
	assert_span_equal(shown.views[0].holders, node_uuid('a').text);
	assert_string_equal(shown.views[0].record.origin.text, node_uuid('a').text);
}

/* 13, 14: during the grace a restarted node does not know who owns what an empty Redis has forgotten. */
static void in_grace_adopt_without_a_turn_only_keeps(void **state)
{
	struct queue_driver *q = *state;

	assert_kind(do_recover(q, "another"), OUTCOME_OK);
	assert_kind(do_adopt(q, A, 0, message_of(1, 1)), OUTCOME_HELD);
	assert_state(q, 1, QUEUE_DUE);
	assert_kind(do_adopt(q, A, 0, message_of(1, 1)), OUTCOME_HELD);
	assert_turn(do_adopt(q, B, 3, message_of(1, 1)), 4);
	assert_kind(do_adopt(q, A, 0, message_of(1, 1)), OUTCOME_NOT);
	assert_state(q, 1, QUEUE_OWNED);
}

static void adopt_unites_what_is_settled(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);
	struct answer answer;

	message.settled = SPAN_LIT("000");
	assert_turn(do_accept(q, A, message), 1);
	assert_kind(do_settle(q, 'b', 1, "050", "a"), OUTCOME_OK);
	message.settled = SPAN_LIT("400");
	answer = do_adopt(q, A, 1, message);
	assert_turn(answer, 2);
	assert_span_equal(answer.settled, "450");
	message.settled = SPAN_LIT("005");
	assert_gone(do_adopt(q, A, 2, message), SETTLED_DELIVERED);
	assert_gone(do_adopt(q, A, 2, message), SETTLED_DELIVERED);
}

/* Otherwise its journal never hears of the end. */
static void a_holder_whose_adopt_is_refused_is_a_holder_all_the_same(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);

	message.settled = SPAN_LIT("00");
	assert_turn(do_accept(q, B, message), 1);
	message.settled = SPAN_LIT("05");
	assert_kind(do_adopt(q, A, 0, message), OUTCOME_NOT);
	assert_span_equal(do_show(q, 1).views[0].record.settled, "05");
	assert_kind(do_settle(q, 'b', 1, "50", "b"), OUTCOME_OK);
	assert_int_equal(do_news(q, 'a').count, 1);
}

static void the_owner_who_adopts_brings_its_envelope_and_a_restarted_one_does_not(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);

	assert_turn(do_accept(q, A, message), 1);
	message.env = SPAN_LIT("newer");
	assert_turn(do_adopt(q, A, 1, message), 2);
	assert_span_equal(do_show(q, 1).views[0].record.env, "newer");
	message.env = SPAN_LIT("of the journal");
	assert_turn(do_adopt(q, node_at('a', 101), 0, message), 3);
	assert_span_equal(do_show(q, 1).views[0].record.env, "newer");
}

/* 15: a holder that is not the owner must not take. */
static void finding_15_keep_makes_a_missing_record_due_and_takes_nothing(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_keep(q, A, 7, message_of(1, 1)), 7);
	assert_state(q, 1, QUEUE_DUE);
	assert_turn(do_keep(q, A, 7, message_of(1, 1)), 7);
	assert_int_equal(do_own(q, A).count, 0);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 1).records[0].turn, 8);
	assert_turn(do_keep(q, A, 7, message_of(1, 1)), 8);
	assert_state(q, 1, QUEUE_OWNED);
	assert_int_equal(do_own(q, B).count, 1);
}

static void keep_lets_go_what_an_older_state_gives_to_the_caller(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_keep(q, node_at('a', 101), 3, message_of(1, 1)), 1);
	assert_state(q, 1, QUEUE_DUE);
	assert_int_equal(do_own(q, A).count, 0);
}

/* A late copy of keep must not take from its sender what it claimed meanwhile. */
static void keep_of_an_older_turn_leaves_the_callers_new_turn_alone(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	assert_int_equal(do_claim(q, A, 1).records[0].turn, 2);
	assert_turn(do_keep(q, A, 1, message_of(1, 1)), 2);
	assert_state(q, 1, QUEUE_OWNED);
}

static void keep_makes_the_caller_a_holder_who_hears_of_the_end(void **state)
{
	struct queue_driver *q = *state;
	struct answer news;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_keep(q, B, 0, message_of(1, 1)), 1);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	news = do_news(q, 'b');
	assert_int_equal(news.count, 1);
	assert_int_equal(news.news[0].why, SETTLED_DELIVERED);
	assert_gone(do_keep(q, B, 0, message_of(1, 1)), SETTLED_DELIVERED);
}

/* Nobody can be given a message that has nothing left to do. */
static void a_settled_message_ends_when_it_comes(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);

	message.settled = SPAN_LIT("4");
	assert_gone(do_keep(q, A, 1, message), SETTLED_FAILED);
	assert_kind(do_show(q, 1), OUTCOME_GONE);
}

/* 34: the deliverer may speak before the holder makes the record anew. */
static void finding_34_facts_about_an_unknown_message_are_applied_when_it_comes(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);
	struct answer answer;

	message.settled = SPAN_LIT("000");
	assert_kind(do_settle(q, 'b', 1, "500", "a"), OUTCOME_OK);
	assert_kind(do_settle(q, 'b', 1, "050", "a"), OUTCOME_OK);
	assert_int_equal(do_status(q).counts.facts, 1);
	answer = do_keep(q, A, 1, message);
	assert_turn(answer, 1);
	assert_span_equal(answer.settled, "550");
	assert_int_equal(do_status(q).counts.facts, 0);
	message = message_of(2, 1);
	message.settled = SPAN_LIT("00");
	assert_kind(do_settle(q, 'b', 2, "50", "a"), OUTCOME_OK);
	message.settled = SPAN_LIT("05");
	assert_turn(do_accept(q, A, message_of(3, 1)), 1);
	assert_gone(do_adopt(q, A, 0, message), SETTLED_DELIVERED);
	assert_state(q, 2, QUEUE_STATES);
}

/* 40 */
static void finding_40_a_body_on_one_node_alone_is_claimed_by_that_node_alone(void **state)
{
	struct queue_driver *q = *state;
	struct answer claimed;

	assert_turn(do_accept(q, A, message_of(1, 0)), 1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	pass_ms(q, 3600000);
	assert_state(q, 1, QUEUE_DUE);
	assert_int_equal(do_claim(q, B, 10).count, 0);
	claimed = do_claim(q, node_at('a', 101), 10);
	assert_int_equal(claimed.count, 1);
	assert_int_equal(claimed.records[0].pieces, 0);
	assert_string_equal(claimed.records[0].body_at.text, node_uuid('a').text);
}

static void a_body_put_later_frees_the_message_for_all(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 0)), 1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	assert_turn(do_keep(q, A, 1, message_of(1, 1)), 1);
	assert_int_equal(do_status(q).counts.states[QUEUE_DUE], 1);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 10).count, 1);
	assert_int_equal(do_show(q, 1).views[0].record.pieces, 1);
}

static void a_message_whose_owner_restarts_too_often_is_quarantined(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 1);
	struct queue_adopt args = { .holder = true, .takeovers_max = 2, .message = &message };
	uint64_t turn = 1;

	assert_turn(do_accept(q, A, message), turn);
	for (uint64_t epoch = 101; epoch <= 102; epoch++) {
		args.node = node_at('a', epoch);
		assert_turn(do_adopt_with(q, &args), ++turn);
		/* The same process asking twice is no second crash. */
		assert_turn(do_adopt_with(q, &args), ++turn);
	}
	args.node = node_at('a', 103);
	assert_kind(do_adopt_with(q, &args), OUTCOME_HELD);
	assert_state(q, 1, QUEUE_QUARANTINED);
	assert_kind(do_adopt_with(q, &args), OUTCOME_HELD);
	assert_int_equal(do_show(q, 1).views[0].record.takeovers, 3);
	assert_kind(do_release(q, 1), OUTCOME_OK);
	assert_state(q, 1, QUEUE_DUE);
	assert_int_equal(do_show(q, 1).views[0].record.takeovers, 0);
}

static void a_call_whose_answer_never_comes_is_unknown_and_none_is_taken_after(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message message = message_of(1, 0);
	struct queue_accept args = { A, &message };
	struct answer answer = do_accept_cut(q, &args);

	assert_kind(answer, OUTCOME_UNKNOWN);
	assert_int_equal(answer.turn, 0);
	assert_turn(do_accept(q, A, message), 1);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(accept_makes_the_caller_owner_and_holder),
		ROW(accept_repeated_answers_as_before_and_changes_nothing),
		ROW(accept_of_what_another_owns_by_now_is_custody_without_ownership),
		ROW(accept_of_what_ended_says_why),
		ROW(a_fenced_epoch_can_do_nothing_but_settle),
		ROW(finding_41_a_body_with_a_missing_or_short_piece_is_asked_for_again),
		ROW(pieces_end_by_themselves_until_a_record_names_them),
		ROW(adopt_gives_it_to_the_higher_turn),
		ROW(finding_8_adopt_of_an_absent_message_needs_a_holder),
		ROW(in_grace_an_owner_without_a_journal_copy_makes_the_record_anew),
		ROW(in_grace_adopt_without_a_turn_only_keeps),
		ROW(adopt_unites_what_is_settled),
		ROW(a_holder_whose_adopt_is_refused_is_a_holder_all_the_same),
		ROW(the_owner_who_adopts_brings_its_envelope_and_a_restarted_one_does_not),
		ROW(finding_15_keep_makes_a_missing_record_due_and_takes_nothing),
		ROW(keep_lets_go_what_an_older_state_gives_to_the_caller),
		ROW(keep_of_an_older_turn_leaves_the_callers_new_turn_alone),
		ROW(keep_makes_the_caller_a_holder_who_hears_of_the_end),
		ROW(a_settled_message_ends_when_it_comes),
		ROW(finding_34_facts_about_an_unknown_message_are_applied_when_it_comes),
		ROW(finding_40_a_body_on_one_node_alone_is_claimed_by_that_node_alone),
		ROW(a_body_put_later_frees_the_message_for_all),
		ROW(a_message_whose_owner_restarts_too_often_is_quarantined),
		ROW(a_call_whose_answer_never_comes_is_unknown_and_none_is_taken_after),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
