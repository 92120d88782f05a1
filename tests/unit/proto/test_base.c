#include "cmocka_all.h"

#include <stdio.h>

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"
#include "skein/proto/base/codec.h"
#include "skein/proto/base/heap.h"
#include "skein/proto/base/list.h"
#include "skein/proto/base/table.h"

static void spans_compare_ascii_letters_without_case_and_nothing_else(void **state)
{
	(void)state;
	assert_true(span_eq_nocase(SPAN_LIT("MaIl"), SPAN_LIT("mAiL")));
	assert_false(span_eq_nocase(SPAN_LIT("[x"), SPAN_LIT("{x")));
	assert_false(span_eq_nocase(SPAN_LIT("mail"), SPAN_LIT("mai")));
	assert_true(span_starts_with_nocase(SPAN_LIT("SIZE=12"), SPAN_LIT("size=")));
	assert_span_equal(span_trim(SPAN_LIT(" \t a b \t")), "a b");
}

static void numbers_parse_only_when_all_digits_and_in_bounds(void **state)
{
	static const struct {
		const char *text;
		uint64_t max;
		bool ok;
		uint64_t value;
	} rows[] = {
		{ "0", 10, true, 0 },
		{ "10", 10, true, 10 },
		{ "11", 10, false, 0 },
		{ "", 10, false, 0 },
		{ "+1", 10, false, 0 },
		{ "1x", 10, false, 0 },
		{ "18446744073709551615", UINT64_MAX, true, UINT64_MAX },
		{ "18446744073709551616", UINT64_MAX, false, 0 },
		{ "184467440737095516150", UINT64_MAX, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		uint64_t value = 77;

		assert_int_equal(span_parse_u64(span_of_str(rows[i].text), rows[i].max, &value), rows[i].ok);
		assert_true(value == (rows[i].ok ? rows[i].value : 77));
	}
}

static void a_buf_gives_back_what_went_in_whatever_is_consumed_between(void **state)
{
	struct buf buf = { 0 };
	unsigned in = 0, out = 0;

	(void)state;
	for (unsigned step = 0; step < 2000; step++) {
		for (unsigned i = 0; i < step % 37; i++)
			buf_append_byte(&buf, (char)(in++ & 0x7f));
		for (unsigned i = 0; i < step % 31 && buf_len(&buf); i++) {
			assert_int_equal(buf_span(&buf).ptr[0], (char)(out++ & 0x7f));
			buf_consume(&buf, 1);
		}
	}
	assert_int_equal(buf_len(&buf), in - out);
	buf_clear(&buf);
	buf_printf(&buf, "%s-%d", "x", 5);
	buf_append_u64(&buf, UINT64_MAX);
	buf_append_u64(&buf, 0);
	assert_span_equal(buf_span(&buf), "x-5184467440737095516150");
	buf_truncate(&buf, 3);
	assert_span_equal(buf_span(&buf), "x-5");
	buf_fini(&buf);
}

static void a_heap_gives_deadlines_in_order_after_moves_and_removals(void **state)
{
	struct heap heap = { 0 };
	struct heap_node nodes[200] = { { 0 } };
	uint64_t last = 0;
	size_t left = 0;

	(void)state;
	for (size_t i = 0; i < 200; i++)
		heap_set(&heap, &nodes[i], (i * 7919) % 1000);
	for (size_t i = 0; i < 200; i += 3)
		heap_set(&heap, &nodes[i], (i * 104729) % 1000);
	for (size_t i = 0; i < 200; i += 5)
		heap_remove(&heap, &nodes[i]);
	heap_remove(&heap, &nodes[0]);
	for (struct heap_node *node; (node = heap_peek(&heap)); left++) {
		assert_true(node->due >= last);
		last = node->due;
		heap_remove(&heap, node);
	}
	assert_int_equal(left, 160);
	heap_fini(&heap);
}

static void a_table_finds_what_is_in_it_and_nothing_else(void **state)
{
	static const uint64_t seed[2] = { 1, 2 };
	struct table table;
	char keys[500][8];
	size_t cursor = 0, seen = 0;

	(void)state;
	table_init(&table, seed);
	for (unsigned i = 0; i < 500; i++) {
		snprintf(keys[i], sizeof(keys[i]), "k%u", i);
		assert_null(table_put(&table, span_of_str(keys[i]), keys[i]));
	}
	for (unsigned i = 0; i < 500; i += 2)
		assert_ptr_equal(table_remove(&table, span_of_str(keys[i])), keys[i]);
	for (unsigned i = 0; i < 500; i++)
		assert_ptr_equal(table_get(&table, span_of_str(keys[i])), i % 2 ? keys[i] : NULL);
	while (table_next(&table, &cursor))
		seen++;
	assert_int_equal(seen, 250);
	assert_ptr_equal(table_put(&table, span_of_str("k1"), keys[0]), keys[1]);
	table_fini(&table);
}

static void siphash_depends_on_every_byte_and_on_the_key(void **state)
{
	uint64_t seed[2] = { 0x0706050403020100, 0x0f0e0d0c0b0a0908 };
	char bytes[32] = { 0 };
	uint64_t base = siphash13(seed, span_of(bytes, sizeof(bytes)));

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++) {
		bytes[i] = 1;
		assert_true(siphash13(seed, span_of(bytes, sizeof(bytes))) != base);
		bytes[i] = 0;
	}
	seed[1]++;
	assert_true(siphash13(seed, span_of(bytes, sizeof(bytes))) != base);
	assert_true(siphash13(seed, span_of(bytes, 7)) != siphash13(seed, span_of(bytes, 8)));
}

static void a_reader_never_reads_past_its_end(void **state)
{
	struct buf buf = { 0 };

	(void)state;
	put_u8(&buf, 200);
	put_u16(&buf, 60000);
	put_u32(&buf, 4000000000u);
	put_u64(&buf, UINT64_MAX - 1);
	put_bytes(&buf, SPAN_LIT("body"));
	for (size_t len = 0; len <= buf_len(&buf); len++) {
		struct reader reader = { .rest = span_take(buf_span(&buf), len) };
		bool whole = len == buf_len(&buf);

		assert_int_equal(get_u8(&reader), len >= 1 ? 200 : 0);
		assert_int_equal(get_u16(&reader), len >= 3 ? 60000 : 0);
		assert_true(get_u32(&reader) == (len >= 7 ? 4000000000u : 0));
		assert_true(get_u64(&reader) == (len >= 15 ? UINT64_MAX - 1 : 0));
		assert_span_equal(get_bytes(&reader, 4), whole ? "body" : "");
		assert_int_equal(reader.bad, !whole);
	}
	struct reader bounded = { .rest = span_drop(buf_span(&buf), 15) };
	(void)get_bytes(&bounded, 3);
	assert_true(bounded.bad);
	buf_fini(&buf);
}

static void an_arena_hands_out_separate_memory_and_can_be_used_again(void **state)
{
	struct arena arena = { 0 };

	(void)state;
	for (int round = 0; round < 3; round++) {
		char *a = arena_strdup(&arena, SPAN_LIT("first"));
		char *big = arena_zalloc(&arena, 100000);
		struct span b = arena_dup(&arena, SPAN_LIT("second"));

		memset(big, 'x', 100000);
		assert_string_equal(a, "first");
		assert_span_equal(b, "second");
		arena_reset(&arena);
	}
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(spans_compare_ascii_letters_without_case_and_nothing_else),
		cmocka_unit_test(numbers_parse_only_when_all_digits_and_in_bounds),
		cmocka_unit_test(a_buf_gives_back_what_went_in_whatever_is_consumed_between),
		cmocka_unit_test(a_heap_gives_deadlines_in_order_after_moves_and_removals),
		cmocka_unit_test(a_table_finds_what_is_in_it_and_nothing_else),
		cmocka_unit_test(siphash_depends_on_every_byte_and_on_the_key),
		cmocka_unit_test(a_reader_never_reads_past_its_end),
		cmocka_unit_test(an_arena_hands_out_separate_memory_and_can_be_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
