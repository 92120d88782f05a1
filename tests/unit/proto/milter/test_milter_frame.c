#include "cmocka_all.h"

#include "skein/proto/milter/frame.h"

static void assert_bytes(const struct buf *buf, struct span wanted)
{
	assert_int_equal(buf_len(buf), wanted.len);
	assert_memory_equal(buf_span(buf).ptr, wanted.ptr, wanted.len);
}

static void commands_are_as_libmilter_reads_them(void **state)
{
	static const struct span mail[] = { SPAN_LIT("<a@b>"), SPAN_LIT("SIZE=1") },
				 nul[] = { SPAN_LIT("a\0b") };
	static const struct milter_macro macros[] = { { "i", SPAN_LIT("ID") }, { "v", SPAN_LIT("") },
		{ "{x}", SPAN_LIT("y") } };
	struct buf out = { 0 };

	(void)state;
	milter_put_negotiation(&out, 6, 0x1fd, 0x1fffff);
	assert_bytes(&out, SPAN_LIT("\0\0\0\x0dO\0\0\0\x06\0\0\x01\xfd\0\x1f\xff\xff"));
	buf_clear(&out);
	milter_put(&out, MILTER_MAIL, mail, 2);
	milter_put(&out, MILTER_HELO, nul, 1);
	milter_put(&out, MILTER_QUIT, NULL, 0);
	assert_bytes(&out, SPAN_LIT("\0\0\0\x0eM<a@b>\0SIZE=1\0\0\0\0\x05Ha b\0\0\0\0\x01Q"));
	buf_clear(&out);
	milter_put_macros(&out, MILTER_RCPT, macros, 3);
	assert_bytes(&out, SPAN_LIT("\0\0\0\x0d"
				    "DRi\0ID\0{x}\0y\0"));
	buf_clear(&out);
	milter_put_connect(&out, SPAN_LIT("h"), SPAN_LIT("192.0.2.1"), 258);
	assert_bytes(&out, SPAN_LIT("\0\0\0\x10"
				    "Ch\0"
				    "4\x01\x02"
				    "192.0.2.1\0"));
	buf_clear(&out);
	milter_put_connect(&out, SPAN_LIT("h"), SPAN_LIT("::1"), 25);
	milter_put_connect(&out, SPAN_LIT("h"), SPAN_LIT(""), 0);
	assert_bytes(&out, SPAN_LIT("\0\0\0\x0a"
				    "Ch\0"
				    "6\0\x19::1\0\0\0\0\x04"
				    "Ch\0U"));
	buf_clear(&out);
	milter_put_body(&out, SPAN_LIT("x\0y"));
	assert_bytes(&out, SPAN_LIT("\0\0\0\x04"
				    "Bx\0y"));
	buf_fini(&out);
}

static void no_packet_is_longer_than_filters_take(void **state)
{
	struct buf text = { 0 }, out = { 0 };
	struct span texts[3];

	(void)state;
	while (buf_len(&text) < 50000)
		buf_append_byte(&text, 'x');
	texts[0] = texts[1] = texts[2] = buf_span(&text);
	milter_put(&out, MILTER_HEADER, texts, 3);
	assert_int_equal(buf_len(&out), 4 + 1 + MILTER_DATA_MAX);
	assert_int_equal(out.base[buf_len(&out) - 1], '\0');
	assert_int_equal((unsigned char)out.base[1], 1);
	assert_int_equal(out.base[2], 0);
	buf_fini(&text);
	buf_fini(&out);
}

static const struct {
	struct span bytes;
	enum parse_result result;
	struct milter_answer answer;
} answer_rows[] = {
	{ SPAN_LIT("\0\0\0\x0dO\0\0\0\x06\0\0\x01\xfd\0\x1f\xff\xff"), PARSE_DONE,
		{ .kind = MILTER_ANSWER_NEGOTIATE, .version = 6, .actions = 0x1fd, .steps = 0x1fffff } },
	{ SPAN_LIT("\0\0\0\x13O\0\0\0\x02\0\0\0\0\0\0\0\x7f\0\0\0\0i\0"), PARSE_DONE,
		{ .kind = MILTER_ANSWER_NEGOTIATE, .version = 2, .steps = 0x7f } },
	{ SPAN_LIT("\0\0\0\x0cO\0\0\0\x02\0\0\0\0\0\0\0"), PARSE_BAD, { .number = 0 } },
	{ SPAN_LIT("\0\0\0\x01"
		   "c"),
		PARSE_DONE, { .kind = MILTER_ANSWER_CONTINUE } },
	{ SPAN_LIT("\0\0\0\x01"
		   "a"),
		PARSE_DONE, { .kind = MILTER_ANSWER_ACCEPT } },
	{ SPAN_LIT("\0\0\0\x01r"), PARSE_DONE, { .kind = MILTER_ANSWER_REJECT } },
	{ SPAN_LIT("\0\0\0\x01t"), PARSE_DONE, { .kind = MILTER_ANSWER_TEMPFAIL } },
	{ SPAN_LIT("\0\0\0\x01"
		   "f"),
		PARSE_DONE, { .kind = MILTER_ANSWER_TEMPFAIL } },
	{ SPAN_LIT("\0\0\0\x01"
		   "d"),
		PARSE_DONE, { .kind = MILTER_ANSWER_DISCARD } },
	{ SPAN_LIT("\0\0\0\x01s"), PARSE_DONE, { .kind = MILTER_ANSWER_SKIP } },
	{ SPAN_LIT("\0\0\0\x01p"), PARSE_DONE, { .kind = MILTER_ANSWER_PROGRESS } },
	{ SPAN_LIT("\0\0\0\x02"
		   "cx"),
		PARSE_BAD, { .number = 0 } },
	{ SPAN_LIT("\0\0\0\x06y550 x"), PARSE_BAD, { .number = 0 } },
	{ SPAN_LIT("\0\0\0\x06y550 \0"), PARSE_DONE,
		{ .kind = MILTER_ANSWER_REPLY, .texts = { SPAN_LIT("550 ") } } },
	{ SPAN_LIT("\0\0\0\x06hA\0b\0c"), PARSE_BAD, { .number = 0 } },
	{ SPAN_LIT("\0\0\0\x05hA\0b\0"), PARSE_DONE,
		{ .kind = MILTER_ANSWER_ADD_HEADER, .texts = { SPAN_LIT("A"), SPAN_LIT("b") } } },
	{ SPAN_LIT("\0\0\0\x09i\0\0\x01\x02"
		   "A\0b\0"),
		PARSE_DONE,
		{ .kind = MILTER_ANSWER_INSERT_HEADER,
			.number = 258,
			.texts = { SPAN_LIT("A"), SPAN_LIT("b") } } },
	{ SPAN_LIT("\0\0\0\x08m\0\0\0\x01"
		   "A\0\0"),
		PARSE_DONE,
		{ .kind = MILTER_ANSWER_CHANGE_HEADER,
			.number = 1,
			.texts = { SPAN_LIT("A"), SPAN_LIT("") } } },
	{ SPAN_LIT("\0\0\0\x04m\0\0\0"), PARSE_BAD, { .number = 0 } },
	{ SPAN_LIT("\0\0\0\x07+<a@b>\0"), PARSE_DONE,
		{ .kind = MILTER_ANSWER_ADD_RCPT, .texts = { SPAN_LIT("<a@b>") } } },
	{ SPAN_LIT("\0\0\0\x09"
		   "2<a@b>\0x\0"),
		PARSE_DONE, { .kind = MILTER_ANSWER_ADD_RCPT, .texts = { SPAN_LIT("<a@b>") } } },
	{ SPAN_LIT("\0\0\0\x07-<a@b>\0"), PARSE_DONE,
		{ .kind = MILTER_ANSWER_DELETE_RCPT, .texts = { SPAN_LIT("<a@b>") } } },
	{ SPAN_LIT("\0\0\0\x04"
		   "e<>\0"),
		PARSE_DONE, { .kind = MILTER_ANSWER_CHANGE_FROM, .texts = { SPAN_LIT("<>") } } },
	{ SPAN_LIT("\0\0\0\x03qx\0"), PARSE_DONE,
		{ .kind = MILTER_ANSWER_QUARANTINE, .texts = { SPAN_LIT("x") } } },
	{ SPAN_LIT("\0\0\0\x02"
		   "bx"),
		PARSE_BAD, { .number = 0 } }, /* was not offered */
	{ SPAN_LIT("\0\0\0\0"), PARSE_BAD, { .number = 0 } },
	{ SPAN_LIT("\0\x02\0\x01h"), PARSE_BAD, { .number = 0 } },
	{ SPAN_LIT("HTTP/1.1 400 Bad Request\r\n"), PARSE_BAD, { .number = 0 } },
};

static void assert_same_answer(const struct milter_answer *seen, const struct milter_answer *wanted)
{
	assert_int_equal(seen->kind, wanted->kind);
	assert_int_equal(seen->number, wanted->number);
	assert_int_equal(seen->version, wanted->version);
	assert_int_equal(seen->actions, wanted->actions);
	assert_int_equal(seen->steps, wanted->steps);
	assert_true(span_eq(seen->texts[0], wanted->texts[0]));
	assert_true(span_eq(seen->texts[1], wanted->texts[1]));
}

static void answers_are_read_whole_and_in_parts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(answer_rows); i++) {
		struct milter_answer answer;
		size_t consumed = 0;

		if (milter_answer_parse(answer_rows[i].bytes, &answer, &consumed) != answer_rows[i].result)
			fail_msg("row %zu", i);
		if (answer_rows[i].result != PARSE_DONE)
			continue;
		assert_int_equal(consumed, answer_rows[i].bytes.len);
		assert_same_answer(&answer, &answer_rows[i].answer);
		for (size_t len = 0; len < answer_rows[i].bytes.len; len++)
			assert_int_equal(
				milter_answer_parse(span_take(answer_rows[i].bytes, len), &answer, &consumed),
				PARSE_MORE);
	}
}

static void a_reply_is_validated(void **state)
{
	static const struct {
		const char *text;
		bool is_good;
		unsigned code;
		const char *enhanced, *wanted;
	} rows[] = {
		{ "550 5.7.1 no", true, 550, "5.7.1", "no" },
		{ "451 4.7.0 later please", true, 451, "4.7.0", "later please" },
		{ "421 4.7.0 later", true, 451, "4.7.0", "later" },
		{ "550 no", true, 550, "5.7.1", "no" },
		{ "450 5.7.1 no", true, 450, "4.7.1", "5.7.1 no" },
		{ "550", true, 550, "5.7.1", "" },
		{ "550 5.7.1", true, 550, "5.7.1", "" },
		{ "550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three", true, 550, "5.7.1",
			"one\ntwo\nthree" },
		{ "550-one\n550 two\n", true, 550, "5.7.1", "one\ntwo" },
		{ "550 100%% sure, 5% not", true, 550, "5.7.1", "100% sure, 5% not" },
		{ "250 2.0.0 fine", false, 0, "", "" },
		{ "600 no", false, 0, "", "" },
		{ "55", false, 0, "", "" },
		{ "", false, 0, "", "" },
		{ "5500 no", false, 0, "", "" },
		{ "550-one\r\n450 two", false, 0, "", "" },
		{ "550-one\r\ntwo", false, 0, "", "" },
		{ "\r\n", false, 0, "", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct milter_reply reply = { .code = 0 };

		if (milter_reply_parse(span_of_str(rows[i].text), &reply) != rows[i].is_good)
			fail_msg("row %zu", i);
		if (rows[i].is_good) {
			assert_int_equal(reply.code, rows[i].code);
			assert_string_equal(reply.enhanced, rows[i].enhanced);
			buf_append_byte(&reply.text, '\0');
			assert_string_equal(reply.text.base, rows[i].wanted);
		}
		buf_fini(&reply.text);
	}
}

static void a_reply_is_bounded(void **state)
{
	struct milter_reply reply = { .code = 0 };
	struct buf text = { 0 };

	(void)state;
	for (size_t i = 0; i < 1000; i++)
		buf_append_str(&text, "550-a line that goes on\r\n");
	assert_true(milter_reply_parse(buf_span(&text), &reply));
	assert_in_range(buf_len(&reply.text), 2000, 2100);
	buf_fini(&reply.text);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(commands_are_as_libmilter_reads_them),
		cmocka_unit_test(no_packet_is_longer_than_filters_take),
		cmocka_unit_test(answers_are_read_whole_and_in_parts),
		cmocka_unit_test(a_reply_is_validated),
		cmocka_unit_test(a_reply_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
