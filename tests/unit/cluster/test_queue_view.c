#include "queue_driver.h"

#include "skein/cluster/queue_age.h"

#define A node_at('a', 100)
#define B node_at('b', 100)

/* 1 due, 2 deferred, 3 owned by A, 4 held, 5 quarantined, 6 bound to A's disk and due, 7 owned by B. */
static void fill(struct queue_driver *q)
{
	struct queue_sweep_node row = { node_uuid('c'), 100, 100, FATE_DEAD };

	for (unsigned i = 1; i <= 7; i++)
		assert_turn(do_accept(q,
				    i == 7   ? B
				    : i == 5 ? node_at('c', 100)
					     : A,
				    message_of(i, i != 6)),
			1);
	assert_kind(do_defer(q, A, 1, 1, 0), OUTCOME_OK);
	assert_kind(do_defer(q, A, 2, 1, 60000), OUTCOME_OK);
	assert_kind(do_defer(q, A, 4, 1, 0), OUTCOME_OK);
	assert_kind(do_hold(q, 4), OUTCOME_OK);
	assert_kind(do_defer(q, A, 6, 1, 0), OUTCOME_OK);
	assert_kind(do_sweep(q, 0, &row, 1), OUTCOME_OK);
	assert_int_equal(do_claim(q, node_at('d', 100), 1).count, 1);
	row = (struct queue_sweep_node){ node_uuid('d'), 100, 100, FATE_DEAD };
	assert_kind(do_sweep(q, 1, &row, 1), OUTCOME_OK);
}

static void status_counts_messages_by_state_without_reading_them(void **state)
{
	struct queue_driver *q = *state;
	struct queue_counts counts;

	fill(q);
	assert_kind(do_settle(q, 'a', 8, "50", "ab"), OUTCOME_OK);
	assert_kind(do_settle(q, 'a', 9, "5", "ab"), OUTCOME_OK);
	counts = do_status(q).counts;
	assert_int_equal(counts.states[QUEUE_DUE], 2);
	assert_int_equal(counts.states[QUEUE_DEFERRED], 1);
	assert_int_equal(counts.states[QUEUE_OWNED], 2);
	assert_int_equal(counts.states[QUEUE_HELD], 1);
	assert_int_equal(counts.states[QUEUE_QUARANTINED], 1);
	assert_int_equal(counts.tombstones, 1);
	assert_int_equal(counts.facts, 1);
	assert_int_equal(counts.grace_ms, 0);
	assert_span_equal(counts.generation, GENERATION);
	assert_int_equal(counts.owner_count, 2);
	assert_string_equal(counts.owners[1].node.node.text, node_uuid('b').text);
	assert_int_equal(counts.owners[1].owned, 1);
	assert_int_equal(counts.awaited_count, 2);
	assert_int_equal(counts.awaited[0].news, 2);
}

static void on_age(void *arg, const struct outcome *outcome, const struct queue_age *age)
{
	assert_int_equal(outcome->kind, OUTCOME_OK);
	*(struct queue_age *)arg = *age;
}

/* Numbers of messages grow with their ids. */
static void the_oldest_is_found_among_what_waits_and_what_is_owned(void **state)
{
	struct queue_driver *q = *state;
	struct queue_age age = { .count = 99 };

	assert_true(queue_age(q->link, SHARD, q->driver->now_ms, on_age, &age));
	link_driver_settle(q->driver);
	assert_int_equal(age.count, 0);
	assert_false(age.has_oldest);
	fill(q);
	assert_true(queue_age(q->link, SHARD, q->driver->now_ms, on_age, &age));
	link_driver_settle(q->driver);
	assert_int_equal(age.count, 5);
	assert_true(age.has_oldest);
	assert_string_equal(msg_id_format(&age.oldest).text, text_of(1).text);
	assert_kind(do_cancel(q, 1), OUTCOME_OK);
	assert_kind(do_cancel(q, 2), OUTCOME_OK);
	assert_true(queue_age(q->link, SHARD, q->driver->now_ms, on_age, &age));
	link_driver_settle(q->driver);
	assert_string_equal(msg_id_format(&age.oldest).text, text_of(3).text);
}

static void an_empty_shard_has_a_status(void **state)
{
	struct queue_driver *q = *state;

	redis_client_command(&q->redis, "FLUSHALL");
	pass_ms(q, 0);
	assert_kind(do_status(q), OUTCOME_OK);
	assert_span_equal(do_status(q).counts.generation, "");
	assert_int_equal(do_list(q, QUEUE_DUE, SPAN_LIT(""), 10).count, 0);
}

/* Which messages a list of this state shows, page by page, as a set of bits; and in how many pages. */
static unsigned listed(
	struct queue_driver *q, enum queue_state state, unsigned page_size, unsigned *pages_out)
{
	struct span cursor = SPAN_LIT("");
	unsigned bits = 0;

	*pages_out = 0;
	do {
		struct answer page = do_list(q, state, cursor, page_size);

		assert_kind(page, OUTCOME_OK);
		for (size_t i = 0; i < page.count; i++)
			for (unsigned number = 1; number <= 7; number++)
				if (strcmp(msg_id_format(&page.views[i].record.id).text,
					    text_of(number).text) == 0)
					bits |= 1u << number;
		cursor = page.cursor_text;
		++*pages_out;
	} while (cursor.len > 0);
	return bits;
}

static void lists_walk_a_state_page_by_page(void **state)
{
	static const struct {
		enum queue_state state;
		unsigned bits;
	} rows[] = {
		{ QUEUE_DUE, 1 << 1 | 1 << 2 | 1 << 6 },
		{ QUEUE_OWNED, 1 << 3 | 1 << 7 },
		{ QUEUE_HELD, 1 << 4 | 1 << 5 },
	};
	struct queue_driver *q = *state;
	unsigned pages;

	fill(q);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(listed(q, rows[i].state, 1, &pages), rows[i].bits);
		assert_true(pages > 1);
		assert_int_equal(listed(q, rows[i].state, QUEUE_LIST_MAX, &pages), rows[i].bits);
		assert_int_equal(pages, 1);
	}
}

static void a_listed_row_tells_state_owner_and_next_try(void **state)
{
	struct queue_driver *q = *state;
	struct answer page;

	fill(q);
	page = do_list(q, QUEUE_DUE, SPAN_LIT(""), 2);
	assert_int_equal(page.count, 2);
	assert_id(page.views[0].record.id, 1);
	assert_int_equal(page.views[0].state, QUEUE_DUE);
	assert_int_equal(page.views[0].due_in_ms, 0);
	assert_int_equal(page.views[1].state, QUEUE_DEFERRED);
	assert_int_equal(page.views[1].due_in_ms, 60000);
	assert_int_equal(page.views[1].record.attempts, 1);
	assert_int_equal(page.views[1].owner.epoch, 0);
	assert_state(q, 5, QUEUE_QUARANTINED);
	assert_int_equal(do_show(q, 7).views[0].owner.epoch, 100);
}

static void a_cursor_of_another_form_starts_from_the_beginning(void **state)
{
	struct queue_driver *q = *state;

	fill(q);
	assert_int_equal(do_list(q, QUEUE_DUE, SPAN_LIT("; drop"), 10).count, 3);
	assert_int_equal(do_list(q, QUEUE_DUE, SPAN_LIT("9:0"), 10).count, 0);
}

static void states_have_names_that_read_back(void **state)
{
	enum queue_state parsed;

	(void)state;
	for (unsigned i = 0; i < QUEUE_STATES; i++) {
		assert_true(queue_state_parse(span_of_str(queue_state_name((enum queue_state)i)), &parsed));
		assert_int_equal(parsed, i);
	}
	assert_false(queue_state_parse(SPAN_LIT("lost"), &parsed));
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(status_counts_messages_by_state_without_reading_them),
		ROW(the_oldest_is_found_among_what_waits_and_what_is_owned),
		ROW(an_empty_shard_has_a_status),
		ROW(lists_walk_a_state_page_by_page),
		ROW(a_listed_row_tells_state_owner_and_next_try),
		ROW(a_cursor_of_another_form_starts_from_the_beginning),
		ROW(states_have_names_that_read_back),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
