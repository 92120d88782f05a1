#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"
#include "track/log_line.h"

#include <jansson.h>

static size_t format(enum log_format format, const struct log_field *fields, char out[LOG_LINE_MAX])
{
	struct buf node = { 0 };
	struct log_clock clock = { 0 };
	struct log_head head = { format, LOG_INFO, "message-accepted", clock.text, { 0 } };
	size_t len;

	log_clock_set(&clock, 1764034441007);
	log_line_node(format, "n1", &node);
	head.node = buf_span(&node);
	len = log_line_format(&head, fields, out);
	buf_fini(&node);
	return len;
}

static void both_forms_show_time_level_event_node_and_fields(void **state)
{
	const struct log_field owner[] = { LOG_STR("session", "s7"), LOG_END };
	const struct log_field fields[] = { LOG_FIELDS(owner), LOG_STR("id", "01J"),
		LOG_U64("size", UINT64_MAX), LOG_I64("delta", INT64_MIN), LOG_BOOL("tls", true),
		LOG_ERR(ERR_TIMEOUT), LOG_END };
	char line[LOG_LINE_MAX];

	(void)state;
	assert_span_equal(span_of(line, format(LOG_FORMAT_JSON, fields, line)),
		"{\"time\":\"2025-11-25T01:34:01.007Z\",\"level\":\"info\",\"event\":\"message-accepted\","
		"\"node\":\"n1\",\"session\":\"s7\",\"id\":\"01J\",\"size\":18446744073709551615,"
		"\"delta\":-9223372036854775808,\"tls\":true,\"error\":\"timed out\"}\n");
	assert_span_equal(span_of(line, format(LOG_FORMAT_TEXT, fields, line)),
		"2025-11-25T01:34:01.007Z info  message-accepted         node=n1 session=s7 id=01J "
		"size=18446744073709551615 delta=-9223372036854775808 tls=true error=\"timed out\"\n");
}

static void text_of_peers_is_escaped_so_that_it_stays_one_field(void **state)
{
	static const struct {
		const char *value, *json, *text;
	} rows[] = {
		{ "", "\"\"", "\"\"" },
		{ "a@b.example", "\"a@b.example\"", "a@b.example" },
		{ "a b", "\"a b\"", "\"a b\"" },
		{ "x=1", "\"x=1\"", "x=1" },
		{ "say \"hi\" \\", "\"say \\\"hi\\\" \\\\\"", "\"say \\\"hi\\\" \\\\\"" },
		{ "\r\n\tlevel=error", "\"\\r\\n\\tlevel=error\"", "\"\\r\\n\\tlevel=error\"" },
		{ "\x01\x1b[31m\x7f", "\"\\u0001\\u001b[31m\\u007f\"", "\"\\u0001\\u001b[31m\\u007f\"" },
		{ "k\xc3\xa4se", "\"k\xc3\xa4se\"", "\"k\xc3\xa4se\"" },
		{ "\xf0\x9f\xa6\x86", "\"\xf0\x9f\xa6\x86\"", "\"\xf0\x9f\xa6\x86\"" },
		/* A lone lead byte, overlong, surrogate, past U+10FFFF, cut short, C1 control. */
		{ "\xe4z", "\"\xef\xbf\xbdz\"", "\"\\xe4z\"" },
		{ "\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\\xc0\\xaf\"" },
		{ "\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"", "\"\\xed\\xa0\\x80\"" },
		{ "\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\"",
			"\"\\xf4\\x90\\x80\\x80\"" },
		{ "\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\"", "\"\\xe2\\x82\"" },
		{ "\xc2\x9b", "\"\\u009b\"", "\"\\xc2\\x9b\"" },
		/* What is behind it would be written from right to left. */
		{ "\xe2\x80\xaegnp.exe", "\"\\u202egnp.exe\"", "\"\\xe2\\x80\\xaegnp.exe\"" },
	};
	char line[LOG_LINE_MAX], wanted[256];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct log_field fields[] = { LOG_STR("v", rows[i].value), LOG_END };
		size_t len = format(LOG_FORMAT_JSON, fields, line);

		line[len] = '\0';
		snprintf(wanted, sizeof(wanted), "\"v\":%s}\n", rows[i].json);
		assert_string_equal(strstr(line, "\"v\":"), wanted);
		len = format(LOG_FORMAT_TEXT, fields, line);
		line[len] = '\0';
		snprintf(wanted, sizeof(wanted), " v=%s\n", rows[i].text);
		assert_string_equal(strstr(line, " v="), wanted);
	}
}

static void a_missing_text_is_logged_as_empty(void **state)
{
	const struct log_field fields[] = { LOG_STR("v", NULL), LOG_SPAN("w", ((struct span){ NULL, 0 })),
		LOG_END };
	char line[LOG_LINE_MAX];

	(void)state;
	line[format(LOG_FORMAT_TEXT, fields, line)] = '\0';
	assert_non_null(strstr(line, " v=\"\" w=\"\"\n"));
}

static void a_long_value_is_cut_between_characters_and_marked(void **state)
{
	char value[LOG_VALUE_MAX + 10], line[LOG_LINE_MAX];
	char *shown;

	(void)state;
	/* The cut would fall inside the last "ä". */
	memset(value, 'x', sizeof(value));
	memcpy(value + LOG_VALUE_MAX - 1, "\xc3\xa4", 2);
	for (int i = LOG_FORMAT_TEXT; i <= LOG_FORMAT_JSON; i++) {
		const struct log_field fields[] = { LOG_SPAN("v", span_of(value, sizeof(value))), LOG_END };

		line[format((enum log_format)i, fields, line)] = '\0';
		shown = strchr(line, 'x');
		assert_int_equal(strspn(shown, "x"), LOG_VALUE_MAX - 1);
		assert_true(strncmp(shown + LOG_VALUE_MAX - 1, "\xe2\x80\xa6\"", 4) == 0);
	}
}

/* Every byte value, every length that matters, in every amount: whatever comes, the line is bounded and valid
 * JSON. */
static void a_line_is_bounded_and_valid_json_whatever_the_fields_hold(void **state)
{
	char value[LOG_VALUE_MAX * 2], line[LOG_LINE_MAX];
	bool was_truncated = false;
	uint32_t random = 1;

	(void)state;
	for (unsigned round = 0; round < 400; round++) {
		struct log_field fields[41];
		unsigned count = round % 40;
		json_t *json;
		size_t len;

		for (size_t i = 0; i < sizeof(value); i++) {
			random = random * 1664525 + 1013904223;
			value[i] = round % 3 ? (char)(random >> 24) : '\x01';
		}
		for (unsigned i = 0; i < count; i++) {
			size_t value_len = (round * 37 + i * 101) % sizeof(value);

			fields[i] = LOG_SPAN("value", span_of(value, value_len));
			if (i % 5 == 4)
				fields[i] = LOG_U64("number", INT64_MAX); /* the most that jansson reads */
		}
		fields[count] = LOG_END;
		len = format(LOG_FORMAT_TEXT, fields, line);
		assert_true(len < LOG_LINE_MAX && line[len - 1] == '\n');
		assert_null(memchr(line, '\n', len - 1));
		len = format(LOG_FORMAT_JSON, fields, line);
		assert_true(len < LOG_LINE_MAX && line[len - 1] == '\n');
		json = json_loadb(line, len, JSON_ALLOW_NUL, NULL);
		assert_non_null(json);
		was_truncated |= json_is_true(json_object_get(json, "truncated"));
		json_decref(json);
	}
	assert_true(was_truncated);
}

static void the_clock_shows_utc_with_milliseconds_and_follows_every_step(void **state)
{
	static const struct {
		uint64_t unix_ms;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000Z" },
		{ 999, "1970-01-01T00:00:00.999Z" },
		{ 951782400000, "2000-02-29T00:00:00.000Z" },
		{ 951782400010, "2000-02-29T00:00:00.010Z" },
		{ 951782399999, "2000-02-28T23:59:59.999Z" },
		{ 4102444800123, "2100-01-01T00:00:00.123Z" },
	};
	struct log_clock clock = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		log_clock_set(&clock, rows[i].unix_ms);
		assert_string_equal(clock.text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_show_time_level_event_node_and_fields),
		cmocka_unit_test(text_of_peers_is_escaped_so_that_it_stays_one_field),
		cmocka_unit_test(a_missing_text_is_logged_as_empty),
		cmocka_unit_test(a_long_value_is_cut_between_characters_and_marked),
		cmocka_unit_test(a_line_is_bounded_and_valid_json_whatever_the_fields_hold),
		cmocka_unit_test(the_clock_shows_utc_with_milliseconds_and_follows_every_step),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
