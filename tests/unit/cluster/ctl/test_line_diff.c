#include "cmocka_all.h"

#include "line_diff.h"

static void differing_lines_are_told_with_those_around(void **state)
{
	static const struct {
		const char *before, *after, *diff;
	} rows[] = {
		{ "", "", "" },
		{ "a\nb\n", "a\nb\n", "" },
		{ "", "a\n", "@@ -0,0 +1,1 @@\n+a\n" },
		{ "a\n", "", "@@ -1,1 +0,0 @@\n-a\n" },
		{ "a\nb\nc\n", "a\nx\nc\n", "@@ -1,3 +1,3 @@\n a\n-b\n+x\n c\n" },
		{ "a\nb", "a\nb\nc", "@@ -1,2 +1,3 @@\n a\n b\n+c\n" },
		{ "1\n2\n3\n4\n5\n6\n", "0\n1\n2\n3\n4\n5\n6\n", "@@ -1,3 +1,4 @@\n+0\n 1\n 2\n 3\n" },
		{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\nx\n3\n4\n5\n6\n7\ny\n9\n",
			"@@ -1,9 +1,9 @@\n 1\n-2\n+x\n 3\n 4\n 5\n 6\n 7\n-8\n+y\n 9\n" },
		{ "1\n2\n3\n4\n5\n6\n7\n8\n9\n0\n", "x\n2\n3\n4\n5\n6\n7\n8\n9\ny\n",
			"@@ -1,4 +1,4 @@\n-1\n+x\n 2\n 3\n 4\n@@ -7,4 +7,4 @@\n 7\n 8\n 9\n-0\n+y\n" },
		{ "a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
			"@@ -1,7 +1,6 @@\n-a\n-b\n c\n+b\n a\n b\n-b\n a\n+c\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		line_diff(span_of_str(rows[i].before), span_of_str(rows[i].after), &out);
		if (!span_eq(buf_span(&out), span_of_str(rows[i].diff)))
			fail_msg("row %zu:\n%.*s", i, SPAN_ARGS(buf_span(&out)));
		buf_fini(&out);
	}
}

static uint64_t seed = 0x5eed0004;

static unsigned draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % below;
}

static void draw_text(struct buf *out, unsigned lines, unsigned words)
{
	for (unsigned i = 0; i < lines; i++)
		buf_printf(out, "%c\n", 'a' + (char)draw(words));
}

/* With every line as context, the lines of a diff are both texts. */
static void check_whole(struct span before, struct span after, struct span diff)
{
	struct buf was = { 0 }, is = { 0 };

	while (diff.len) {
		size_t end = span_find(diff, '\n');
		struct span line = span_take(diff, end + 1);

		diff = span_drop(diff, end + 1);
		if (line.ptr[0] == '@')
			continue;
		if (line.ptr[0] != '+')
			buf_append(&was, span_drop(line, 1));
		if (line.ptr[0] != '-')
			buf_append(&is, span_drop(line, 1));
	}
	assert_true(span_eq(buf_span(&was), before));
	assert_true(span_eq(buf_span(&is), after));
	buf_fini(&was);
	buf_fini(&is);
}

static void a_diff_holds_both_texts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 3000; i++) {
		struct buf before = { 0 }, after = { 0 }, diff = { 0 };

		draw_text(&before, draw(8), 3);
		draw_text(&after, draw(8), 3);
		/* Texts as short as those below lie in one hunk. */
		line_diff(buf_span(&before), buf_span(&after), &diff);
		if (buf_len(&diff) && buf_len(&before) + buf_len(&after) < 16)
			check_whole(buf_span(&before), buf_span(&after), buf_span(&diff));
		assert_int_equal(buf_len(&diff) == 0, span_eq(buf_span(&before), buf_span(&after)));
		buf_fini(&before);
		buf_fini(&after);
		buf_fini(&diff);
	}
}

static void texts_with_nothing_in_common_are_told_whole(void **state)
{
	struct buf before = { 0 }, after = { 0 }, diff = { 0 };

	(void)state;
	for (unsigned i = 0; i < 5000; i++) {
		buf_printf(&before, "a%u\n", i);
		buf_printf(&after, "b%u\n", i);
	}
	line_diff(buf_span(&before), buf_span(&after), &diff);
	check_whole(buf_span(&before), buf_span(&after), buf_span(&diff));
	buf_fini(&before);
	buf_fini(&after);
	buf_fini(&diff);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(differing_lines_are_told_with_those_around),
		cmocka_unit_test(a_diff_holds_both_texts),
		cmocka_unit_test(texts_with_nothing_in_common_are_told_whole),
	};

	return cmocka_run_group_tests_name("line_diff", tests, NULL, NULL);
}
