#include "cmocka_all.h"

#include <stdio.h>

#include "skein/proto/smtp/reply.h"

static void replies_become_lines(void **state)
{
	static const struct {
		struct smtp_reply reply;
		const char *wanted;
	} rows[] = {
		{ { 250, "2.0.0", { "Ok", 2 } }, "250 2.0.0 Ok\r\n" },
		{ { 250, "", { "host", 4 } }, "250 host\r\n" },
		{ { 250, "2.0.0", { "", 0 } }, "250 2.0.0 \r\n" },
		{ { 550, "5.7.1", { "one\ntwo\nthree", 13 } },
			"550-5.7.1 one\r\n550-5.7.1 two\r\n550 5.7.1 three\r\n" },
		{ { 550, "5.7.1", { "one\n\ntwo", 8 } }, "550-5.7.1 one\r\n550-5.7.1 \r\n550 5.7.1 two\r\n" },
		{ { 550, "5.7.1", { "one\n", 4 } }, "550 5.7.1 one\r\n" },
		{ { 550, "5.7.1", { "no \r smug\0gling \x7f \xc3\xa4", 20 } },
			"550 5.7.1 no ? smug?gling ? ??\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		smtp_reply_format(&out, &rows[i].reply);
		assert_span_equal(buf_span(&out), rows[i].wanted);
		buf_fini(&out);
	}
}

static void long_texts_continue_on_the_next_line(void **state)
{
	char text[2000];
	struct buf out = { 0 };
	struct span rest;
	size_t letters = 0;

	(void)state;
	memset(text, 'x', sizeof(text));
	smtp_reply_format(&out, &(struct smtp_reply){ 451, "4.3.0", span_of(text, sizeof(text)) });
	rest = buf_span(&out);
	while (rest.len) {
		size_t len = span_find(rest, '\n') + 1;

		assert_true(len <= SMTP_REPLY_LINE_MAX);
		assert_int_equal(rest.ptr[3], len < rest.len ? '-' : ' ');
		letters += len - strlen("451 4.3.0 \r\n");
		rest = span_drop(rest, len);
	}
	assert_int_equal(letters, sizeof(text));
	buf_fini(&out);
}

static void every_row_of_the_table_is_whole(void **state)
{
	(void)state;
	for (int id = SMTP_REPLY_NONE + 1; id < SMTP_REPLY_COUNT; id++) {
		const struct smtp_reply *reply = smtp_reply_get((enum smtp_reply_id)id);

		if (reply->code < 200 || reply->code > 599 || !reply->text.len)
			fail_msg("row %d", id);
		/* RFC 2034 4: the classes of both codes agree; 3yz has none. */
		if (reply->code / 100 == 3 ? reply->enhanced[0] != '\0'
					   : reply->enhanced[0] != '0' + reply->code / 100)
			fail_msg("row %d: %u %s", id, reply->code, reply->enhanced);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_become_lines),
		cmocka_unit_test(long_texts_continue_on_the_next_line),
		cmocka_unit_test(every_row_of_the_table_is_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
