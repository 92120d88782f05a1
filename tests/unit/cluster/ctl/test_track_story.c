/* What is searched for among tracking events, and what is told of it. Events are those of a table here, given
 * out as chunks of one event each: by their terms. */
#include "cmocka_all.h"

#include "moment.h"
#include "skein/cluster/track_line.h"
#include "track_story.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

/* Their first ten letters are the time of their receipt, in ms. */
#define ID_A "000000000Y0000000000000AAA"
#define ID_B "000000000Z0000000000000BBB"
#define ID_R "00000000280000000000000RRR"

/* ---- moments ---- */

static void moments_are_read_as_people_write_them(void **state)
{
	/* Thursday, 2026-01-15 12:00:00 UTC: one hour later in Berlin. */
	static const uint64_t now_us = 1768478400ull * 1000000;
	static const struct {
		const char *text;
		bool is_utc, is_good;
		int64_t after_now_s;
	} rows[] = {
		{ "1h", false, true, -3600 },
		{ "90s", true, true, -90 },
		{ "14:30", false, true, 5400 },
		{ "14:30", true, true, 9000 },
		{ "14:30:05", true, true, 9005 },
		{ "14:30Z", false, true, 9000 },
		{ "2026-01-15", true, true, -43200 },
		{ "2026-01-15", false, true, -46800 },
		{ "2026-01-15 12:00", true, true, 0 },
		{ "2026-01-15T13:00:00", false, true, 0 },
		{ "2026-01-15T12:00:00Z", false, true, 0 },
		/* Summer time. */
		{ "2025-07-15 14:00", false, true, -184 * 86400 },
		{ "", false, false, 0 },
		{ "Z", false, false, 0 },
		{ "yesterday", false, false, 0 },
		{ "25:00", false, false, 0 },
		{ "2026-01-15 12:00:00 and more", false, false, 0 },
		{ "1h ", false, false, 0 },
	};
	struct buf text = { 0 };

	(void)state;
	setenv("TZ", "Europe/Berlin", 1);
	tzset();
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t us = 0;
		bool is_good = moment_parse(rows[i].text, now_us, rows[i].is_utc, &us);

		if (is_good != rows[i].is_good ||
			(is_good && us != (uint64_t)((int64_t)now_us + rows[i].after_now_s * 1000000)))
			fail_msg("row %zu: %s is %llu", i, rows[i].text, (unsigned long long)us);
	}
	moment_append(now_us + 7000, true, &text);
	buf_append_byte(&text, '|');
	moment_append(now_us + 7000, false, &text);
	assert_true(span_eq(buf_span(&text), SPAN_LIT("2026-01-15 12:00:00.007Z|2026-01-15 13:00:00.007")));
	buf_fini(&text);
}

/* ---- a source ---- */

struct row {
	uint64_t time_ms;
	enum track_kind kind;
	const char *node;
	uint64_t session;
	const char *id, *client, *sender, *recipient, *about;
};

static const struct row rows[] = {
	{ 10, TRACK_CONNECT, "node-1", 5, NULL, "10.1.2.3", NULL, NULL, NULL },
	{ 11, TRACK_CONNECT, "node-2", 5, NULL, "10.9.9.9", NULL, NULL, NULL },
	{ 20, TRACK_REJECT, "node-1", 5, NULL, "10.1.2.3", "jane@a.example", "no@b.example", NULL },
	{ 21, TRACK_REJECT, "node-1", 5, NULL, "10.1.2.3", "other@a.example", "no@b.example", NULL },
	{ 30, TRACK_RECEIVE, "node-1", 5, ID_A, "10.1.2.3", "jane@a.example", "x@b.example y@c.example",
		NULL },
	{ 31, TRACK_RECEIVE, "node-1", 5, ID_B, "10.1.2.3", "joe@a.example", "x@b.example", NULL },
	{ 40, TRACK_DISCONNECT, "node-1", 5, NULL, "10.1.2.3", NULL, NULL, NULL },
	{ 50, TRACK_DEFER, "node-1", 0, ID_A, NULL, "jane@a.example", "x@b.example", NULL },
	{ 60, TRACK_TAKEOVER, "node-2", 0, ID_A, NULL, "jane@a.example", NULL, NULL },
	{ 70, TRACK_DELIVER, "node-2", 0, ID_A, NULL, "jane@a.example", "x@b.example", NULL },
	{ 71, TRACK_FAIL, "node-2", 0, ID_A, NULL, "jane@a.example", "y@c.example", NULL },
	{ 72, TRACK_BOUNCE, "node-2", 0, ID_R, NULL, NULL, "jane@a.example", ID_A },
	{ 80, TRACK_DELIVER, "node-2", 0, ID_R, NULL, NULL, "jane@a.example", NULL },
	{ 90, TRACK_REJECT, "node-3", 6, NULL, "10.1.2.4", "spam@z.example", NULL, NULL },
	{ 91, TRACK_DISCONNECT, "node-3", 6, NULL, "10.1.2.4", NULL, NULL, NULL },
	{ 95, TRACK_REJECT, "node-3", 0, NULL, NULL, NULL, NULL, NULL },
	{ 96, TRACK_NODE, "node-3", 0, NULL, NULL, NULL, NULL, NULL },
	{ 97, TRACK_POLICY, "node-3", 0, NULL, NULL, NULL, NULL, NULL },
};

static struct track_event event_of(const struct row *row)
{
	struct track_event event = {
		.kind = row->kind, .time_us = row->time_ms * 1000, .session = row->session
	};

	event.text[TRACK_NODE_NAME] = span_of_str(row->node);
	event.text[TRACK_ID] = span_of_str(row->id);
	event.text[TRACK_CLIENT] = span_of_str(row->client);
	event.text[TRACK_SENDER] = span_of_str(row->sender);
	event.text[TRACK_RECIPIENT] = span_of_str(row->recipient);
	event.text[TRACK_ABOUT] = span_of_str(row->about);
	return event;
}

struct terms {
	uint64_t seen[32];
	size_t count;
};

static void on_term(void *arg, uint64_t term)
{
	struct terms *terms = arg;

	terms->seen[terms->count++] = term;
}

static bool has(const struct terms *terms, uint64_t term)
{
	for (size_t i = 0; i < terms->count; i++)
		if (terms->seen[i] == term)
			return true;
	return false;
}

static bool may_match(const struct track_event *event, const struct track_search *search)
{
	struct terms terms = { .count = 0 };
	bool has_any = !search->any_count;

	track_terms_each(event, on_term, &terms);
	for (size_t i = 0; i < search->all_count; i++)
		if (!has(&terms, search->all[i]))
			return false;
	for (size_t i = 0; i < search->any_count; i++)
		has_any = has_any || has(&terms, search->any[i].term);
	return has_any;
}

static enum ctl_exit visit(void *ctx, const struct track_search *search, const struct track_visitor *visitor)
{
	(void)ctx;
	for (size_t i = ARRAY_LEN(rows); i-- > 0;) {
		struct track_event event = event_of(&rows[i]);

		/* Each twice: what is told must be told once. */
		for (unsigned j = 0; j < 2 && may_match(&event, search); j++)
			visitor->take(visitor->arg, &event, 1, i);
		if (visitor->has_enough &&
			visitor->has_enough(visitor->arg, i ? rows[i - 1].time_ms * 1000 : 0))
			break;
	}
	return CTL_OK;
}

/* ---- stories ---- */

/* "number number; number": the rows of each story, in its order. */
static void tell(const struct track_stories *stories, struct buf *out)
{
	for (size_t i = 0; i < stories->told_count; i++) {
		if (i)
			buf_append_str(
				out, stories->told[i].story == stories->told[i - 1].story ? " " : "; ");
		buf_append_u64(out, stories->told[i].number);
	}
}

static void check(struct track_wanted wanted, size_t limit, const char *expected, bool has_more)
{
	const struct track_source source = { NULL, visit };
	struct track_stories stories;
	struct buf told = { 0 };

	track_stories_init(&stories, &wanted, limit);
	assert_int_equal(track_stories_read(&stories, &source), CTL_OK);
	tell(&stories, &told);
	if (!span_eq(buf_span(&told), span_of_str(expected)))
		fail_msg("told: %.*s; wanted: %s", SPAN_ARGS(buf_span(&told)), expected);
	assert_int_equal(stories.has_more, has_more);
	buf_fini(&told);
	track_stories_fini(&stories);
}

#define MESSAGE_A "0 2 4 6 7 8 9 10 11"
#define MESSAGE_B "0 5 6"
#define REPORT    "11 12"
#define REFUSED   "13 14"

static void a_message_is_found_by_what_is_said_of_it(void **state)
{
	struct network client, network, other;

	(void)state;
	assert_true(network_parse(SPAN_LIT("10.1.2.3"), &client));
	assert_true(network_parse(SPAN_LIT("10.1.0.0/16"), &network));
	assert_true(network_parse(SPAN_LIT("10.1.2.4"), &other));
	check((struct track_wanted){ .id = SPAN_LIT(ID_A) }, 20, MESSAGE_A "; " REPORT, false);
	check((struct track_wanted){ .id = SPAN_LIT(ID_R) }, 20, MESSAGE_A "; " REPORT, false);
	check((struct track_wanted){ .id = SPAN_LIT(ID_B) }, 20, MESSAGE_B, false);
	check((struct track_wanted){ .from = SPAN_LIT("Joe@A.example") }, 20, MESSAGE_B, false);
	check((struct track_wanted){ .to = SPAN_LIT("y@c.example") }, 20, MESSAGE_A "; " REPORT, false);
	check((struct track_wanted){ .from = SPAN_LIT("joe@a.example"), .to = SPAN_LIT("y@c.example") }, 20,
		"", false);
	check((struct track_wanted){ .from = SPAN_LIT("@z.example") }, 20, REFUSED, false);
	check((struct track_wanted){ .has_client = true, .client = other }, 20, REFUSED, false);
	check((struct track_wanted){ .has_client = true, .client = client }, 20,
		MESSAGE_A "; " REPORT "; " MESSAGE_B, false);
	check((struct track_wanted){ .has_client = true, .client = network }, 20,
		MESSAGE_A "; " REPORT "; " MESSAGE_B "; " REFUSED, false);
	check((struct track_wanted){ .since_us = 31000, .until_us = 32000 }, 20, MESSAGE_B, false);
	check((struct track_wanted){ .since_us = 95000 }, 20, "15", false);
	check((struct track_wanted){ .user = SPAN_LIT("jane") }, 20, "", false);
}

static void the_newest_are_told_when_there_are_more(void **state)
{
	(void)state;
	check((struct track_wanted){ .from = SPAN_LIT("@a.example") }, 20,
		MESSAGE_A "; " REPORT "; " MESSAGE_B, false);
	/* B was received later, whatever became of A since. */
	check((struct track_wanted){ .from = SPAN_LIT("@a.example") }, 1, MESSAGE_B, true);
	check((struct track_wanted){ .since_us = 1 }, 1, "15", true);
}

static void what_comes_later_goes_on_with_a_story(void **state)
{
	static const struct row later[] = {
		{ 100, TRACK_DELIVER, "node-1", 0, ID_B, NULL, "joe@a.example", "x@b.example", NULL },
		{ 101, TRACK_BOUNCE, "node-1", 0, "01KB0000000000000000000SSS", NULL, NULL, "joe@a.example",
			ID_B },
		{ 102, TRACK_DELIVER, "node-1", 0, "01KB0000000000000000000SSS", NULL, NULL, "joe@a.example",
			NULL },
		{ 103, TRACK_DISCONNECT, "node-1", 5, NULL, NULL, NULL, NULL, NULL },
		{ 104, TRACK_RECEIVE, "node-1", 8, "01KB0000000000000000000TTT", NULL, "joe@a.example",
			"q@b.example", NULL },
		{ 105, TRACK_DELIVER, "node-1", 0, "01KB0000000000000000000TTT", NULL, NULL, "q@b.example",
			NULL },
		{ 106, TRACK_DELIVER, "node-1", 0, "01KB0000000000000000000VVV", NULL, NULL, "q@b.example",
			NULL },
		{ 107, TRACK_DISCONNECT, "node-2", 5, NULL, NULL, NULL, NULL, NULL },
	};
	const struct track_source source = { NULL, visit };
	const struct track_wanted wanted = { .from = SPAN_LIT("joe@a.example") };
	struct track_stories stories;

	(void)state;
	track_stories_init(&stories, &wanted, 20);
	assert_int_equal(track_stories_read(&stories, &source), CTL_OK);
	for (size_t i = 0; i < ARRAY_LEN(later); i++) {
		struct track_event event = event_of(&later[i]);

		assert_int_equal(track_stories_go_on(&stories, &event), i < 6);
	}
	track_stories_fini(&stories);
}

enum { MANY = 40, OPEN = 7 };

/* Each has its receipt, its delivery, and more than an hour later a second delivery, in a chunk of their own.
 */
static enum ctl_exit visit_many(
	void *ctx, const struct track_search *search, const struct track_visitor *visitor)
{
	size_t *late = ctx;

	for (unsigned i = 0; i < 3 * MANY; i++) {
		char id[27];
		struct track_event event = { .kind = i < MANY ? TRACK_RECEIVE : TRACK_DELIVER,
			.time_us = i < 2 * MANY ? 1000 : (uint64_t)2 * 3600 * 1000000,
			.session = i < MANY ? 1 + i : 0,
			.recipients = i < MANY ? 1 + (i == OPEN) : 0 };
		bool is_asked = !search->any_count;

		snprintf(id, sizeof(id), "000000000100000000000000%02u", i % MANY);
		event.text[TRACK_ID] = span_of_str(id);
		event.text[TRACK_NODE_NAME] = SPAN_LIT("node-1");
		event.text[TRACK_RECIPIENT] =
			i < 2 * MANY ? SPAN_LIT("x@b.example") : SPAN_LIT("y@b.example");
		for (size_t j = 0; j < search->any_count; j++)
			is_asked = is_asked ||
				   (search->any[j].term == track_term(TRACK_TERM_ID, span_of_str(id)) &&
					   event.time_us < search->any[j].until_us);
		if (is_asked)
			visitor->take(visitor->arg, &event, 1, i);
		*late += search->any_count && is_asked && i >= 2 * MANY;
	}
	return CTL_OK;
}

static void of_many_those_that_have_ended_are_not_looked_for_on_and_on(void **state)
{
	static const struct {
		size_t limit, late;
	} rows_of_limit[] = { { MANY, 1 }, { 20, 20 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows_of_limit); i++) {
		size_t late = 0;
		const struct track_source source = { &late, visit_many };
		const struct track_wanted wanted = { .since_us = 1 };
		struct track_stories stories;

		track_stories_init(&stories, &wanted, rows_of_limit[i].limit);
		assert_int_equal(track_stories_read(&stories, &source), CTL_OK);
		assert_int_equal(track_stories_shown(&stories), rows_of_limit[i].limit);
		assert_int_equal(late, rows_of_limit[i].late);
		track_stories_fini(&stories);
	}
}

/* ---- lines ---- */

static void an_event_comes_back_from_its_line(void **state)
{
	struct track_event event = event_of(&rows[4]), again;
	struct arena arena = { 0 };
	struct buf line = { 0 }, second = { 0 };

	(void)state;
	event.time_us = 1768478400123456;
	event.session = 0xfedcba9876543210;
	event.code = 250;
	event.size = 12345;
	event.latency_us = 1500;
	event.attempts = 2;
	event.recipients = 3;
	event.run = 0xfedcba9876543210;
	event.number = 17;
	event.text[TRACK_TEXT] = SPAN_LIT("a \"b\" \\ \xc3\xa4");
	track_event_json(&event, &line);
	assert_true(track_line_read(buf_span(&line), &arena, &again));
	assert_true(again.run == event.run && again.number == event.number);
	track_event_json(&again, &second);
	assert_true(span_eq(buf_span(&line), buf_span(&second)));
	buf_fini(&line);
	buf_fini(&second);
	arena_fini(&arena);
}

static void what_is_no_event_is_refused(void **state)
{
	static const char *const lines[] = { "", "{}", "[]", "null",
		"{\"time\":\"2026-01-15T12:00:00.000000Z\"}",
		"{\"time\":\"2026-01-15T12:00:00Z\",\"event\":\"CONNECT\"}",
		"{\"time\":\"2026-01-15T12:00:00.000000Z\",\"event\":\"NOTHING\"}",
		"{\"time\":\"2026-01-15T12:00:00.000000Z\",\"event\":\"CONNECT\",\"session\":\"xyz\"}",
		"{\"time\":\"2026-01-15T12:00:00.000000Z\",\"event\":\"CONNECT\",\"code\":-1}",
		"{\"time\":\"2026-01-15T12:00:00.000000Z\",\"event\":\"CONNECT\",\"id\":7}",
		"{\"time\":\"2026-01-15T12:00:00.000000Z\",\"event\":\"CONNECT\",\"seq\":\"7\"}",
		"{\"time\":\"2026-01-15T12:00:00.000000Z\",\"event\":\"CONNECT\"" };
	struct arena arena = { 0 };
	struct track_event event;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lines); i++)
		if (track_line_read(span_of_str(lines[i]), &arena, &event))
			fail_msg("row %zu: %s", i, lines[i]);
	arena_fini(&arena);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(moments_are_read_as_people_write_them),
		cmocka_unit_test(a_message_is_found_by_what_is_said_of_it),
		cmocka_unit_test(the_newest_are_told_when_there_are_more),
		cmocka_unit_test(what_comes_later_goes_on_with_a_story),
		cmocka_unit_test(of_many_those_that_have_ended_are_not_looked_for_on_and_on),
		cmocka_unit_test(an_event_comes_back_from_its_line),
		cmocka_unit_test(what_is_no_event_is_refused),
	};

	return cmocka_run_group_tests_name("track_story", tests, NULL, NULL);
}
