#include "cmocka_all.h"

#include "mail/body_encode.h"

static void check(enum body_encoding encoding, bool is_delimited, const char *body, const char *wanted,
	size_t piece_len)
{
	struct body_encoder encoder;
	struct buf out = { 0 };

	body_encode_init(&encoder, encoding);
	for (struct span rest = span_of_str(body); rest.len;) {
		size_t len = rest.len < piece_len ? rest.len : piece_len;

		body_encode(&encoder, span_take(rest, len), &out);
		rest = span_drop(rest, len);
	}
	body_encode_end(&encoder, is_delimited, &out);
	assert_span_equal(buf_span(&out), wanted);
	buf_fini(&out);
}

#define S5  "xxxxx"
#define S25 S5 S5 S5 S5 S5
#define S75 S25 S25 S25

static void text_is_quoted(void **state)
{
	static const struct {
		const char *body, *wanted;
	} rows[] = {
		{ "", "" },
		{ "plain\r\n\r\ntext", "plain\r\n\r\ntext" },
		{ "gr\xfc\xdf=e\r\n", "gr=FC=DF=3De\r\n" },
		{ "a b\tc \r\nd\t\r\n ", "a b\tc=20\r\nd=09\r\n=20" },
		{ " \r\n\t \r\n", "=20\r\n\t=20\r\n" },
		{ "--a=E4\r\n-", "=2D-a=3DE4\r\n=2D" },
		{ "a\rb\nc\r\r\nd\r", "a=0Db=0Ac=0D\r\nd=0D" },
		{ "\x01\x7f", "=01=7F" },
		{ S75, S75 },
		{ S75 "\r\n", S75 "\r\n" },
		{ S75 "y", S75 "=\r\ny" },
		{ S75 " ", S75 "=\r\n=20" },
		{ S75 " y", S75 "=\r\n y" },
		{ S75 "--y", S75 "=\r\n=2D-y" },
		{ S25 S25 S5 S5 S5 S5 "xx\xe4", S25 S25 S5 S5 S5 S5 "xx=E4" },
		{ S25 S25 S5 S5 S5 S5 "xxx\xe4", S25 S25 S5 S5 S5 S5 "xxx=\r\n=E4" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check(BODY_QUOTED_PRINTABLE, true, rows[i].body, rows[i].wanted, SIZE_MAX);
		check(BODY_QUOTED_PRINTABLE, false, rows[i].body, rows[i].wanted, 1);
	}
}

static void the_last_line_end_is_the_delimiters(void **state)
{
	static const struct {
		const char *body, *before_delimiter, *alone;
	} rows[] = {
		{ "", "", "" },
		{ "\r\n", "\r\n", "DQo=\r\n" },
		{ "\r\n\r\n", "DQo=\r\n", "DQoNCg==\r\n" },
		{ "abc\r\n", "YWJj\r\n", "YWJjDQo=\r\n" },
		{ "abc", "YWJj\r\n", "YWJj\r\n" },
		{ "a\xe4\r\nb\r\n", "YeQNCmI=\r\n", "YeQNCmINCg==\r\n" },
		{ "a\r\r\n", "YQ0=\r\n", "YQ0NCg==\r\n" },
		{ "abcdefghiabcdefghiabcdefghiabcdefghiabcdefghiabcdefghi123\r\n",
			"YWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpMTIz\r\n",
			"YWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpYWJjZGVmZ2hpMTIz\r\nDQo="
			"\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		check(BODY_BASE64, true, rows[i].body, rows[i].before_delimiter, SIZE_MAX);
		check(BODY_BASE64, true, rows[i].body, rows[i].before_delimiter, 1);
		check(BODY_BASE64, false, rows[i].body, rows[i].alone, SIZE_MAX);
		check(BODY_BASE64, false, rows[i].body, rows[i].alone, 1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_quoted),
		cmocka_unit_test(the_last_line_end_is_the_delimiters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
