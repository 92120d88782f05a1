/* The header section: where it ends, what is malformed, and that fields are taken from the bottom up. */
#include "cmocka_all.h"

#include "skein/proto/dkim/header.h"

static const struct {
	const char *in;
	enum dkim_header_state state;
	size_t fields;
	const char *body;
} rows[] = {
	{ "A: 1\r\nB: 2\r\n 3\r\n\r\nbody\r\n", DKIM_HEADER_ENDED, 2, "body\r\n" },
	{ "\r\nbody", DKIM_HEADER_ENDED, 0, "body" },
	{ "", DKIM_HEADER_ENDED, 0, "" },
	{ "A: 1\r\n", DKIM_HEADER_ENDED, 1, "" },
	{ "A :1\r\n\r\n", DKIM_HEADER_ENDED, 1, "" },
	{ "A:\r\n \r\n\t\r\n\r\n\r\n", DKIM_HEADER_ENDED, 1, "\r\n" },
	{ "A: 1", DKIM_HEADER_MALFORMED, 0, "" },
	{ "A: 1\r\nB: 2\r", DKIM_HEADER_MALFORMED, 1, "" },
	{ " A: 1\r\n\r\n", DKIM_HEADER_MALFORMED, 0, NULL },
	{ "A: 1\r\nhello\r\n\r\n", DKIM_HEADER_MALFORMED, 1, NULL },
	{ "A B: 1\r\n\r\n", DKIM_HEADER_MALFORMED, 0, NULL },
	{ ": 1\r\n\r\n", DKIM_HEADER_MALFORMED, 0, NULL },
	{ "\xc3\xa4: 1\r\n\r\n", DKIM_HEADER_MALFORMED, 0, NULL },
	{ "A: 1\nB: 2\r\n\r\n", DKIM_HEADER_MALFORMED, 0, NULL },
	{ "A: 1\rB: 2\r\n\r\n", DKIM_HEADER_MALFORMED, 0, NULL },
	{ "A: 1\r\n\n", DKIM_HEADER_MALFORMED, 1, NULL },
	{ "A: 1\r\nA: 2\r\nA: 3\r\nA: 4\r\n\r\n", DKIM_HEADER_TOO_LONG, 3, NULL },
	{ "A: 567890123456789012345678901234567890\r\n\r\n", DKIM_HEADER_TOO_LONG, 0, NULL },
	{ "A: 567890123456789012345678901234567\r\n\r\n", DKIM_HEADER_ENDED, 1, "" },
};

static void feed(struct dkim_header *header, const char *in, size_t piece_len, struct buf *body)
{
	struct span rest = span_of_str(in);

	while (rest.len) {
		struct span piece = span_take(rest, rest.len < piece_len ? rest.len : piece_len);

		rest = span_drop(rest, piece.len);
		dkim_header_feed(header, &piece);
		buf_append(body, piece);
	}
	dkim_header_end(header);
}

static void a_section_ends_where_its_row_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		for (size_t piece = 1; piece < 64; piece += 31) {
			struct dkim_header header;
			struct buf body = { 0 };

			dkim_header_init(&header, 40, 3);
			feed(&header, rows[i].in, piece, &body);
			if (header.state != rows[i].state || header.count != rows[i].fields)
				fail_msg("row %zu: state %d, %zu fields", i, (int)header.state, header.count);
			assert_int_equal(!dkim_header_fault(&header), header.state == DKIM_HEADER_ENDED);
			if (rows[i].body)
				assert_span_equal(buf_span(&body), rows[i].body);
			dkim_header_fini(&header);
			buf_fini(&body);
		}
}

/* RFC 6376 5.4.2 */
static void fields_are_taken_from_the_bottom_up(void **state)
{
	struct dkim_header header;
	struct buf body = { 0 };
	struct span field;

	(void)state;
	dkim_header_init(&header, 1000, 100);
	feed(&header, "To: 1\r\nX: x\r\nto : 2\r\nTo: 3\r\n\t4\r\n\r\n", 7, &body);
	assert_int_equal(dkim_header_count(&header, SPAN_LIT("TO")), 3);
	assert_int_equal(dkim_header_count(&header, SPAN_LIT("T")), 0);
	for (int round = 0; round < 2; round++) {
		dkim_header_select(&header, DKIM_NO_FIELD);
		assert_true(dkim_header_take(&header, SPAN_LIT("tO"), &field));
		assert_span_equal(field, "To: 3\r\n\t4\r\n");
		assert_true(dkim_header_take(&header, SPAN_LIT("To"), &field));
		assert_span_equal(field, "to : 2\r\n");
		assert_true(dkim_header_take(&header, SPAN_LIT("To"), &field));
		assert_span_equal(field, "To: 1\r\n");
		assert_false(dkim_header_take(&header, SPAN_LIT("To"), &field));
		assert_false(dkim_header_take(&header, SPAN_LIT("Y"), &field));
	}
	dkim_header_select(&header, 3);
	assert_true(dkim_header_take(&header, SPAN_LIT("To"), &field));
	assert_span_equal(field, "to : 2\r\n");
	dkim_header_fini(&header);
	buf_fini(&body);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_ends_where_its_row_says),
		cmocka_unit_test(fields_are_taken_from_the_bottom_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
