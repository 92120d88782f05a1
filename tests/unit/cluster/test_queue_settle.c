#include "queue_driver.h"

#define A node_at('a', 100)
#define B node_at('b', 100)

static struct queue_message message_to(unsigned number, const char *recipients)
{
	struct queue_message message = message_of(number, 1);

	message.settled = span_of_str(recipients);
	return message;
}

static void assert_news(struct answer news, enum settled why, const char *settled)
{
	assert_kind(news, OUTCOME_OK);
	assert_int_equal(news.count, 1);
	assert_int_equal(news.cursor, 0);
	assert_string_equal(settled_name(news.news[0].why), settled_name(why));
	assert_span_equal(news.news[0].settled, settled);
}

static void settling_the_last_recipient_ends_the_message_and_leaves_a_tombstone(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 3)), 1);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_gone(do_show(q, 1), SETTLED_DELIVERED);
	assert_int_equal(do_own(q, A).count, 0);
	for (unsigned i = 0; i < 3; i++)
		assert_kind(do_get_piece(q, 1, i), OUTCOME_GONE);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_int_equal(do_status(q).counts.tombstones, 1);
}

/* 32, 33: settled per hop, and told to the other journals per hop. */
static void findings_32_and_33_each_hops_recipients_are_settled_and_told(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_to(1, "000")), 1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 1).count, 1);
	assert_kind(do_settle(q, 'b', 1, "050", "a"), OUTCOME_OK);
	assert_news(do_news(q, 'a'), SETTLED_PENDING, "050");
	assert_span_equal(do_show(q, 1).views[0].record.settled, "050");
	assert_state(q, 1, QUEUE_OWNED);
	assert_kind(do_settle(q, 'b', 1, "404", "a"), OUTCOME_OK);
	assert_news(do_news(q, 'a'), SETTLED_DELIVERED, "454");
	assert_gone(do_show(q, 1), SETTLED_DELIVERED);
}

/* 6, 16: "the hop said 250" is a fact, whoever says it. */
static void finding_6_settle_is_taken_from_anyone_at_any_time(void **state)
{
	struct queue_driver *q = *state;
	struct queue_sweep_node row = { node_uuid('a'), 100, 100, FATE_DEAD };

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_sweep(q, 0, &row, 1), OUTCOME_OK);
	assert_int_equal(do_claim(q, B, 1).count, 1);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_gone(do_show(q, 1), SETTLED_DELIVERED);
	assert_gone(do_defer(q, B, 1, 2, 0), SETTLED_DELIVERED);
	assert_int_equal(do_own(q, B).count, 0);
}

/* 7: every journal holder hears of the end, the finisher included, and keeps the tombstone until it has seen
 * it. */
static void finding_7_a_tombstone_outlives_ten_minutes_until_all_holders_have_seen_it(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_keep(q, B, 0, message_of(1, 1)), 1);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_news(do_news(q, 'a'), SETTLED_DELIVERED, "5");
	assert_news(do_news(q, 'b'), SETTLED_DELIVERED, "5");
	assert_kind(do_seen(q, 'a', 1, ""), OUTCOME_OK);
	assert_kind(do_seen(q, 'a', 1, ""), OUTCOME_OK);
	assert_int_equal(do_news(q, 'a').count, 0);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 0);
	assert_gone(do_adopt(q, A, 0, message_of(1, 1)), SETTLED_DELIVERED);
	assert_kind(do_seen(q, 'b', 1, ""), OUTCOME_OK);
	/* An awaited one is looked at again when it would be old enough once more. */
	assert_int_equal(do_trim(q).number, 0);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 1);
	assert_int_equal(do_trim(q).number, 0);
	assert_int_equal(do_status(q).counts.tombstones, 0);
}

static void a_young_tombstone_is_not_trimmed(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_kind(do_seen(q, 'a', 1, ""), OUTCOME_OK);
	pass_ms(q, 599999);
	assert_int_equal(do_trim(q).number, 0);
	pass_ms(q, 2);
	assert_int_equal(do_trim(q).number, 1);
}

static void awaited_tombstones_do_not_stand_in_the_way_of_others(void **state)
{
	struct queue_driver *q = *state;

	for (unsigned i = 1; i <= 600; i++) {
		assert_turn(do_accept(q, i <= 500 ? B : A, message_of(i, 0)), 1);
		assert_kind(do_settle(q, 'a', i, "5", i <= 500 ? "b" : "a"), OUTCOME_OK);
		if (i > 500)
			assert_kind(do_seen(q, 'a', i, ""), OUTCOME_OK);
	}
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number + do_trim(q).number, 100);
}

static void seen_of_older_news_leaves_the_newer(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_to(1, "000")), 1);
	assert_kind(do_settle(q, 'a', 1, "500", "a"), OUTCOME_OK);
	assert_kind(do_settle(q, 'a', 1, "050", "a"), OUTCOME_OK);
	assert_kind(do_seen(q, 'a', 1, "500"), OUTCOME_OK);
	assert_news(do_news(q, 'a'), SETTLED_PENDING, "550");
	assert_kind(do_seen(q, 'a', 1, "550"), OUTCOME_OK);
	assert_int_equal(do_news(q, 'a').count, 0);
}

static void seen_travels_with_the_next_settle(void **state)
{
	struct queue_driver *q = *state;
	struct node_uuid holder = node_uuid('a');
	struct queue_seen_item seen = { id_of(1), SPAN_LIT("") };
	struct queue_settle args = { .node = holder,
		.id = id_of(2),
		.settled = SPAN_LIT("5"),
		.holders = &holder,
		.holder_count = 1,
		.seen = &seen,
		.seen_count = 1 };
	struct answer news;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_accept(q, A, message_of(2, 1)), 1);
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_OK);
	assert_kind(do_settle_with(q, &args), OUTCOME_OK);
	news = do_news(q, 'a');
	assert_news(news, SETTLED_DELIVERED, "5");
	assert_true(msg_id_eq(&news.news[0].id, &args.id));
}

/* 7: the caller may know of a holder that an older state of the record does not. */
static void finding_7_holders_that_only_the_caller_knows_are_told_to_the_end(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_to(1, "00")), 1);
	assert_kind(do_settle(q, 'a', 1, "50", "ab"), OUTCOME_OK);
	assert_news(do_news(q, 'b'), SETTLED_PENDING, "50");
	assert_kind(do_settle(q, 'a', 1, "05", "a"), OUTCOME_OK);
	assert_news(do_news(q, 'b'), SETTLED_DELIVERED, "55");
	assert_kind(do_seen(q, 'a', 1, ""), OUTCOME_OK);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 0);
}

/* 34, 7c: complete facts about an unknown message are its end, and the holders that the caller knows hear of
 * it. */
static void finding_34_complete_facts_about_an_unknown_message_end_it(void **state)
{
	struct queue_driver *q = *state;

	assert_kind(do_settle(q, 'b', 1, "50", "a"), OUTCOME_OK);
	assert_news(do_news(q, 'a'), SETTLED_PENDING, "50");
	assert_kind(do_settle(q, 'b', 1, "04", "a"), OUTCOME_OK);
	assert_news(do_news(q, 'a'), SETTLED_DELIVERED, "54");
	assert_int_equal(do_status(q).counts.facts, 0);
	assert_gone(do_accept(q, A, message_to(1, "00")), SETTLED_DELIVERED);
	/* And is kept until that holder has seen it, although it never owned anything here. */
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 0);
}

static void facts_live_as_long_as_tombstones(void **state)
{
	struct queue_driver *q = *state;

	assert_kind(do_settle(q, 'b', 1, "50", "a"), OUTCOME_OK);
	assert_kind(do_settle(q, 'b', 2, "50", "a"), OUTCOME_OK);
	assert_kind(do_seen(q, 'a', 1, "50"), OUTCOME_OK);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 1);
	assert_int_equal(do_status(q).counts.facts, 1);
	assert_kind(do_seen(q, 'a', 2, "50"), OUTCOME_OK);
	assert_int_equal(do_trim(q).number, 1);
}

static void settling_nothing_changes_nothing(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_to(1, "00")), 1);
	assert_kind(do_settle(q, 'a', 1, "00", "a"), OUTCOME_OK);
	assert_kind(do_settle(q, 'a', 9, "00", "a"), OUTCOME_OK);
	assert_int_equal(do_news(q, 'a').count, 0);
	assert_int_equal(do_status(q).counts.facts, 0);
	/* Not the recipients of this message. */
	assert_kind(do_settle(q, 'a', 1, "5", "a"), OUTCOME_ERROR);
	assert_span_equal(do_show(q, 1).views[0].record.settled, "00");
}

static void defer_needs_the_turn_and_makes_due_later(void **state)
{
	struct queue_driver *q = *state;
	struct queue_defer args = { .node = A,
		.id = id_of(1),
		.turn = 1,
		.delay_ms = 90000,
		.attempts = 3,
		.env = SPAN_LIT("new env") };
	struct answer shown;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_defer(q, A, 1, 2, 0), OUTCOME_NOT);
	assert_kind(do_defer(q, B, 1, 1, 0), OUTCOME_NOT);
	assert_kind(do_defer(q, node_at('a', 101), 1, 1, 0), OUTCOME_NOT);
	assert_state(q, 1, QUEUE_OWNED);
	assert_kind(do_defer_with(q, &args), OUTCOME_OK);
	assert_kind(do_defer_with(q, &args), OUTCOME_NOT);
	shown = do_show(q, 1);
	assert_int_equal(shown.views[0].state, QUEUE_DEFERRED);
	assert_int_equal(shown.views[0].due_in_ms, 90000);
	assert_int_equal(shown.views[0].record.attempts, 3);
	assert_span_equal(shown.views[0].record.env, "new env");
	assert_int_equal(do_own(q, A).count, 0);
	assert_gone(do_defer(q, A, 9, 1, 0), SETTLED_PENDING);
}

/* 35: the DSN comes in and its recipients go out in one step. */
static void finding_35_bounce_takes_the_dsn_in_and_the_recipients_out(void **state)
{
	struct queue_driver *q = *state;
	struct answer shown;

	assert_turn(do_accept(q, A, message_to(1, "00")), 1);
	assert_turn(do_bounce(q, A, 1, 1, "40", message_of(2, 1)), 1);
	assert_span_equal(do_show(q, 1).views[0].record.settled, "40");
	assert_news(do_news(q, 'a'), SETTLED_PENDING, "40");
	shown = do_show(q, 2);
	assert_int_equal(shown.views[0].state, QUEUE_OWNED);
	assert_span_equal(shown.views[0].holders, node_uuid('a').text);
	/* A repeat finds it all done. */
	assert_turn(do_bounce(q, A, 1, 1, "40", message_of(2, 1)), 1);
	assert_int_equal(do_own(q, A).count, 2);
	/* The last recipient's report ends the original; a repeat still names the DSN's turn. */
	assert_turn(do_bounce(q, A, 1, 1, "03", message_of(3, 1)), 1);
	assert_gone(do_show(q, 1), SETTLED_FAILED);
	assert_turn(do_bounce(q, A, 1, 1, "03", message_of(3, 1)), 1);
}

static void a_dsn_that_nobody_needs_is_not_made(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_to(1, "00")), 1);
	/* Settled by somebody else before. */
	assert_kind(do_settle(q, 'b', 1, "40", "a"), OUTCOME_OK);
	assert_turn(do_bounce(q, A, 1, 1, "40", message_of(2, 1)), 0);
	assert_state(q, 2, QUEUE_STATES);
	/* Not the caller's turn. */
	assert_kind(do_bounce(q, A, 1, 2, "04", message_of(2, 1)), OUTCOME_NOT);
	assert_kind(do_bounce(q, B, 1, 1, "04", message_of(2, 1)), OUTCOME_NOT);
	assert_state(q, 2, QUEUE_STATES);
	/* The original has ended. */
	assert_kind(do_settle(q, 'b', 1, "05", "a"), OUTCOME_OK);
	assert_gone(do_bounce(q, A, 1, 1, "04", message_of(2, 1)), SETTLED_DELIVERED);
	assert_gone(do_bounce(q, A, 9, 1, "04", message_of(2, 1)), SETTLED_PENDING);
	assert_state(q, 2, QUEUE_STATES);
}

static void a_repeated_bounce_says_what_became_of_the_dsn(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_turn(do_bounce(q, A, 1, 1, "4", message_of(2, 1)), 1);
	assert_kind(do_defer(q, A, 2, 1, 0), OUTCOME_OK);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 1).count, 1);
	assert_kind(do_bounce(q, A, 1, 1, "4", message_of(2, 1)), OUTCOME_HELD);
	assert_kind(do_settle(q, 'b', 2, "5", "a"), OUTCOME_OK);
	assert_turn(do_bounce(q, A, 1, 1, "4", message_of(2, 1)), 0);
	assert_state(q, 2, QUEUE_STATES);
}

static void a_bounce_without_the_dsns_body_does_nothing(void **state)
{
	struct queue_driver *q = *state;
	struct queue_message dsn = message_of(2, 1);

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	dsn.size = 6;
	assert_kind(do_bounce(q, A, 1, 1, "4", dsn), OUTCOME_BODY);
	assert_state(q, 1, QUEUE_OWNED);
	assert_state(q, 2, QUEUE_STATES);
}

static void withdraw_ends_what_nobody_else_has(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_withdraw(q, 'a', 1), OUTCOME_OK);
	assert_news(do_news(q, 'a'), SETTLED_WITHDRAWN, "1");
	/* 30: a repeat is answered OK, not "gone, so delivered". */
	assert_kind(do_withdraw(q, 'a', 1), OUTCOME_OK);
	assert_gone(do_accept(q, A, message_of(1, 1)), SETTLED_WITHDRAWN);
}

/* 30: also what never came, so that a late accept does not begin it. */
static void finding_30_withdraw_of_an_absent_message_keeps_it_from_coming(void **state)
{
	struct queue_driver *q = *state;

	assert_kind(do_settle(q, 'b', 1, "50", ""), OUTCOME_OK);
	assert_kind(do_withdraw(q, 'a', 1), OUTCOME_OK);
	assert_int_equal(do_status(q).counts.facts, 0);
	assert_gone(do_accept(q, A, message_of(1, 1)), SETTLED_WITHDRAWN);
	assert_gone(do_adopt(q, A, 1, message_of(1, 1)), SETTLED_WITHDRAWN);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 0);
	assert_news(do_news(q, 'a'), SETTLED_WITHDRAWN, "");
	assert_kind(do_seen(q, 'a', 1, ""), OUTCOME_OK);
	pass_ms(q, 600001);
	assert_int_equal(do_trim(q).number, 1);
}

/* 28: what another node has, or has finished, cannot be withdrawn. */
static void finding_28_withdraw_leaves_what_another_owns_or_finished(void **state)
{
	struct queue_driver *q = *state;

	assert_turn(do_accept(q, A, message_of(1, 1)), 1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	pass_ms(q, 2000);
	assert_int_equal(do_claim(q, B, 1).count, 1);
	assert_kind(do_withdraw(q, 'a', 1), OUTCOME_NOT);
	assert_state(q, 1, QUEUE_OWNED);
	assert_kind(do_settle(q, 'b', 1, "5", "a"), OUTCOME_OK);
	assert_kind(do_withdraw(q, 'a', 1), OUTCOME_NOT);
}

static void news_come_in_pages(void **state)
{
	struct queue_driver *q = *state;
	struct queue_news args = { node_uuid('a'), SHARD, 0 };
	size_t seen = 0, pages = 0;

	for (unsigned i = 1; i <= 1500; i++) {
		assert_turn(do_accept(q, A, message_of(i, 0)), 1);
		assert_kind(do_settle(q, 'a', i, "5", "a"), OUTCOME_OK);
	}
	do {
		struct answer page = do_news_from(q, &args);

		seen += page.count;
		pages++;
		args.cursor = page.cursor;
	} while (args.cursor);
	assert_true(seen >= 1500);
	assert_true(pages > 1);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(settling_the_last_recipient_ends_the_message_and_leaves_a_tombstone),
		ROW(findings_32_and_33_each_hops_recipients_are_settled_and_told),
		ROW(finding_6_settle_is_taken_from_anyone_at_any_time),
		ROW(finding_7_a_tombstone_outlives_ten_minutes_until_all_holders_have_seen_it),
		ROW(a_young_tombstone_is_not_trimmed),
		ROW(awaited_tombstones_do_not_stand_in_the_way_of_others),
		ROW(seen_of_older_news_leaves_the_newer),
		ROW(seen_travels_with_the_next_settle),
		ROW(finding_7_holders_that_only_the_caller_knows_are_told_to_the_end),
		ROW(finding_34_complete_facts_about_an_unknown_message_end_it),
		ROW(facts_live_as_long_as_tombstones),
		ROW(settling_nothing_changes_nothing),
		ROW(defer_needs_the_turn_and_makes_due_later),
		ROW(finding_35_bounce_takes_the_dsn_in_and_the_recipients_out),
		ROW(a_dsn_that_nobody_needs_is_not_made),
		ROW(a_repeated_bounce_says_what_became_of_the_dsn),
		ROW(a_bounce_without_the_dsns_body_does_nothing),
		ROW(withdraw_ends_what_nobody_else_has),
		ROW(finding_30_withdraw_of_an_absent_message_keeps_it_from_coming),
		ROW(finding_28_withdraw_leaves_what_another_owns_or_finished),
		ROW(news_come_in_pages),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
