#include "queue_driver.h"

#include "skein/cluster/policy_store.h"

#include <stdio.h>

struct told {
	enum outcome_kind kind;
	struct policy_version version;
	char author[64], comment[64], text[64];
	uint64_t size;
	struct policy_history history;
	struct policy_note notes[POLICY_VERSIONS_KEPT + 1]; /* without their texts */
};

static void copy(char out[64], struct span text)
{
	snprintf(out, 64, "%.*s", SPAN_ARGS(text));
}

static void on_note(void *arg, const struct outcome *outcome, const struct policy_note *note)
{
	struct told *told = arg;

	told->kind = outcome->kind;
	told->version = note->version;
	copy(told->author, note->author);
}

static void on_text(
	void *arg, const struct outcome *outcome, const struct policy_note *note, struct span text)
{
	struct told *told = arg;

	on_note(arg, outcome, note);
	copy(told->comment, note->comment);
	copy(told->text, text);
	told->size = note->size;
}

static void on_version(void *arg, const struct outcome *outcome, const struct policy_version *version)
{
	struct told *told = arg;

	told->kind = outcome->kind;
	told->version = *version;
}

static void on_history(void *arg, const struct outcome *outcome, const struct policy_history *history)
{
	struct told *told = arg;

	told->kind = outcome->kind;
	told->history = *history;
	assert_true(history->count <= ARRAY_LEN(told->notes));
	for (size_t i = 0; i < history->count; i++)
		told->notes[i] = history->notes[i];
	if (history->count) {
		copy(told->author, history->notes[0].author);
		copy(told->comment, history->notes[0].comment);
	}
}

static struct told put(struct queue_driver *q, uint64_t expected, const char *author, const char *text)
{
	const struct policy_put args = { expected, span_of_str(author), SPAN_LIT("why: \"x\"\n"),
		span_of_str(text) };
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(policy_put(q->link, &args, q->driver->now_ms, on_note, &told));
	link_driver_settle(q->driver);
	return told;
}

static struct told get(struct queue_driver *q, uint64_t number)
{
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(policy_get(q->link, number, q->driver->now_ms, on_text, &told));
	link_driver_settle(q->driver);
	return told;
}

static struct told current(struct queue_driver *q)
{
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(policy_current(q->link, q->driver->now_ms, on_version, &told));
	link_driver_settle(q->driver);
	return told;
}

static struct told history(struct queue_driver *q)
{
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(policy_history(q->link, q->driver->now_ms, on_history, &told));
	link_driver_settle(q->driver);
	return told;
}

static struct told restore(struct queue_driver *q, uint64_t number, uint64_t at_ms, const char *text)
{
	const struct policy_note note = { { number, at_ms }, SPAN_LIT("old@host"), SPAN_LIT("c"), 0 };
	struct told told = { .kind = OUTCOME_UNKNOWN };

	assert_true(policy_restore(q->link, &note, span_of_str(text), q->driver->now_ms, on_note, &told));
	link_driver_settle(q->driver);
	return told;
}

static void before_the_first_version_there_is_none(void **state)
{
	struct queue_driver *q = *state;
	struct told told = current(q);

	assert_int_equal(told.kind, OUTCOME_OK);
	assert_int_equal(told.version.number, 0);
	assert_int_equal(get(q, 0).kind, OUTCOME_GONE);
	told = history(q);
	assert_int_equal(told.kind, OUTCOME_OK);
	assert_int_equal(told.history.current, 0);
	assert_int_equal(told.history.count, 0);
}

static void a_version_is_kept_as_it_was_written_with_who_when_and_why(void **state)
{
	struct queue_driver *q = *state;
	struct told first = put(q, 0, "ann@host", "clients: [] # a\n"), told;

	assert_int_equal(first.kind, OUTCOME_OK);
	assert_int_equal(first.version.number, 1);
	told = current(q);
	assert_int_equal(told.version.number, 1);
	assert_int_equal(told.version.at_ms, first.version.at_ms);
	assert_int_equal(told.version.at_ms, q->now_ms);
	pass_ms(q, 1000);
	assert_int_equal(put(q, 1, "bob@host", "").version.number, 2);
	told = get(q, 1);
	assert_int_equal(told.kind, OUTCOME_OK);
	assert_string_equal(told.text, "clients: [] # a\n");
	assert_string_equal(told.author, "ann@host");
	assert_string_equal(told.comment, "why: \"x\"\n");
	assert_int_equal(told.version.at_ms, first.version.at_ms);
	told = get(q, 0);
	assert_int_equal(told.version.number, 2);
	assert_int_equal(told.size, 0);
	assert_int_equal(told.version.at_ms, first.version.at_ms + 1000);
	assert_int_equal(get(q, 3).kind, OUTCOME_GONE);
}

static void the_second_of_two_editors_is_told_of_the_first(void **state)
{
	struct queue_driver *q = *state;
	struct told told;

	assert_int_equal(put(q, 0, "ann@host", "one").kind, OUTCOME_OK);
	assert_int_equal(put(q, 1, "ann@host", "two").kind, OUTCOME_OK);
	told = put(q, 1, "bob@host", "lost");
	assert_int_equal(told.kind, OUTCOME_NOT);
	assert_int_equal(told.version.number, 2);
	assert_string_equal(told.author, "ann@host");
	assert_string_equal(get(q, 0).text, "two");
	assert_int_equal(put(q, 0, "bob@host", "lost").kind, OUTCOME_NOT);
	assert_int_equal(put(q, 7, "bob@host", "lost").kind, OUTCOME_NOT);
	assert_int_equal(history(q).history.count, 2);
}

static void a_hundred_versions_are_kept_newest_first(void **state)
{
	struct queue_driver *q = *state;
	struct told told;

	for (uint64_t number = 0; number < POLICY_VERSIONS_KEPT + 5; number++)
		assert_int_equal(put(q, number, "ann@host", "text").kind, OUTCOME_OK);
	told = history(q);
	assert_int_equal(told.history.current, POLICY_VERSIONS_KEPT + 5);
	assert_int_equal(told.history.count, POLICY_VERSIONS_KEPT);
	for (size_t i = 0; i < POLICY_VERSIONS_KEPT; i++) {
		assert_int_equal(told.notes[i].version.number, POLICY_VERSIONS_KEPT + 5 - i);
		assert_int_equal(told.notes[i].size, 4);
	}
	assert_int_equal(get(q, 5).kind, OUTCOME_GONE);
	assert_int_equal(get(q, 6).kind, OUTCOME_OK);
	assert_int_equal(redis_client_integer(&q->redis, "HLEN skein:{policy}:texts"), POLICY_VERSIONS_KEPT);
}

static void what_redis_lost_comes_back_from_a_node_and_nothing_newer_is_replaced(void **state)
{
	struct queue_driver *q = *state;
	struct told told = restore(q, 7, 1234, "seven");

	assert_int_equal(told.kind, OUTCOME_OK);
	told = get(q, 0);
	assert_int_equal(told.version.number, 7);
	assert_int_equal(told.version.at_ms, 1234);
	assert_string_equal(told.text, "seven");
	assert_string_equal(told.author, "old@host");
	assert_int_equal(restore(q, 6, 1200, "six").kind, OUTCOME_NOT);
	assert_int_equal(restore(q, 7, 1300, "other").kind, OUTCOME_NOT);
	assert_int_equal(restore(q, 8, 1300, "eight").kind, OUTCOME_OK);
	assert_int_equal(put(q, 8, "ann@host", "nine").kind, OUTCOME_OK);
	assert_string_equal(get(q, 0).text, "nine");
	assert_string_equal(get(q, 7).text, "seven");
}

/* Two versions with one number, made by two Redis, are told apart. */
static void a_later_version_has_a_later_time(void **state)
{
	struct queue_driver *q = *state;
	uint64_t ahead_ms = q->now_ms + 5000;
	struct told told;

	assert_int_equal(restore(q, 3, ahead_ms, "three").kind, OUTCOME_OK);
	told = put(q, 3, "ann@host", "four");
	assert_int_equal(told.version.at_ms, ahead_ms + 1);
}

int main(void)
{
#define ROW(test) cmocka_unit_test_setup(test, queue_driver_reset)
	const struct CMUnitTest tests[] = {
		ROW(before_the_first_version_there_is_none),
		ROW(a_version_is_kept_as_it_was_written_with_who_when_and_why),
		ROW(the_second_of_two_editors_is_told_of_the_first),
		ROW(a_hundred_versions_are_kept_newest_first),
		ROW(what_redis_lost_comes_back_from_a_node_and_nothing_newer_is_replaced),
		ROW(a_later_version_has_a_later_time),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
