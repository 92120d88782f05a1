#include "cmocka_all.h"

#include "skein/proto/base/buf.h"
#include "skein/proto/mail/header_edits.h"

static void a_name_is_printable_and_bounded(void **state)
{
	static const struct {
		struct span name;
		bool is_valid;
	} rows[] = {
		{ SPAN_LIT("X-A"), true },
		{ SPAN_LIT("a!~"), true },
		{ SPAN_LIT(""), false },
		{ SPAN_LIT("a b"), false },
		{ SPAN_LIT("a:"), false },
		{ SPAN_LIT("a\r"), false },
		{ SPAN_LIT("a\0"), false },
		{ SPAN_LIT("a\x7f"), false },
		{ SPAN_LIT("\xc3\xa4"), false },
	};
	char longest[HEADER_EDITS_NAME_MAX + 1];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (header_edits_name_is_valid(rows[i].name) != rows[i].is_valid)
			fail_msg("row %zu", i);
	}
	memset(longest, 'x', sizeof(longest));
	assert_true(header_edits_name_is_valid(span_of(longest, HEADER_EDITS_NAME_MAX)));
	assert_false(header_edits_name_is_valid(span_of(longest, sizeof(longest))));
}

static void a_value_cannot_leave_its_field(void **state)
{
	static const struct {
		struct span value;
		bool is_valid;
	} rows[] = {
		{ SPAN_LIT(""), true },
		{ SPAN_LIT(" text"), true },
		{ SPAN_LIT(" \xc3\xa4 \x01"), true },
		{ SPAN_LIT("\r\n folded"), true },
		{ SPAN_LIT(" a\r\n\tb\r\n c"), true },
		{ SPAN_LIT(" a\r\nb"), false },
		{ SPAN_LIT(" a\r\n"), false },
		{ SPAN_LIT(" a\r\n b\r\n"), false },
		{ SPAN_LIT(" a\r\n \r\n b"), false },
		{ SPAN_LIT(" a\r\n\t "), false },
		{ SPAN_LIT(" a\r\n\r\n b"), false },
		{ SPAN_LIT(" a\n b"), false },
		{ SPAN_LIT(" a\r b"), false },
		{ SPAN_LIT(" a\r\r\n b"), false },
		{ SPAN_LIT("\n b"), false },
		{ SPAN_LIT(" a\r"), false },
		{ SPAN_LIT(" a\0b"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_change change = { SPAN_LIT("X"), 1, rows[i].value, false };
		struct header_edits edits = { .changes = &change, .change_count = 1 };

		if (header_edits_value_is_valid(rows[i].value) != rows[i].is_valid ||
			header_edits_are_valid(&edits) != rows[i].is_valid)
			fail_msg("row %zu", i);
	}
}

static void fields_are_whole(void **state)
{
	static const struct {
		struct span fields;
		bool is_valid;
	} rows[] = {
		{ SPAN_LIT(""), true },
		{ SPAN_LIT("A:\r\n"), true },
		{ SPAN_LIT("A: 1\r\nB: 2\r\n 3\r\n"), true },
		{ SPAN_LIT("A: 1"), false },
		{ SPAN_LIT("A: 1\n"), false },
		{ SPAN_LIT("A: 1\r\n\r\n"), false },
		{ SPAN_LIT("\r\nA: 1\r\n"), false },
		{ SPAN_LIT(" A: 1\r\n"), false },
		{ SPAN_LIT("A : 1\r\n"), false },
		{ SPAN_LIT("A\r\n"), false },
		{ SPAN_LIT(": 1\r\n"), false },
		{ SPAN_LIT("A: 1\r\n \r\n"), false },
		{ SPAN_LIT("A: \r1\r\n"), false },
		{ SPAN_LIT("A: \0\r\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_change change = { SPAN_LIT("X"), 1, rows[i].fields, true };
		struct header_edits front = { .front = rows[i].fields }, back = { .back = rows[i].fields },
				    before = { .changes = &change, .change_count = 1 };

		if (header_edits_are_valid(&front) != rows[i].is_valid ||
			header_edits_are_valid(&back) != rows[i].is_valid ||
			header_edits_are_valid(&before) != (rows[i].is_valid && rows[i].fields.len))
			fail_msg("row %zu", i);
	}
}

static void they_are_bounded(void **state)
{
	static struct header_change changes[HEADER_EDITS_CHANGES_MAX + 1];
	struct header_edits edits = { .changes = changes, .change_count = HEADER_EDITS_CHANGES_MAX };
	struct buf field = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(changes); i++)
		changes[i] = (struct header_change){ .name = SPAN_LIT("X"), .nth = 1 };
	assert_true(header_edits_are_valid(&edits));
	edits.change_count++;
	assert_false(header_edits_are_valid(&edits));
	changes[0].nth = 0;
	edits.change_count = 1;
	assert_false(header_edits_are_valid(&edits));

	edits = (struct header_edits){ 0 };
	while (buf_len(&field) < HEADER_EDITS_SIZE_MAX)
		buf_append_str(&field, "A: 56\r\n ");
	buf_truncate(&field, HEADER_EDITS_SIZE_MAX - 2);
	buf_append_str(&field, "\r\n");
	field.base[HEADER_EDITS_SIZE_MAX - 3] = 'x';
	edits.front = buf_span(&field);
	assert_int_equal(header_edits_size(&edits), HEADER_EDITS_SIZE_MAX);
	edits.back = SPAN_LIT("A:\r\n");
	assert_int_equal(header_edits_size(&edits), HEADER_EDITS_SIZE_MAX + 4);
	assert_false(header_edits_are_valid(&edits));
	buf_fini(&field);
}

static void what_they_hold_is_told(void **state)
{
	static const struct header_change change = { SPAN_LIT("Name"), 1, SPAN_LIT(" \xe4"), false };
	static const struct {
		struct header_edits edits;
		size_t size;
		bool has_8bit;
	} rows[] = {
		{ { .change_count = 0 }, 0, false },
		{ { .front = SPAN_LIT("A:\r\n") }, 4, false },
		{ { .front = SPAN_LIT("A:\xe4\r\n") }, 5, true },
		{ { .back = SPAN_LIT("A:\xe4\r\n") }, 5, true },
		{ { .changes = &change, .change_count = 1 }, 6, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(header_edits_are_none(&rows[i].edits), i == 0);
		assert_int_equal(header_edits_size(&rows[i].edits), rows[i].size);
		assert_int_equal(header_edits_have_8bit(&rows[i].edits), rows[i].has_8bit);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_name_is_printable_and_bounded),
		cmocka_unit_test(a_value_cannot_leave_its_field),
		cmocka_unit_test(fields_are_whole),
		cmocka_unit_test(they_are_bounded),
		cmocka_unit_test(what_they_hold_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
