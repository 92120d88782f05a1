#include "cmocka_all.h"

#include "human.h"

static void durations_are_told_in_their_two_largest_units(void **state)
{
	static const struct {
		uint64_t ms;
		const char *text;
	} rows[] = {
		{ 0, "0s" },
		{ 999, "0s" },
		{ 59999, "59s" },
		{ 60000, "1m" },
		{ 200000, "3m 20s" },
		{ 7500000, "2h 5m" },
		{ 7205000, "2h" },
		{ 86400000, "1d" },
		{ 357000000, "4d 3h" },
		{ UINT64_MAX, "213503982334d 14h" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		human_duration(&out, rows[i].ms);
		assert_span_equal(buf_span(&out), rows[i].text);
	}
	buf_fini(&out);
}

static void bytes_are_told_in_a_unit_that_fits(void **state)
{
	static const struct {
		uint64_t bytes;
		const char *text;
	} rows[] = {
		{ 0, "0 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 1536, "1.5 KiB" },
		{ 3435973837, "3.2 GiB" },
		{ UINT64_MAX, "16384.0 PiB" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		human_bytes(&out, rows[i].bytes);
		assert_span_equal(buf_span(&out), rows[i].text);
	}
	buf_fini(&out);
}

static void only_one_is_singular(void **state)
{
	struct buf out = { 0 };

	(void)state;
	human_count(&out, 0, "message");
	human_count(&out, 1, " message");
	human_count(&out, 2, " message");
	assert_span_equal(buf_span(&out), "0 messages1  message2  messages");
	buf_fini(&out);
}

static void text_keeps_what_is_printable_utf8(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		{ "plain text ~", "plain text ~" }, { "gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f" },
		{ "\xf0\x9f\xa6\xa2", "\xf0\x9f\xa6\xa2" }, { "\x1b[2J", "?[2J" }, { "a\x7f\tb", "a??b" },
		{ "\xc2\x85", "?" },                   /* C1 */
		{ "\xc0\xaf", "??" },                  /* overlong */
		{ "\xe0\x80\xaf", "???" },             /* overlong */
		{ "\xed\xa0\x80", "???" },             /* surrogate */
		{ "\xf4\x90\x80\x80", "????" },        /* past the end of Unicode */
		{ "\xe2\x82", "??" },                  /* cut short */
		{ "\xe2\x80\xaegnp.exe", "?gnp.exe" }, /* right to left */
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		human_text(&out, span_of_str(rows[i].bytes));
		assert_span_equal(buf_span(&out), rows[i].text);
	}
	buf_fini(&out);
}

static void what_is_printed_keeps_our_lines_and_colours_only(void **state)
{
	static const struct {
		const char *bytes, *text;
	} rows[] = {
		{ "a:\n\tb\n", "a:\n\tb\n" },
		{ "\033[31mdead\033[0m gr\xc3\xbc\xc3\x9f", "\033[31mdead\033[0m gr\xc3\xbc\xc3\x9f" },
		{ "\033[2J\033]0;title\007\033", "?[2J?]0;title??" },
		{ "\033[31", "?[31" },
		{ "\033[1;1H\r\b\xc2\x9b"
		  "2J",
			"?[1;1H???2J" },
		{ "\xe2\x80\xae\xff", "??" },
	};
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		buf_clear(&out);
		human_lines(&out, span_of_str(rows[i].bytes));
		assert_span_equal(buf_span(&out), rows[i].text);
	}
	buf_fini(&out);
}

static void json_is_shown_without_what_a_terminal_obeys(void **state)
{
	struct buf out = { 0 };

	(void)state;
	human_json(&out, SPAN_LIT("{\n \"a\": \"\\u001b\x7f\xc2\x9b\xe2\x80\xae\xc3\xbc\"\n}"));
	assert_span_equal(buf_span(&out), "{\n \"a\": \"\\u001b\\u007f\\u009b\\u202e\xc3\xbc\"\n}");
	buf_fini(&out);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations_are_told_in_their_two_largest_units),
		cmocka_unit_test(bytes_are_told_in_a_unit_that_fits),
		cmocka_unit_test(only_one_is_singular),
		cmocka_unit_test(text_keeps_what_is_printable_utf8),
		cmocka_unit_test(what_is_printed_keeps_our_lines_and_colours_only),
		cmocka_unit_test(json_is_shown_without_what_a_terminal_obeys),
	};

	return cmocka_run_group_tests_name("human", tests, NULL, NULL);
}
