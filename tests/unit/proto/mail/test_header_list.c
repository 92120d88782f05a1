#include "header_seen.h"

#include "skein/proto/mail/header_list.h"
#include "skein/proto/mail/rewrite.h"

static struct header_list *list_of(const char *message, size_t own_count, size_t piece)
{
	struct header_list *list = header_list_new(own_count, 1 << 20);
	struct span rest = span_of_str(message);

	while (rest.len) {
		size_t len = rest.len < piece ? rest.len : piece;

		if (header_list_feed(list, span_take(rest, len)) != HEADER_LIST_READING)
			break;
		rest = span_drop(rest, len);
	}
	assert_int_equal(header_list_end(list), HEADER_LIST_ENDED);
	return list;
}

static void a_section_is_cut_into_fields(void **state)
{
	static const struct {
		const char *message;
		size_t own;
		const char *wanted;
		size_t size;
	} rows[] = {
		{ "", 0, "", 0 },
		{ "\r\nbody", 0, "", 2 },
		{ "A: 1\r\nB:2\r\n\r\nC: 3\r\n", 0, "A= 1|B=2|", 13 },
		{ "A: 1\r\n 2\r\n\t3\r\nB:\r\n\r\n", 0, "A= 1\r\n 2\r\n\t3|B=|", 20 },
		{ "A: 1\r\nB: 2\r\nA: 3\r\n\r\n", 1, "B= 2|A= 3|", 20 },
		{ "A: 1\r\nB: 2\r\nA: 3\r\n\r\n", 2, "A= 3|", 20 },
		{ "A: 1\r\nB: 2", 0, "A= 1|B= 2|", 10 },
		{ "A: 1\nB: 2\n\nbody", 0, "A= 1|B= 2|", 11 },
		{ "A \t: 1\r\n\r\n", 0, "A= 1|", 10 },
		{ "A: 1\r\nno field\r\nB: 2\r\n\r\n", 0, "A= 1|", 6 },
		{ "A: 1\r\nB", 0, "A= 1|", 6 },
		{ "A: 1\r\n\rB: 2\r\n", 0, "A= 1|", 6 },
		{ "A: 1\r\nB\r: 2\r\n", 0, "A= 1|", 6 },
		{ "A: 1\r\nb c: 2\r\n: 3\r\n\xe4: 4\r\nD: 5\r\n\r\n", 0, "A= 1|D= 5|", 33 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		for (size_t piece = 1; piece; piece = piece == 1 ? SIZE_MAX : 0) {
			struct header_list *list = list_of(rows[i].message, rows[i].own, piece);

			assert_seen(list, rows[i].wanted);
			assert_int_equal(header_list_size(list), rows[i].size);
			header_list_free(&list);
		}
	}
}

static void names_are_looked_for_where_a_rewrite_does(void **state)
{
	struct buf message = { 0 };

	(void)state;
	for (size_t len = HEADER_EDITS_NAME_MAX - 1; len <= HEADER_EDITS_NAME_MAX + 2; len++) {
		struct header_list *list;

		buf_clear(&message);
		for (size_t i = 0; i < len; i++)
			buf_append_byte(&message, 'x');
		buf_append_str(&message, ": 1\r\nB: 2\r\n\r\n");
		buf_append_byte(&message, '\0');
		list = list_of(message.base, 0, SIZE_MAX);
		assert_int_equal(header_list_count(list), 2);
		assert_int_equal(header_list_get(list, 0, &(struct span){ 0 }, &(struct span){ 0 }),
			len <= HEADER_EDITS_NAME_MAX);
		header_list_free(&list);
	}
	buf_fini(&message);
}

static void a_section_is_bounded(void **state)
{
	struct header_list *list = header_list_new(0, 20);

	(void)state;
	assert_int_equal(header_list_feed(list, SPAN_LIT("A: 1\r\nB: 2\r\n")), HEADER_LIST_READING);
	assert_int_equal(header_list_feed(list, SPAN_LIT("C: 1\r\n\r\nand a long body")), HEADER_LIST_ENDED);
	assert_int_equal(header_list_size(list), 20);
	header_list_free(&list);
	list = header_list_new(0, 19);
	assert_int_equal(
		header_list_feed(list, SPAN_LIT("A: 1\r\nB: 2\r\nC: 1\r\n\r\n")), HEADER_LIST_TOO_LONG);
	header_list_free(&list);
	list = header_list_new(0, 1 << 20);
	for (size_t i = 0; i < HEADER_LIST_FIELDS_MAX; i++)
		assert_int_equal(header_list_feed(list, SPAN_LIT("A:\r\n")), HEADER_LIST_READING);
	assert_int_equal(header_list_feed(list, SPAN_LIT("A:\r\n")), HEADER_LIST_TOO_LONG);
	header_list_free(&list);
}

#define STORED "Received: us\r\nDate: ours\r\nFrom: a\r\nX: 1\r\nx: 2\r\nReceived: they\r\nTo: b\r\n"

/* The edits, applied to the stored message, give what the list shows. */
static void assert_rewritten(const struct header_list *list, const char *stored, const char *wanted)
{
	struct arena arena = { 0 };
	struct header_edits edits;
	struct rewrite_rules rules = { .edits = &edits };
	struct rewrite *rewrite;
	struct buf out = { 0 };

	assert_true(header_list_edits(list, &arena, &edits));
	rewrite = rewrite_new(&rules);
	rewrite_feed(rewrite, span_of_str(stored), &out);
	rewrite_end(rewrite, &out);
	rewrite_free(&rewrite);
	buf_append_byte(&out, '\0');
	assert_string_equal(out.base, wanted);
	assert_int_equal(header_list_size(list), strlen(wanted) - strlen("body\r\n"));
	buf_fini(&out);
	arena_fini(&arena);
}

enum step_kind { STEP_NONE, STEP_INSERT, STEP_APPEND, STEP_CHANGE };

struct step {
	enum step_kind kind;
	size_t number;
	struct span name, value;
};

static void take_step(struct header_list *list, const struct step *step)
{
	switch (step->kind) {
	case STEP_NONE:
		break;
	case STEP_INSERT:
		assert_true(header_list_insert(list, step->number, step->name, step->value));
		break;
	case STEP_APPEND:
		assert_true(header_list_append(list, step->name, step->value));
		break;
	case STEP_CHANGE:
		assert_true(header_list_change(list, step->name, step->number, step->value));
		break;
	}
}

static void a_list_is_changed_as_filters_mean_it(void **state)
{
	static const char stored[] = STORED "\r\nbody\r\n";
	static const struct {
		struct step steps[4];
		const char *wanted; /* with the empty line and the body */
	} rows[] = {
		{ { { STEP_NONE, 0, SPAN_LIT(""), SPAN_LIT("") } }, STORED },
		{ { { STEP_INSERT, 0, SPAN_LIT("N"), SPAN_LIT(" 1") },
			  { STEP_INSERT, 0, SPAN_LIT("N"), SPAN_LIT(" 2") } },
			"N: 2\r\nN: 1\r\n" STORED },
		{ { { STEP_INSERT, 1, SPAN_LIT("N"), SPAN_LIT(" 1") },
			  { STEP_INSERT, 2, SPAN_LIT("N"), SPAN_LIT(" 2") } },
			"Received: us\r\nDate: ours\r\nN: 1\r\nN: 2\r\nFrom: a\r\nX: 1\r\nx: 2\r\nReceived: "
			"they\r\nTo: b\r\n" },
		{ { { STEP_INSERT, 3, SPAN_LIT("N"), SPAN_LIT(" 1") } },
			"Received: us\r\nDate: ours\r\nFrom: a\r\nX: 1\r\nN: 1\r\nx: 2\r\nReceived: "
			"they\r\nTo: b\r\n" },
		{ { { STEP_INSERT, 99, SPAN_LIT("N"), SPAN_LIT(" 1") },
			  { STEP_APPEND, 0, SPAN_LIT("N"), SPAN_LIT(" 2") } },
			STORED "N: 1\r\nN: 2\r\n" },
		{ { { STEP_CHANGE, 2, SPAN_LIT("X"), SPAN_LIT(" two") } },
			"Received: us\r\nDate: ours\r\nFrom: a\r\nX: 1\r\nX: two\r\nReceived: they\r\nTo: "
			"b\r\n" },
		{ { { STEP_CHANGE, 1, SPAN_LIT("X"), SPAN_LIT("") },
			  { STEP_CHANGE, 1, SPAN_LIT("X"), SPAN_LIT(" was two") } },
			"Received: us\r\nDate: ours\r\nFrom: a\r\nX: was two\r\nReceived: they\r\nTo: "
			"b\r\n" },
		/* Our own ones are not theirs. */
		{ { { STEP_CHANGE, 1, SPAN_LIT("received"), SPAN_LIT("") },
			  { STEP_CHANGE, 1, SPAN_LIT("Date"), SPAN_LIT(" new") } },
			"Received: us\r\nDate: ours\r\nFrom: a\r\nX: 1\r\nx: 2\r\nTo: b\r\nDate: new\r\n" },
		{ { { STEP_CHANGE, 0, SPAN_LIT("To"), SPAN_LIT(" c") } },
			"Received: us\r\nDate: ours\r\nFrom: a\r\nX: 1\r\nx: 2\r\nReceived: they\r\nTo: "
			"c\r\n" },
		{ { { STEP_CHANGE, 3, SPAN_LIT("X"), SPAN_LIT("") },
			  { STEP_CHANGE, 1, SPAN_LIT("Y"), SPAN_LIT("") },
			  { STEP_CHANGE, 3, SPAN_LIT("X"), SPAN_LIT(" 3") } },
			STORED "X: 3\r\n" },
		/* What a filter put there it may change and remove. */
		{ { { STEP_APPEND, 0, SPAN_LIT("N"), SPAN_LIT(" 1") },
			  { STEP_APPEND, 0, SPAN_LIT("N"), SPAN_LIT(" 2") },
			  { STEP_CHANGE, 1, SPAN_LIT("N"), SPAN_LIT("") },
			  { STEP_CHANGE, 1, SPAN_LIT("N"), SPAN_LIT(" 3") } },
			STORED "N: 3\r\n" },
		{ { { STEP_CHANGE, 1, SPAN_LIT("From"), SPAN_LIT(" new") },
			  { STEP_INSERT, 1, SPAN_LIT("N"), SPAN_LIT(" 1") },
			  { STEP_CHANGE, 1, SPAN_LIT("From"), SPAN_LIT("") } },
			"Received: us\r\nDate: ours\r\nN: 1\r\nX: 1\r\nx: 2\r\nReceived: they\r\nTo: b\r\n" },
		/* However a value is folded, it stays one. */
		{ { { STEP_APPEND, 0, SPAN_LIT("N"), SPAN_LIT(" 1\n 2\r\n\t3\r4\nEvil: 5\n\n \n6\n") } },
			STORED "N: 1\r\n 2\r\n\t3\r\n\t4\r\n\tEvil: 5\r\n\t6\r\n" },
		{ { { STEP_APPEND, 0, SPAN_LIT("N"), SPAN_LIT("a\0b") },
			  { STEP_APPEND, 0, SPAN_LIT("N"), SPAN_LIT("\n\n") } },
			STORED "N:ab\r\nN:\r\n" },
		{ { { STEP_CHANGE, 1, SPAN_LIT("To"), SPAN_LIT("\n \n") } },
			"Received: us\r\nDate: ours\r\nFrom: a\r\nX: 1\r\nx: 2\r\nReceived: they\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_list *list = list_of(stored, 2, SIZE_MAX);
		struct buf wanted = { 0 };

		for (size_t at = 0; at < ARRAY_LEN(rows[i].steps); at++)
			take_step(list, &rows[i].steps[at]);
		buf_printf(&wanted, "%s\r\nbody\r\n", rows[i].wanted);
		buf_append_byte(&wanted, '\0');
		assert_rewritten(list, stored, wanted.base);
		buf_fini(&wanted);
		header_list_free(&list);
	}
}

static void changes_are_bounded(void **state)
{
	struct header_list *list = list_of("A: 1\r\n\r\n", 0, SIZE_MAX);
	struct arena arena = { 0 };
	struct header_edits edits;
	struct buf value = { 0 };

	(void)state;
	assert_false(header_list_append(list, SPAN_LIT("a b"), SPAN_LIT("x")));
	assert_false(header_list_append(list, SPAN_LIT(""), SPAN_LIT("x")));
	assert_false(header_list_change(list, SPAN_LIT("A:"), 1, SPAN_LIT("x")));
	while (buf_len(&value) < HEADER_EDITS_SIZE_MAX / 2)
		buf_append_byte(&value, 'x');
	assert_true(header_list_append(list, SPAN_LIT("A"), buf_span(&value)));
	assert_false(header_list_append(list, SPAN_LIT("A"), buf_span(&value)));
	assert_false(header_list_change(list, SPAN_LIT("A"), 1, buf_span(&value)));
	assert_true(header_list_append(list, SPAN_LIT("A"), SPAN_LIT("x")));
	assert_true(header_list_edits(list, &arena, &edits));
	header_list_free(&list);
	/* Line ends take more room than they came in. */
	list = list_of("A: 1\r\n\r\n", 0, SIZE_MAX);
	buf_truncate(&value, HEADER_EDITS_SIZE_MAX / 2 - 4);
	for (size_t i = 0; i < buf_len(&value); i++)
		value.base[i] = i % 2 ? 'x' : '\n';
	assert_true(header_list_append(list, SPAN_LIT("A"), buf_span(&value)));
	assert_true(header_list_edits(list, &arena, &edits));
	assert_false(header_list_append(list, SPAN_LIT("A"), SPAN_LIT("xxxxx")));
	header_list_free(&list);
	arena_fini(&arena);
	buf_fini(&value);
}

static void too_many_changes_are_told(void **state)
{
	struct header_list *list;
	struct arena arena = { 0 };
	struct header_edits edits;
	struct buf message = { 0 };

	(void)state;
	for (size_t i = 0; i <= HEADER_EDITS_CHANGES_MAX; i++)
		buf_append_str(&message, "A: 1\r\n");
	buf_append_byte(&message, '\0');
	list = list_of(message.base, 0, SIZE_MAX);
	for (size_t i = 0; i < HEADER_EDITS_CHANGES_MAX; i++)
		assert_true(header_list_change(list, SPAN_LIT("A"), 1, SPAN_LIT("")));
	assert_true(header_list_edits(list, &arena, &edits));
	assert_int_equal(edits.change_count, HEADER_EDITS_CHANGES_MAX);
	assert_true(header_list_change(list, SPAN_LIT("A"), 1, SPAN_LIT("")));
	assert_false(header_list_edits(list, &arena, &edits));
	header_list_free(&list);
	arena_fini(&arena);
	buf_fini(&message);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_section_is_cut_into_fields),
		cmocka_unit_test(names_are_looked_for_where_a_rewrite_does),
		cmocka_unit_test(a_section_is_bounded),
		cmocka_unit_test(a_list_is_changed_as_filters_mean_it),
		cmocka_unit_test(changes_are_bounded),
		cmocka_unit_test(too_many_changes_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
