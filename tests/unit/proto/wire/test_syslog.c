#include "cmocka_all.h"

#include "skein/proto/wire/syslog.h"

#include <stdio.h>

#define MARK "\xef\xbb\xbf"

static const struct syslog_record plain = {
	.facility = 2,
	.severity = SYSLOG_INFO,
	.time_us = 1606233600123456,
	.host = { "node-a", 6 },
	.app = { "skein", 5 },
	.process = { "42", 2 },
	.kind = { "DELIVER", 7 },
	.text = { "well", 4 },
};

#define HEADER "<22>1 2020-11-24T16:00:00.123456Z node-a skein 42 DELIVER "

static void assert_written(const struct syslog_record *record, size_t size_max, const char *wanted)
{
	struct buf out = { 0 };

	/* What is there already does not count. */
	buf_append_str(&out, "before:");
	syslog_write(record, size_max, &out);
	assert_span_equal(span_take(buf_span(&out), 7), "before:");
	assert_span_equal(span_drop(buf_span(&out), 7), wanted);
	buf_fini(&out);
}

static void a_header_has_all_its_fields(void **state)
{
	struct syslog_record record = plain;

	(void)state;
	assert_written(&record, SYSLOG_SIZE_MIN, HEADER "- well");
	record = (struct syslog_record){ .facility = 23, .severity = SYSLOG_DEBUG };
	assert_written(&record, SYSLOG_SIZE_MIN, "<191>1 - - - - - -");
	record = (struct syslog_record){ .severity = SYSLOG_EMERGENCY, .time_us = 1 };
	assert_written(&record, SYSLOG_SIZE_MIN, "<0>1 1970-01-01T00:00:00.000001Z - - - - -");
	record.time_us = 253402300799999999;
	assert_written(&record, SYSLOG_SIZE_MIN, "<0>1 9999-12-31T23:59:59.999999Z - - - - -");
	record.time_us++;
	assert_written(&record, SYSLOG_SIZE_MIN, "<0>1 - - - - - -");
}

static void header_fields_are_cleaned_and_cut(void **state)
{
	char longest[400], wanted[1024];
	struct syslog_record record = { .host = { "a b\n\xc3\xa9\x7f~!", 9 } };

	(void)state;
	assert_written(&record, SYSLOG_SIZE_MIN, "<0>1 - a?b????~! - - - -");
	memset(longest, 'x', sizeof(longest));
	record.host = record.app = record.process = record.kind = span_of(longest, sizeof(longest));
	snprintf(wanted, sizeof(wanted), "<0>1 - %.255s %.48s %.128s %.32s -", longest, longest, longest,
		longest);
	assert_written(&record, SYSLOG_SIZE_MIN, wanted);
}

static void parameters_are_escaped(void **state)
{
	static const struct {
		struct span value;
		const char *wanted;
	} rows[] = {
		{ SPAN_LIT(""), "" },
		{ SPAN_LIT("plain = [value"), "plain = [value" },
		{ SPAN_LIT("\"\\]"), "\\\"\\\\\\]" },
		{ SPAN_LIT("a\r\nb\tc\x7f\0d"), "a#015#012b#011c#177#000d" },
		{ SPAN_LIT("J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x93\xa7"),
			"J\xc3\xb6rg \xe2\x82\xac \xf0\x9f\x93\xa7" },
		/* A terminal obeys it; it turns the direction of writing. */
		{ SPAN_LIT("\xc2\x9b"
			   "2J"),
			"#302#2332J" },
		{ SPAN_LIT("\xe2\x80\xae"
			   "gnp.exe"),
			"#342#200#256gnp.exe" },
		/* Latin-1, a cut and an overlong sequence, a surrogate. */
		{ SPAN_LIT("J\xf6rg"), "J?rg" },
		{ SPAN_LIT("\xe2\x82"), "??" },
		{ SPAN_LIT("\xc0\xaf\xed\xa0\x80"), "?????" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct syslog_param params[] = { { "id", { "7", 1 } }, { "to", rows[i].value } };
		struct syslog_record record = {
			.element = "skein@32473", .params = params, .param_count = 2
		};
		char wanted[256];

		snprintf(wanted, sizeof(wanted), "<0>1 - - - - - [skein@32473 id=\"7\" to=\"%s\"]",
			rows[i].wanted);
		assert_written(&record, SYSLOG_SIZE_MIN, wanted);
	}
}

static void an_element_may_be_empty(void **state)
{
	struct syslog_record record = { .element = "skein@32473", .text = SPAN_LIT("x") };

	(void)state;
	assert_written(&record, SYSLOG_SIZE_MIN, "<0>1 - - - - - [skein@32473] x");
}

static void text_has_a_mark_unless_it_is_ascii(void **state)
{
	static const struct {
		struct span text;
		const char *wanted;
	} rows[] = {
		{ SPAN_LIT("\"as\\ it] is"), " \"as\\ it] is" },
		{ SPAN_LIT("two\nlines\x01"), " two#012lines#001" },
		{ SPAN_LIT("J\xc3\xb6rg"), " " MARK "J\xc3\xb6rg" },
		{ SPAN_LIT("J\xf6rg"), " " MARK "J?rg" },
		{ SPAN_LIT(""), "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct syslog_record record = { .text = rows[i].text };
		char wanted[128];

		snprintf(wanted, sizeof(wanted), "<0>1 - - - - - -%s", rows[i].wanted);
		assert_written(&record, SYSLOG_SIZE_MIN, wanted);
	}
}

/* Every length from one that leaves no text to one that fits, and what is cut is cut between characters. */
static void what_is_too_long_is_cut_at_a_character(void **state)
{
	static const char unit[] = "\xe2\x82\xac\n"; /* written in 3 and 4 bytes */
	struct buf text = { 0 }, whole = { 0 };
	struct syslog_record record = plain;

	(void)state;
	for (size_t i = 0; i < 400; i++)
		buf_append_str(&text, unit);
	record.text = buf_span(&text);
	syslog_write(&record, 10000, &whole);
	assert_int_equal(buf_len(&whole), strlen(HEADER "- " MARK) + 400 * 7);
	for (size_t size = SYSLOG_SIZE_MIN; size < buf_len(&whole); size++) {
		struct buf cut = { 0 };
		size_t of_text, unit_rest;

		syslog_write(&record, size, &cut);
		assert_true(buf_len(&cut) <= size && size - buf_len(&cut) < 4);
		of_text = buf_len(&cut) - strlen(HEADER "- " MARK);
		unit_rest = of_text % 7;
		assert_true(unit_rest == 0 || unit_rest == 3);
		assert_memory_equal(buf_span(&cut).ptr, buf_span(&whole).ptr, buf_len(&cut));
		buf_fini(&cut);
	}
	buf_fini(&text);
	buf_fini(&whole);
}

static void a_parameter_that_does_not_fit_is_left_out(void **state)
{
	char big[SYSLOG_SIZE_MIN];
	struct syslog_param params[] = { { "a", { big, 900 } }, { "b", { big, 900 } }, { "c", { "x", 1 } } };
	struct syslog_record record = {
		.element = "skein@32473",
		.params = params,
		.param_count = 3,
		.text = SPAN_LIT("\xe2\x82\xac"),
	};
	char wanted[2048];

	(void)state;
	memset(big, 'v', sizeof(big));
	snprintf(wanted, sizeof(wanted),
		"<0>1 - - - - - [skein@32473 a=\"%.900s\" c=\"x\"] " MARK "\xe2\x82\xac", big);
	assert_written(&record, SYSLOG_SIZE_MIN, wanted);
	/* To the byte: the parameter fits, the text does not, and neither does its mark. */
	params[0].value.len = SYSLOG_SIZE_MIN - strlen("<0>1 - - - - - [skein@32473 a=\"\" c=\"x\"]");
	snprintf(wanted, sizeof(wanted), "<0>1 - - - - - [skein@32473 a=\"%.*s\" c=\"x\"]",
		SPAN_ARGS(params[0].value));
	assert_int_equal(strlen(wanted), SYSLOG_SIZE_MIN);
	assert_written(&record, SYSLOG_SIZE_MIN, wanted);
	params[0].value.len++;
	snprintf(wanted, sizeof(wanted), "<0>1 - - - - - [skein@32473 a=\"%.*s\"]",
		SPAN_ARGS(params[0].value));
	assert_written(&record, SYSLOG_SIZE_MIN, wanted);
}

static void frames_count_octets(void **state)
{
	struct buf out = { 0 };

	(void)state;
	syslog_frame(SPAN_LIT("J\xc3\xb6rg"), &out);
	syslog_frame(SPAN_LIT("0123456789"), &out);
	assert_span_equal(buf_span(&out), "5 J\xc3\xb6rg10 0123456789");
	buf_fini(&out);
}

static void facilities_have_names(void **state)
{
	unsigned facility = 99;

	(void)state;
	for (unsigned i = 0; i < SYSLOG_FACILITY_COUNT; i++) {
		assert_true(syslog_facility_parse(span_of_str(syslog_facility_name(i)), &facility));
		assert_int_equal(facility, i);
	}
	assert_true(syslog_facility_parse(SPAN_LIT("mail"), &facility));
	assert_int_equal(facility, 2);
	assert_true(syslog_facility_parse(SPAN_LIT("local7"), &facility));
	assert_int_equal(facility, 23);
	assert_false(syslog_facility_parse(SPAN_LIT("local8"), &facility));
	assert_false(syslog_facility_parse(SPAN_LIT(""), &facility));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_header_has_all_its_fields),
		cmocka_unit_test(header_fields_are_cleaned_and_cut),
		cmocka_unit_test(parameters_are_escaped),
		cmocka_unit_test(an_element_may_be_empty),
		cmocka_unit_test(text_has_a_mark_unless_it_is_ascii),
		cmocka_unit_test(what_is_too_long_is_cut_at_a_character),
		cmocka_unit_test(a_parameter_that_does_not_fit_is_left_out),
		cmocka_unit_test(frames_count_octets),
		cmocka_unit_test(facilities_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
