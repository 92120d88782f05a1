#include "cmocka_all.h"

#include "smtp/reply_parser.h"

static const struct row {
	const char *bytes;
	enum reply_parse result;
	unsigned code;
	const char *enhanced; /* "" for none */
	const char *text;
} rows[] = {
	{ "250 ok\r\n", REPLY_DONE, 250, "", "ok" },
	{ "250\r\n", REPLY_DONE, 250, "", "" },
	{ "250 \r\n", REPLY_DONE, 250, "", "" },
	{ "250 ok\n", REPLY_DONE, 250, "", "ok" },
	{ "250-a\r\n250-b\r\n250 c\r\n", REPLY_DONE, 250, "", "a\nb\nc" },
	{ "250-\r\n250\r\n", REPLY_DONE, 250, "", "" },
	{ "550 5.1.1 no such user\r\n", REPLY_DONE, 550, "5.1.1", "5.1.1 no such user" },
	{ "550-5.7.26 a\r\n550 5.7.26 b\r\n", REPLY_DONE, 550, "5.7.26", "5.7.26 a\n5.7.26 b" },
	{ "421 4.3.2\r\n", REPLY_DONE, 421, "4.3.2", "4.3.2" },
	{ "550 4.1.1 classes differ\r\n", REPLY_DONE, 550, "", "4.1.1 classes differ" },
	{ "550 5.1 short\r\n", REPLY_DONE, 550, "", "5.1 short" },
	{ "550 5.1.1.1 long\r\n", REPLY_DONE, 550, "", "5.1.1.1 long" },
	{ "550 5.1234.1 wide\r\n", REPLY_DONE, 550, "", "5.1234.1 wide" },
	{ "550 5..1 gap\r\n", REPLY_DONE, 550, "", "5..1 gap" },
	{ "354 3.0.0 no such class\r\n", REPLY_DONE, 354, "", "3.0.0 no such class" },
	{ "250 a\tb\001c\177d\r\r\n", REPLY_DONE, 250, "", "a b c d " },
	{ "250 caf\xc3\xa9\r\n", REPLY_DONE, 250, "", "caf\xc3\xa9" },
	{ "200 a\r\n", REPLY_DONE, 200, "", "a" },
	{ "599 a\r\n", REPLY_DONE, 599, "", "a" },
	{ "600 a\r\n", REPLY_BAD, 0, "", "" },
	{ "199 a\r\n", REPLY_BAD, 0, "", "" },
	{ "25 a\r\n", REPLY_BAD, 0, "", "" },
	{ "2500 a\r\n", REPLY_BAD, 0, "", "" },
	{ "250_a\r\n", REPLY_BAD, 0, "", "" },
	{ "+50 a\r\n", REPLY_BAD, 0, "", "" },
	{ " 250 a\r\n", REPLY_BAD, 0, "", "" },
	{ "\r\n", REPLY_BAD, 0, "", "" },
	{ "250-a\r\n251 b\r\n", REPLY_BAD, 0, "", "" },
	{ "250-a\r\nb\r\n", REPLY_BAD, 0, "", "" },
	{ "250 a\r", REPLY_MORE, 0, "", "" },
	{ "250-a\r\n", REPLY_MORE, 0, "", "" },
	{ "25", REPLY_MORE, 0, "", "" },
};

static void check_row(struct reply_parser *parser, const struct row *row, size_t piece_len)
{
	struct span bytes = span_of_str(row->bytes);
	enum reply_parse result = REPLY_MORE;
	struct mail_status status;
	struct buf enhanced = { 0 };

	while (bytes.len && result == REPLY_MORE) {
		struct span piece = span_take(bytes, bytes.len < piece_len ? bytes.len : piece_len);
		size_t len = piece.len;

		result = reply_parser_feed(parser, &piece);
		assert_true(piece.len == 0 || result != REPLY_MORE);
		bytes = span_drop(bytes, len - piece.len);
	}
	if (result != row->result)
		fail_msg("%s: got %d", row->bytes, result);
	if (result != REPLY_DONE) {
		reply_parser_reset(parser);
		return;
	}
	assert_int_equal(bytes.len, 0);
	status = reply_parser_status(parser);
	assert_int_equal(status.code, row->code);
	if (status.enhanced.class)
		enhanced_code_append(&enhanced, status.enhanced);
	assert_span_equal(buf_span(&enhanced), row->enhanced);
	assert_span_equal(reply_parser_text(parser), row->text);
	buf_fini(&enhanced);
}

static void replies_parse_alike_whole_and_byte_by_byte(void **state)
{
	static const size_t piece_lens[] = { SIZE_MAX, 1, 2, 3 };
	struct reply_parser parser = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t j = 0; j < ARRAY_LEN(piece_lens); j++)
			check_row(&parser, &rows[i], piece_lens[j]);
	}
	reply_parser_fini(&parser);
}

static void one_reply_is_taken_at_a_time(void **state)
{
	struct reply_parser parser = { 0 };
	struct span in = SPAN_LIT("250-a\r\n250 b\r\n550 c\r\n2");

	(void)state;
	assert_int_equal(reply_parser_feed(&parser, &in), REPLY_DONE);
	assert_span_equal(in, "550 c\r\n2");
	assert_int_equal(reply_parser_feed(&parser, &in), REPLY_DONE);
	assert_int_equal(reply_parser_status(&parser).code, 550);
	assert_span_equal(reply_parser_text(&parser), "c");
	assert_int_equal(reply_parser_feed(&parser, &in), REPLY_MORE);
	reply_parser_fini(&parser);
}

/* A long reply keeps its beginning; a longer one is refused, and never held. */
static void a_reply_is_bounded_in_memory_and_in_length(void **state)
{
	struct reply_parser parser = { 0 };
	enum reply_parse result = REPLY_MORE;
	size_t fed = 0;

	(void)state;
	for (; fed < REPLY_SIZE_MAX - 100; fed += 16) {
		struct span in = SPAN_LIT("250-a mouthful\r\n");

		assert_int_equal(reply_parser_feed(&parser, &in), REPLY_MORE);
		assert_in_range(buf_len(&parser.text), 1, REPLY_TEXT_MAX);
	}
	while (result == REPLY_MORE && fed < 2 * REPLY_SIZE_MAX) {
		struct span in = SPAN_LIT("250-a mouthful\r\n");

		fed += in.len;
		result = reply_parser_feed(&parser, &in);
	}
	assert_int_equal(result, REPLY_TOO_LONG);
	reply_parser_fini(&parser);
}

static void a_line_is_bounded(void **state)
{
	struct reply_parser parser = { 0 };
	char line[REPLY_LINE_MAX + 1];
	struct span whole = span_of(line, sizeof(line)), first = span_of(line, sizeof(line) - 1);

	(void)state;
	memset(line, '2', sizeof(line));
	assert_int_equal(reply_parser_feed(&parser, &whole), REPLY_TOO_LONG);
	reply_parser_reset(&parser);
	assert_int_equal(reply_parser_feed(&parser, &first), REPLY_MORE);
	whole = span_of(line, 1);
	assert_int_equal(reply_parser_feed(&parser, &whole), REPLY_TOO_LONG);
	reply_parser_fini(&parser);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_parse_alike_whole_and_byte_by_byte),
		cmocka_unit_test(one_reply_is_taken_at_a_time),
		cmocka_unit_test(a_reply_is_bounded_in_memory_and_in_length),
		cmocka_unit_test(a_line_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
