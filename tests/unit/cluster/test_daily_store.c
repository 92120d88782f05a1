#include "queue_driver.h"

#include "skein/cluster/daily_store.h"

struct got {
	struct daily_note note;
	struct buf by, text;
	enum outcome_kind kind;
	unsigned calls;
};

static void on_note(void *arg, const struct outcome *outcome, const struct daily_note *note)
{
	struct got *got = arg;

	got->calls++;
	got->kind = outcome->kind;
	got->note = *note;
	buf_append(&got->by, note->by);
	buf_append(&got->text, note->text);
}

static void on_put(void *arg, const struct outcome *outcome)
{
	struct got *got = arg;

	got->calls++;
	got->kind = outcome->kind;
}

static enum outcome_kind do_put(struct queue_driver *q, const char *job, uint64_t number, const char *text)
{
	const struct daily_put args = { number, SPAN_LIT("node-1"), span_of_str(text) };
	struct got got = { .calls = 0 };

	assert_true(daily_put(q->link, job, &args, q->driver->now_ms, on_put, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.calls, 1);
	return got.kind;
}

/* What is there is what the row says. */
static void check(struct queue_driver *q, const char *job, uint64_t number, uint64_t age_ms, const char *text)
{
	struct got got = { .calls = 0 };

	assert_true(daily_get(q->link, job, q->driver->now_ms, on_note, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.calls, 1);
	assert_int_equal(got.kind, OUTCOME_OK);
	assert_int_equal(got.note.number, number);
	if (number)
		assert_int_equal(got.note.now_ms - got.note.at_ms, age_ms);
	assert_true(span_eq(buf_span(&got.text), span_of_str(text)));
	assert_true(span_eq(buf_span(&got.by), span_of_str(number ? "node-1" : "")));
	buf_fini(&got.by);
	buf_fini(&got.text);
}

static void a_job_was_never_done_until_it_is(void **state)
{
	struct queue_driver *q = *state;

	check(q, "dns", 0, 0, "");
	assert_int_equal(do_put(q, "dns", 0, "first"), OUTCOME_OK);
	pass_ms(q, 700);
	check(q, "dns", 1, 700, "first");
	check(q, "other", 0, 0, "");
}

static void who_goes_on_from_an_older_note_changes_nothing(void **state)
{
	struct queue_driver *q = *state;

	assert_int_equal(do_put(q, "dns", 0, "first"), OUTCOME_OK);
	pass_ms(q, 100);
	assert_int_equal(do_put(q, "dns", 0, "late"), OUTCOME_NOT);
	check(q, "dns", 1, 100, "first");
	assert_int_equal(do_put(q, "dns", 1, "second"), OUTCOME_OK);
	assert_int_equal(do_put(q, "dns", 1, "late"), OUTCOME_NOT);
	check(q, "dns", 2, 0, "second");
}

#define ROW(name) cmocka_unit_test_setup(name, queue_driver_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(a_job_was_never_done_until_it_is),
		ROW(who_goes_on_from_an_older_note_changes_nothing),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
