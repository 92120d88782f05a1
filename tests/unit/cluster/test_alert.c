#include "cmocka_all.h"

#include "skein/cluster/alert.h"

/* What is seen at `at_s`, and what comes of it. `value` NONE: nothing is known to be wrong. */
#define NONE UINT64_MAX
enum { TOLD = 1, SILENCED = 2 };
struct step {
	uint64_t at_s, value;
	enum alert_news news;
	unsigned how; /* set of TOLD, SILENCED */
};

struct course {
	const char *name;
	enum alert_unit unit;
	struct alert_rule rule;
	uint64_t repeat_s;
	struct step steps[8];
};

static const struct course courses[] = {
	{ "below the bound nothing happens", ALERT_UNIT_NUMBER, { .bound = 10 }, 0,
		{ { 1, 0, ALERT_NO_NEWS, 0 }, { 2, 10, ALERT_NO_NEWS, 0 }, { 3, NONE, ALERT_NO_NEWS, 0 } } },
	{ "without a time it fires at once, once", ALERT_UNIT_NUMBER, { .bound = 10 }, 0,
		{ { 1, 11, ALERT_FIRED, TOLD }, { 2, 11, ALERT_NO_NEWS, 0 }, { 3, 500, ALERT_NO_NEWS, 0 },
			{ 4, 8, ALERT_RECOVERED, TOLD }, { 5, 8, ALERT_NO_NEWS, 0 },
			{ 6, 11, ALERT_FIRED, TOLD } } },
	{ "it has to last before it fires, and before it is over", ALERT_UNIT_NUMBER,
		{ .bound = 10, .for_ms = 5000 }, 0,
		{ { 1, 11, ALERT_NO_NEWS, 0 }, { 5, 11, ALERT_NO_NEWS, 0 }, { 6, 11, ALERT_FIRED, TOLD },
			{ 7, 0, ALERT_NO_NEWS, 0 }, { 11, 0, ALERT_NO_NEWS, 0 },
			{ 12, 0, ALERT_RECOVERED, TOLD } } },
	{ "what was wrong for a moment is forgotten", ALERT_UNIT_NUMBER, { .bound = 10, .for_ms = 5000 }, 0,
		{ { 1, 11, ALERT_NO_NEWS, 0 }, { 4, 10, ALERT_NO_NEWS, 0 }, { 7, 11, ALERT_NO_NEWS, 0 },
			{ 11, 11, ALERT_NO_NEWS, 0 }, { 12, 11, ALERT_FIRED, TOLD } } },
	{ "what swings around the bound is told once", ALERT_UNIT_PERCENT, { .bound = 50 }, 0,
		{ { 1, 51, ALERT_FIRED, TOLD }, { 2, 45, ALERT_NO_NEWS, 0 }, { 3, 51, ALERT_NO_NEWS, 0 },
			{ 4, 41, ALERT_NO_NEWS, 0 }, { 5, 40, ALERT_RECOVERED, TOLD } } },
	{ "a relapse starts the calm anew", ALERT_UNIT_NUMBER, { .bound = 10, .for_ms = 3000 }, 0,
		{ { 1, 11, ALERT_NO_NEWS, 0 }, { 4, 11, ALERT_FIRED, TOLD }, { 5, 0, ALERT_NO_NEWS, 0 },
			{ 7, 11, ALERT_NO_NEWS, 0 }, { 8, 0, ALERT_NO_NEWS, 0 }, { 10, 0, ALERT_NO_NEWS, 0 },
			{ 11, 0, ALERT_RECOVERED, TOLD } } },
	{ "a subject that is not there any more is well", ALERT_UNIT_NUMBER, { .bound = 0 }, 0,
		{ { 1, 1, ALERT_FIRED, TOLD }, { 2, NONE, ALERT_RECOVERED, TOLD } } },
	{ "of days left fewer are worse", ALERT_UNIT_DAYS, { .bound = 14 }, 0,
		{ { 1, 14, ALERT_NO_NEWS, 0 }, { 2, 13, ALERT_FIRED, TOLD }, { 3, 0, ALERT_NO_NEWS, 0 },
			{ 4, 14, ALERT_RECOVERED, TOLD } } },
	{ "what goes on is told again", ALERT_UNIT_NUMBER, { .bound = 0 }, 60,
		{ { 1, 1, ALERT_FIRED, TOLD }, { 60, 1, ALERT_NO_NEWS, 0 }, { 61, 1, ALERT_GOES_ON, TOLD },
			{ 62, 1, ALERT_NO_NEWS, 0 }, { 121, 1, ALERT_GOES_ON, TOLD } } },
	{ "a silence keeps it from being told", ALERT_UNIT_NUMBER, { .bound = 0 }, 0,
		{ { 1, 1, ALERT_FIRED, SILENCED }, { 2, 1, ALERT_NO_NEWS, SILENCED },
			{ 3, 0, ALERT_RECOVERED, SILENCED } } },
	{ "what is still there after a silence is told then", ALERT_UNIT_NUMBER, { .bound = 0 }, 0,
		{ { 1, 1, ALERT_FIRED, SILENCED }, { 2, 1, ALERT_GOES_ON, TOLD }, { 3, 1, ALERT_NO_NEWS, 0 },
			{ 4, 0, ALERT_RECOVERED, TOLD } } },
	{ "the end of what was told is told in a silence too", ALERT_UNIT_NUMBER, { .bound = 0 }, 0,
		{ { 1, 1, ALERT_FIRED, TOLD }, { 2, 1, ALERT_NO_NEWS, SILENCED },
			{ 3, 0, ALERT_RECOVERED, TOLD | SILENCED } } },
	{ "a clock that goes back makes nothing fire", ALERT_UNIT_NUMBER, { .bound = 0, .for_ms = 5000 }, 60,
		{ { 100, 1, ALERT_NO_NEWS, 0 }, { 50, 1, ALERT_NO_NEWS, 0 }, { 105, 1, ALERT_FIRED, TOLD },
			{ 60, 1, ALERT_NO_NEWS, 0 } } },
};

/* The same with a time that it must be well for, and one without a value. */
static const struct {
	struct course course;
	uint64_t calm_s, gone_s;
} patient_courses[] = {
	{ { "a subject that comes and goes is told once", ALERT_UNIT_NUMBER, { .bound = 0 }, 0,
		  { { 1, 1, ALERT_FIRED, TOLD }, { 2, NONE, ALERT_NO_NEWS, 0 }, { 3, 1, ALERT_NO_NEWS, 0 },
			  { 4, NONE, ALERT_NO_NEWS, 0 }, { 5, 1, ALERT_NO_NEWS, 0 },
			  { 6, NONE, ALERT_NO_NEWS, 0 }, { 66, NONE, ALERT_RECOVERED, TOLD } } },
		60, 0 },
	{ { "what nobody has looked at is as it was for a while", ALERT_UNIT_DAYS, { .bound = 14 }, 0,
		  { { 1, 3, ALERT_FIRED, TOLD }, { 2, NONE, ALERT_NO_NEWS, 0 },
			  { 3601, NONE, ALERT_NO_NEWS, 0 }, { 3602, 3, ALERT_NO_NEWS, 0 },
			  { 3603, NONE, ALERT_NO_NEWS, 0 }, { 7202, NONE, ALERT_NO_NEWS, 0 },
			  { 7203, NONE, ALERT_RECOVERED, TOLD } } },
		1, 3600 },
	{ { "what was looked at and is well is over", ALERT_UNIT_DAYS, { .bound = 14 }, 0,
		  { { 1, 3, ALERT_FIRED, TOLD }, { 2, NONE, ALERT_NO_NEWS, 0 },
			  { 60, 90, ALERT_RECOVERED, TOLD } } },
		1, 3600 },
};

/* Through its text each time, as another leader reads it. */
static void carry_over(struct alert_state *state)
{
	struct buf text = { 0 };
	struct span words;

	if (state->phase == ALERT_CALM)
		return;
	alert_state_write(state, SPAN_LIT("so it is"), &text);
	*state = (struct alert_state){ .value = 99 };
	assert_true(alert_state_read(buf_span(&text), state, &words));
	assert_true(span_eq(words, SPAN_LIT("so it is")));
	buf_fini(&text);
}

static void run(const struct course *course, uint64_t calm_ms, uint64_t gone_ms)
{
	struct alert_state state = { .phase = ALERT_CALM };

	for (size_t i = 0; i < ARRAY_LEN(course->steps) && course->steps[i].at_s; i++) {
		const struct step *step = &course->steps[i];
		const struct alert_look look = {
			.rule = &course->rule,
			.unit = course->unit,
			.has_value = step->value != NONE,
			.value = step->value,
			.calm_ms = calm_ms,
			.gone_ms = gone_ms,
			.is_silenced = (step->how & SILENCED) != 0,
			.repeat_ms = course->repeat_s * 1000,
			.now_ms = step->at_s * 1000,
		};
		bool is_told;
		enum alert_news news = alert_step(&state, &look, &is_told);

		if (news != step->news || is_told != ((step->how & TOLD) != 0))
			fail_msg("%s: at %llu s: %s, %s", course->name, (unsigned long long)step->at_s,
				alert_news_name(news), is_told ? "told" : "not told");
		carry_over(&state);
	}
}

static void each_course_of_values_gives_its_notices(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(courses); i++)
		run(&courses[i], courses[i].rule.for_ms, 0);
	for (size_t i = 0; i < ARRAY_LEN(patient_courses); i++)
		run(&patient_courses[i].course, patient_courses[i].calm_s * 1000,
			patient_courses[i].gone_s * 1000);
}

static void what_is_no_state_is_not_read(void **state)
{
	static const char *const texts[] = { "", "firing", "calm 1 2 3 4 x", "firing 1 2 3",
		"firing 1 2 3 x y", "burning 1 2 3 4 x", "firing  1 2 3 4" };
	struct alert_state read = { .value = 7 };
	struct span text;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		if (alert_state_read(span_of_str(texts[i]), &read, &text))
			fail_msg("\"%s\" was read", texts[i]);
		assert_int_equal(read.value, 7);
	}
	assert_true(alert_state_read(SPAN_LIT("pending 1 2 3 4"), &read, &text));
	assert_int_equal(text.len, 0);
}

static void values_are_shown_in_their_unit(void **state)
{
	static const struct {
		enum alert_unit unit;
		uint64_t value;
		const char *shown;
	} rows[] = {
		{ ALERT_UNIT_NUMBER, 12, "12" },
		{ ALERT_UNIT_TIMES, 10, "10 times" },
		{ ALERT_UNIT_PERCENT, 80, "80%" },
		{ ALERT_UNIT_DAYS, 14, "14 days" },
		{ ALERT_UNIT_AGE, 0, "0s" },
		{ ALERT_UNIT_AGE, 999, "0s" },
		{ ALERT_UNIT_AGE, 14400000, "4h" },
		{ ALERT_UNIT_AGE, 90061000, "1d1h" },
		{ ALERT_UNIT_AGE, 61000, "1m1s" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		alert_append_value(rows[i].unit, rows[i].value, &out);
		if (!span_eq(buf_span(&out), span_of_str(rows[i].shown)))
			fail_msg("%s: %.*s", rows[i].shown, SPAN_ARGS(buf_span(&out)));
	}
	buf_fini(&out);
}

static void days_are_those_of_the_calendar(void **state)
{
	static const struct {
		int64_t unix_s;
		const char *day;
	} rows[] = {
		{ 0, "1970-01-01" },
		{ 86399, "1970-01-01" },
		{ 951782400, "2000-02-29" },
		{ 1709164800, "2024-02-29" },
		{ 1767225599, "2025-12-31" },
		{ 1767225600, "2026-01-01" },
		{ 4107542400, "2100-03-01" },
		{ 253402300799, "9999-12-31" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		alert_append_day(rows[i].unix_s, &out);
		if (!span_eq(buf_span(&out), span_of_str(rows[i].day)))
			fail_msg("%.*s, not %s", SPAN_ARGS(buf_span(&out)), rows[i].day);
	}
	buf_fini(&out);
}

static void each_alert_has_a_name_and_a_cure(void **state)
{
	struct alert_policy policy;

	(void)state;
	alert_policy_preset(&policy);
	for (enum alert it = 0; it < ALERT_COUNT; it++) {
		enum alert found = ALERT_COUNT;

		assert_true(alert_find(span_of_str(alert_kind(it)->name), &found));
		assert_int_equal(found, it);
		assert_true(*alert_kind(it)->what && *alert_kind(it)->cure);
		assert_true(policy.rules[it].is_on);
		/* None can come and go with every look. */
		assert_true(alert_calm_ms(it, &policy) >= 60000);
		assert_true(alert_calm_ms(it, &policy) >= policy.rules[it].for_ms);
	}
	assert_false(alert_find(SPAN_LIT("queue"), &(enum alert){ 0 }));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_course_of_values_gives_its_notices),
		cmocka_unit_test(what_is_no_state_is_not_read),
		cmocka_unit_test(values_are_shown_in_their_unit),
		cmocka_unit_test(days_are_those_of_the_calendar),
		cmocka_unit_test(each_alert_has_a_name_and_a_cure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
