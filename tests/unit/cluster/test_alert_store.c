#include "queue_driver.h"

#include "skein/cluster/alert_store.h"

enum { HOUR_MS = 3600000, SLICE_MS = 10000 };

struct got {
	enum outcome_kind kind;
	unsigned calls;
	uint64_t number, waiting, dropped;
	struct buf text;
};

static void on_done(void *arg, const struct outcome *outcome)
{
	struct got *got = arg;

	got->kind = outcome->kind;
	got->calls++;
}

static struct alert_counts counts_of(const struct alert_count *count)
{
	return (struct alert_counts){ count, count->name.len ? 1 : 0 };
}

/* One of each; "" for none. */
static void tell(
	struct queue_driver *q, const char *counter, const char *sender, const char *login, uint64_t step)
{
	const struct alert_count counted = { span_of_str(counter), step },
				 sent = { span_of_str(sender), step }, failed = { span_of_str(login), step };
	const struct alert_tell args = { node_uuid('a'), SPAN_LIT("{\"disk\": 1}"), counts_of(&counted),
		counts_of(&sent), counts_of(&failed) };
	struct got got = { .calls = 0 };

	assert_true(alert_store_tell(q->link, &args, q->driver->now_ms, on_done, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.calls, 1);
	assert_int_equal(got.kind, OUTCOME_OK);
}

static void append_counts(struct buf *out, const char *what, const struct alert_counts *counts)
{
	for (size_t i = 0; i < counts->count; i++)
		buf_printf(out, "%s %.*s=%llu;", what, SPAN_ARGS(counts->items[i].name),
			(unsigned long long)counts->items[i].step);
}

static void append_notes(struct buf *out, const char *what, const struct alert_notes *notes)
{
	for (size_t i = 0; i < notes->count; i++)
		buf_printf(out, "%s %.*s=%.*s;", what, SPAN_ARGS(notes->items[i].name),
			SPAN_ARGS(notes->items[i].text));
}

static void on_view(void *arg, const struct outcome *outcome, const struct alert_store_view *view)
{
	struct got *got = arg;

	on_done(arg, outcome);
	got->number = view->number;
	got->waiting = view->waiting;
	got->dropped = view->dropped;
	append_counts(&got->text, "count", &view->counters);
	append_counts(&got->text, "login", &view->logins);
	for (size_t i = 0; i < view->sender_count; i++)
		buf_printf(&got->text, "sender %.*s=%llu/%llu;", SPAN_ARGS(view->senders[i].name),
			(unsigned long long)view->senders[i].recent,
			(unsigned long long)view->senders[i].usual);
	append_notes(&got->text, "firing", &view->firing);
	append_notes(&got->text, "test", &view->tests);
}

static struct got look_as(
	struct queue_driver *q, struct incarnation leader, uint64_t window_ms, const char *expected)
{
	const struct alert_store_look args = { leader, SPAN_LIT("n1"), window_ms, 10, 5 };
	struct got got = { .calls = 0 };

	assert_true(alert_store_look(q->link, &args, q->driver->now_ms, on_view, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.calls, 1);
	assert_int_equal(got.kind, OUTCOME_OK);
	if (!span_eq(buf_span(&got.text), span_of_str(expected)))
		fail_msg("%.*s; wanted %s", SPAN_ARGS(buf_span(&got.text)), expected);
	buf_fini(&got.text);
	return got;
}

static struct got look(struct queue_driver *q, const char *expected)
{
	return look_as(q, node_at('a', 100), 60000, expected);
}

static void counters_are_summed_over_the_window(void **state)
{
	struct queue_driver *q = *state;

	tell(q, "accepted", "", "", 3);
	pass_ms(q, 30000);
	tell(q, "accepted", "", "", 4);
	look(q, "count accepted=7;");
	pass_ms(q, 40000);
	look(q, "count accepted=4;");
	pass_ms(q, 60000);
	look(q, "");
}

static void few_failed_logins_are_not_looked_at(void **state)
{
	struct queue_driver *q = *state;

	tell(q, "", "", "user joe", 4);
	look(q, "");
	pass_ms(q, SLICE_MS);
	tell(q, "", "", "user joe", 1);
	look(q, "login user joe=5;");
}

static void a_senders_usual_hour_is_learnt(void **state)
{
	struct queue_driver *q = *state;

	pass_ms(q, HOUR_MS - q->now_ms % HOUR_MS);
	for (int hour = 0; hour < 3; hour++) {
		tell(q, "", "joe example.org", "", 100);
		pass_ms(q, HOUR_MS);
	}
	tell(q, "", "joe example.org", "", 300);
	look(q, "sender joe example.org=400/100;");
	pass_ms(q, HOUR_MS / 2);
	look(q, "sender joe example.org=350/100;");
	/* The hours without mail count: less is usual now. */
	pass_ms(q, 48 * HOUR_MS);
	tell(q, "", "joe example.org", "", 20);
	look(q, "sender joe example.org=20/56;");
	pass_ms(q, 2 * HOUR_MS);
	look(q, "");
}

static void another_leader_is_counted(void **state)
{
	struct queue_driver *q = *state;

	look_as(q, node_at('a', 100), 60000, "");
	look_as(q, node_at('a', 100), 60000, "");
	look_as(q, node_at('b', 100), 60000, "count leader_changes=1;");
	look_as(q, node_at('b', 101), 60000, "count leader_changes=2;");
}

static enum outcome_kind put(
	struct queue_driver *q, uint64_t number, const char *subject, const char *text, const char *notice)
{
	const struct alert_note change = { .name = span_of_str(subject), .text = span_of_str(text) },
				note = { .name = span_of_str(notice), .text = SPAN_LIT("a notice") };
	const struct alert_store_put args = { number, { &change, 1 }, { &note, *notice ? 1 : 0 } };
	struct got got = { .calls = 0 };

	assert_true(alert_store_put(q->link, &args, q->driver->now_ms, on_done, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.calls, 1);
	return got.kind;
}

static void a_change_comes_with_its_notice_or_not_at_all(void **state)
{
	struct queue_driver *q = *state;
	struct got got;

	assert_int_equal(put(q, 0, "dns cluster", "firing 1 2 3 4", "1-mail"), OUTCOME_OK);
	got = look(q, "firing dns cluster=firing 1 2 3 4;");
	assert_int_equal(got.number, 1);
	assert_int_equal(got.waiting, 1);
	assert_int_equal(put(q, 0, "dns cluster", "", "2-mail"), OUTCOME_NOT);
	got = look(q, "firing dns cluster=firing 1 2 3 4;");
	assert_int_equal(got.waiting, 1);
	assert_int_equal(put(q, 1, "dns cluster", "", "2-mail"), OUTCOME_OK);
	got = look(q, "");
	assert_int_equal(got.waiting, 2);
	assert_int_equal(got.dropped, 0);
}

static void on_outbox(
	void *arg, const struct outcome *outcome, uint64_t at_ms, const struct alert_notes *notices)
{
	struct got *got = arg;

	on_done(arg, outcome);
	for (size_t i = 0; i < notices->count; i++)
		buf_printf(&got->text, "%.*s %llu ms %.*s;", SPAN_ARGS(notices->items[i].name),
			(unsigned long long)(at_ms - notices->items[i].at_ms),
			SPAN_ARGS(notices->items[i].text));
}

static void expect_outbox(struct queue_driver *q, const char *expected)
{
	struct got got = { .calls = 0 };

	assert_true(alert_store_outbox(q->link, q->driver->now_ms, on_outbox, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.kind, OUTCOME_OK);
	if (!span_eq(buf_span(&got.text), span_of_str(expected)))
		fail_msg("%.*s; wanted %s", SPAN_ARGS(buf_span(&got.text)), expected);
	buf_fini(&got.text);
}

static void a_notice_waits_until_somebody_took_it(void **state)
{
	struct queue_driver *q = *state;
	struct got got = { .calls = 0 };

	assert_int_equal(put(q, 0, "dns cluster", "firing 1 2 3 4", "1-mail"), OUTCOME_OK);
	pass_ms(q, 700);
	expect_outbox(q, "1-mail 700 ms a notice;");
	assert_true(alert_store_given(q->link, SPAN_LIT("1-mail"), false, q->driver->now_ms, on_done, &got));
	link_driver_settle(q->driver);
	expect_outbox(q, "");
	assert_int_equal(look(q, "firing dns cluster=firing 1 2 3 4;").dropped, 0);
	assert_int_equal(put(q, 1, "dns cluster", "", "2-mail"), OUTCOME_OK);
	assert_true(alert_store_given(q->link, SPAN_LIT("2-mail"), true, q->driver->now_ms, on_done, &got));
	assert_true(alert_store_given(q->link, SPAN_LIT("2-mail"), true, q->driver->now_ms, on_done, &got));
	link_driver_settle(q->driver);
	assert_int_equal(look(q, "").dropped, 1);
}

static void a_full_outbox_counts_what_it_drops(void **state)
{
	struct queue_driver *q = *state;
	char id[32];

	for (unsigned i = 0; i < 1002; i++) {
		snprintf(id, sizeof(id), "%u-mail", i);
		assert_int_equal(put(q, i, "dns cluster", "", id), OUTCOME_OK);
	}
	assert_int_equal(look(q, "").dropped, 2);
}

static enum outcome_kind silence(struct queue_driver *q, const char *what, uint64_t for_ms)
{
	const struct alert_silence args = { span_of_str(what), for_ms, SPAN_LIT("joe"), SPAN_LIT("I know") };
	struct got got = { .calls = 0 };

	assert_true(alert_store_silence(q->link, &args, q->driver->now_ms, on_done, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.calls, 1);
	return got.kind;
}

static void on_silences(void *arg, const struct outcome *outcome, const struct alert_store_view *view)
{
	struct got *got = arg;

	on_done(arg, outcome);
	append_notes(&got->text, "silence", &view->silences);
}

static void expect_silences(struct queue_driver *q, size_t count)
{
	const struct alert_store_look args = { node_at('a', 100), SPAN_LIT("n1"), 60000, 10, 5 };
	struct got got = { .calls = 0 };
	size_t seen = 0;

	assert_true(alert_store_look(q->link, &args, q->driver->now_ms, on_silences, &got));
	link_driver_settle(q->driver);
	for (struct span rest = buf_span(&got.text); rest.len;
		rest = span_drop(rest, span_find(rest, ';') + 1))
		seen++;
	assert_int_equal(seen, count);
	buf_fini(&got.text);
}

static void a_silence_ends(void **state)
{
	struct queue_driver *q = *state;

	assert_int_equal(silence(q, "dns", 0), OUTCOME_NOT);
	assert_int_equal(silence(q, "dns", 5000), OUTCOME_OK);
	assert_int_equal(silence(q, "node-lost n1", 50000), OUTCOME_OK);
	expect_silences(q, 2);
	pass_ms(q, 5000);
	expect_silences(q, 1);
	assert_int_equal(silence(q, "node-lost n1", 0), OUTCOME_OK);
	expect_silences(q, 0);
	for (unsigned i = 0; i < 200; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(silence(q, name, 5000), OUTCOME_OK);
	}
	assert_int_equal(silence(q, "one-more", 5000), OUTCOME_HELD);
}

static void on_result(void *arg, const struct outcome *outcome, struct span text)
{
	struct got *got = arg;

	on_done(arg, outcome);
	buf_clear(&got->text);
	buf_append(&got->text, text);
}

static void a_test_goes_to_the_leader_once_and_its_result_back(void **state)
{
	struct queue_driver *q = *state;
	struct got got = { .calls = 0 };

	assert_true(
		alert_store_test(q->link, SPAN_LIT("7"), SPAN_LIT("ops"), q->driver->now_ms, on_done, &got));
	assert_true(alert_store_test(q->link, SPAN_LIT("8"), SPAN_LIT(""), q->driver->now_ms, on_done, &got));
	assert_true(alert_store_result(q->link, SPAN_LIT("7"), q->driver->now_ms, on_result, &got));
	link_driver_settle(q->driver);
	assert_int_equal(buf_len(&got.text), 0);
	look(q, "test 7=ops;test 8=;");
	look(q, "");
	assert_true(
		alert_store_tested(q->link, SPAN_LIT("7"), SPAN_LIT("[]"), q->driver->now_ms, on_done, &got));
	assert_true(alert_store_result(q->link, SPAN_LIT("7"), q->driver->now_ms, on_result, &got));
	link_driver_settle(q->driver);
	assert_true(span_eq(buf_span(&got.text), SPAN_LIT("[]")));
	buf_fini(&got.text);
}

static void on_list(void *arg, const struct outcome *outcome, const struct alert_store_list *list)
{
	struct got *got = arg;

	on_done(arg, outcome);
	got->waiting = list->waiting;
	append_notes(&got->text, "firing", &list->firing);
	buf_printf(&got->text, "by %.*s %llu ms ago", SPAN_ARGS(list->by),
		(unsigned long long)(list->now_ms - list->at_ms));
}

static void the_list_says_when_the_leader_looked(void **state)
{
	struct queue_driver *q = *state;
	struct got got = { .calls = 0 };

	assert_int_equal(put(q, 0, "dns cluster", "firing 1 2 3 4", "1-mail"), OUTCOME_OK);
	look(q, "firing dns cluster=firing 1 2 3 4;");
	pass_ms(q, 800);
	assert_true(alert_store_list(q->link, q->driver->now_ms, on_list, &got));
	link_driver_settle(q->driver);
	assert_int_equal(got.waiting, 1);
	assert_true(
		span_eq(buf_span(&got.text), SPAN_LIT("firing dns cluster=firing 1 2 3 4;by n1 800 ms ago")));
	buf_fini(&got.text);
}

#define ROW(name) cmocka_unit_test_setup(name, queue_driver_reset)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROW(counters_are_summed_over_the_window),
		ROW(few_failed_logins_are_not_looked_at),
		ROW(a_senders_usual_hour_is_learnt),
		ROW(another_leader_is_counted),
		ROW(a_change_comes_with_its_notice_or_not_at_all),
		ROW(a_notice_waits_until_somebody_took_it),
		ROW(a_full_outbox_counts_what_it_drops),
		ROW(a_silence_ends),
		ROW(a_test_goes_to_the_leader_once_and_its_result_back),
		ROW(the_list_says_when_the_leader_looked),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
