#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/base/buf.h"
#include "smtp/line_internal.h"

enum { LINE_MAX_LEN = 12 };

/* Feeds `input` in steps of `step` bytes and writes down what comes: lines, and one letter per bad line. */
static void read_lines(struct span input, size_t step, struct buf *seen)
{
	static const char *const marks[] = {
		[LINE_TOO_LONG] = "L;", [LINE_BARE_NEWLINE] = "B;", [LINE_NUL] = "N;"
	};
	struct line_reader reader = { 0 };
	struct span line;
	size_t used = 0, have = 0;

	while (have < input.len) {
		struct span in;
		enum line_result result;

		have = input.len - have < step ? input.len : have + step;
		in = span_of(input.ptr + used, have - used);
		while ((result = line_take(&reader, &in, LINE_MAX_LEN, &line)) != LINE_MORE) {
			if (result == LINE_WHOLE)
				buf_printf(seen, "\"%.*s\";", SPAN_ARGS(line));
			else
				buf_append_str(seen, marks[result]);
		}
		used = have - in.len;
		/* No more than a line ever waits with the caller. */
		assert_true(in.len < LINE_MAX_LEN);
	}
	buf_printf(seen, "left %zu", input.len - used);
}

static void only_crlf_ends_a_line_however_it_arrives(void **state)
{
	static const struct {
		struct span input;
		const char *wanted;
	} rows[] = {
		{ SPAN_LIT("NOOP\r\n"), "\"NOOP\";left 0" },
		{ SPAN_LIT("a\r\nb\r\n\r\nc"), "\"a\";\"b\";\"\";left 1" },
		{ SPAN_LIT("1234567890\r\nx\r\n"), "\"1234567890\";\"x\";left 0" },
		{ SPAN_LIT("12345678901\r\nx\r\n"), "L;\"x\";left 0" },
		{ SPAN_LIT("123456789012\r\nx\r\n"), "L;\"x\";left 0" },
		{ SPAN_LIT("1234567890123456789012345678\r\nx\r\n"), "L;\"x\";left 0" },
		{ SPAN_LIT("1234567890123\n4567\r8\r\nx\r\n"), "L;\"x\";left 0" },
		{ SPAN_LIT("12345678901\r\r\nx\r\n"), "L;\"x\";left 0" },
		{ SPAN_LIT("a\nb\r\nc\r\n"), "B;\"c\";left 0" },
		{ SPAN_LIT("a\n\r\nc\r\n"), "B;\"c\";left 0" },
		{ SPAN_LIT("\nb\r\nc\r\n"), "B;\"c\";left 0" },
		{ SPAN_LIT("a\nb\nc\nd"), "B;left 0" },
		{ SPAN_LIT("a\rb\r\nc\r\n"), "B;\"c\";left 0" },
		{ SPAN_LIT("a\r\r\nc\r\n"), "B;\"c\";left 0" },
		{ SPAN_LIT("a\0b\r\nc\r\n"), "N;\"c\";left 0" },
		{ SPAN_LIT("a\nb\r\r\r\nc\r\n"), "B;\"c\";left 0" },
		{ SPAN_LIT("a\r"), "left 2" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t step = 1; step <= rows[i].input.len; step++) {
			struct buf seen = { 0 };

			read_lines(rows[i].input, step, &seen);
			assert_span_equal(buf_span(&seen), rows[i].wanted);
			buf_fini(&seen);
		}
	}
}

static void what_is_skipped_is_counted(void **state)
{
	struct line_reader reader = { 0 };
	struct span line, in = SPAN_LIT("1234567890123456789012345678901234567890");

	(void)state;
	assert_int_equal(line_take(&reader, &in, LINE_MAX_LEN, &line), LINE_TOO_LONG);
	assert_int_equal(line_take(&reader, &in, LINE_MAX_LEN, &line), LINE_MORE);
	assert_int_equal(in.len, 0);
	assert_int_equal(reader.skipped, 40 - LINE_MAX_LEN);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_crlf_ends_a_line_however_it_arrives),
		cmocka_unit_test(what_is_skipped_is_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
