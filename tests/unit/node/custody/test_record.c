#include "cmocka_all.h"

#include "custody/record.h"

static const struct segment_header header = {
	.generation = 7, .seed = 0x1122334455667788, .origin = { 1, 4 }
};

static struct record record_of(enum journal_type type, size_t envelope, enum journal_place place, size_t body)
{
	return (struct record){
		.type = (uint8_t)type,
		.id = msg_id_make(1700000000000, 9, 42),
		.batch_start = SEGMENT_HEADER_BYTES,
		.envelope_len = (uint32_t)envelope,
		.place = place,
		.body_len = body,
	};
}

static char text[4096];

static void put_whole(struct buf *buf, struct record record, const struct segment_header *segment)
{
	struct span body = span_of(text + 100, record.place == JOURNAL_BODY_INLINE ? record.body_len : 0);

	record.body_checksum = record_body_sum(body);
	record_put(buf, &record, span_of(text, record.envelope_len), segment);
	buf_append(buf, body);
	buf_append(buf, span_of("\0\0\0\0\0\0\0\0", record_padding(&record)));
}

static bool get(struct span bytes, const struct segment_header *segment, struct record *record_out)
{
	struct span envelope, body;

	return record_get(bytes, segment, record_out, &envelope, &body);
}

static int fill_text(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = (char)(i * 31 + i / 7);
	return 0;
}

static void a_segment_header_is_read_back_and_any_flipped_bit_is_seen(void **state)
{
	struct segment_header seen;
	struct buf buf = { 0 };

	(void)state;
	segment_header_put(&buf, &header);
	assert_int_equal(buf_len(&buf), SEGMENT_HEADER_BYTES);
	assert_int_equal(segment_header_get(buf_span(&buf), &seen), HEADER_GOOD);
	assert_int_equal(seen.generation, header.generation);
	assert_true(seen.seed == header.seed);
	assert_int_equal(seen.origin.worker, 1);
	assert_int_equal(seen.origin.workers, 4);
	for (size_t bit = 0; bit < 40 * 8; bit++) {
		buf.base[bit / 8] ^= (char)(1 << bit % 8);
		assert_int_equal(segment_header_get(buf_span(&buf), &seen), HEADER_BAD);
		buf.base[bit / 8] ^= (char)(1 << bit % 8);
	}
	for (size_t len = 1; len < 40; len++)
		assert_int_equal(segment_header_get(span_of(buf.base, len), &seen), HEADER_BAD);
	memset(buf.base, 0, SEGMENT_HEADER_BYTES);
	for (size_t len = 0; len < SEGMENT_HEADER_BYTES; len += 8)
		assert_int_equal(segment_header_get(span_of(buf.base, len), &seen), HEADER_BLANK);
	buf_fini(&buf);
}

static const struct record_row {
	enum journal_type type;
	size_t envelope;
	enum journal_place place;
	size_t body;
} record_rows[] = {
	{ JOURNAL_MESSAGE, 0, JOURNAL_BODY_INLINE, 0 },
	{ JOURNAL_MESSAGE, 1, JOURNAL_BODY_INLINE, 1 },
	{ JOURNAL_MESSAGE, 77, JOURNAL_BODY_INLINE, 333 },
	{ JOURNAL_MESSAGE, 80, JOURNAL_BODY_FILE, 1u << 30 },
	{ JOURNAL_MESSAGE, 5, JOURNAL_BODY_NONE, 12 },
	{ JOURNAL_UPDATE, 13, JOURNAL_BODY_NONE, 0 },
	{ JOURNAL_DONE, 0, JOURNAL_BODY_NONE, 0 },
};

static void a_record_is_read_back_as_it_was_written(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(record_rows); i++) {
		const struct record_row *row = &record_rows[i];
		struct record record = record_of(row->type, row->envelope, row->place, row->body), seen;
		struct span envelope, body;
		struct buf buf = { 0 };

		put_whole(&buf, record, &header);
		assert_int_equal(buf_len(&buf), record_size(&record));
		assert_int_equal(buf_len(&buf) % RECORD_ALIGN, 0);
		assert_true(record_get(buf_span(&buf), &header, &seen, &envelope, &body));
		assert_int_equal(seen.type, record.type);
		assert_true(msg_id_eq(&seen.id, &record.id));
		assert_int_equal(seen.place, record.place);
		assert_true(seen.body_len == record.body_len);
		assert_int_equal(envelope.len, row->envelope);
		assert_memory_equal(envelope.ptr, text, envelope.len);
		assert_int_equal(body.len, row->place == JOURNAL_BODY_INLINE ? row->body : 0);
		assert_memory_equal(body.ptr, text + 100, body.len);
		buf_fini(&buf);
	}
}

static void a_record_that_is_cut_short_or_has_any_bit_flipped_is_none(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(record_rows); i++) {
		const struct record_row *row = &record_rows[i];
		struct record record = record_of(row->type, row->envelope, row->place, row->body), seen;
		struct buf buf = { 0 };
		size_t len;

		put_whole(&buf, record, &header);
		len = buf_len(&buf) - record_padding(&record);
		for (size_t cut = 0; cut < len; cut++)
			assert_false(get(span_of(buf.base, cut), &header, &seen));
		for (size_t bit = 0; bit < len * 8; bit++) {
			buf.base[bit / 8] ^= (char)(1 << bit % 8);
			assert_false(get(buf_span(&buf), &header, &seen));
			buf.base[bit / 8] ^= (char)(1 << bit % 8);
		}
		buf_fini(&buf);
	}
}

static void a_record_of_another_use_of_the_segment_is_none(void **state)
{
	struct segment_header older = header, forged = header;
	struct record seen;
	struct buf buf = { 0 };

	(void)state;
	older.generation--;
	forged.seed++; /* all that the sender of a body cannot know */
	put_whole(&buf, record_of(JOURNAL_DONE, 0, JOURNAL_BODY_NONE, 0), &header);
	assert_true(get(buf_span(&buf), &header, &seen));
	assert_false(get(buf_span(&buf), &older, &seen));
	assert_false(get(buf_span(&buf), &forged, &seen));
	buf_fini(&buf);
}

/* --- scanning --- */

enum { BATCHES = 3, PER_BATCH = 3, RECORDS = BATCHES * PER_BATCH };

struct built {
	struct buf bytes;
	size_t at[RECORDS + 1]; /* offset of each record, and of what follows */
};

/* Three batches of three messages in a segment with room behind them. */
static struct built build(bool sealed)
{
	struct built built = { 0 };
	size_t batch_start = 0;

	segment_header_put(&built.bytes, &header);
	for (size_t i = 0; i < RECORDS; i++) {
		struct record record = record_of(JOURNAL_MESSAGE, 20 + i, JOURNAL_BODY_INLINE, 100 * i);

		built.at[i] = buf_len(&built.bytes);
		if (i % PER_BATCH == 0)
			batch_start = built.at[i];
		record.batch_start = (uint32_t)batch_start;
		put_whole(&built.bytes, record, &header);
	}
	built.at[RECORDS] = buf_len(&built.bytes);
	if (sealed) {
		struct record end = { .type = RECORD_END, .batch_start = (uint32_t)built.at[RECORDS] };

		record_put(&built.bytes, &end, span_of(NULL, 0), &header);
	}
	buf_reserve(&built.bytes, 8192);
	memset(buf_tail(&built.bytes), 0, 8192);
	buf_commit(&built.bytes, 8192);
	return built;
}

enum { NOTHING = -1 };

static void a_scan_tells_a_torn_last_batch_from_damage(void **state)
{
	static const struct {
		const char *what;
		bool sealed;
		int damaged[2]; /* records whose bytes are lost */
		enum scan_state end;
		unsigned good;
	} rows[] = {
		{ "nothing wrong, and open", false, { NOTHING, NOTHING }, SCAN_TAIL, 9 },
		{ "nothing wrong, and sealed", true, { NOTHING, NOTHING }, SCAN_SEALED, 9 },
		{ "the last record", false, { 8, NOTHING }, SCAN_TAIL, 8 },
		{ "the middle of the last batch", false, { 7, NOTHING }, SCAN_TAIL, 7 },
		{ "the first of the last batch", false, { 6, NOTHING }, SCAN_TAIL, 6 },
		{ "the whole batch but one", false, { 6, 8 }, SCAN_TAIL, 6 },
		{ "the last of the batch before", false, { 5, NOTHING }, SCAN_DAMAGED, 5 },
		{ "the same, and the next batch is torn", false, { 5, 6 }, SCAN_DAMAGED, 5 },
		{ "the first of all", false, { 0, NOTHING }, SCAN_DAMAGED, 0 },
		{ "the last batch of a sealed segment", true, { 8, NOTHING }, SCAN_DAMAGED, 8 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct built built = build(rows[i].sealed);
		struct scan scan;
		struct scanned scanned;
		unsigned good = 0;

		for (size_t d = 0; d < 2; d++) {
			if (rows[i].damaged[d] != NOTHING)
				memset(built.bytes.base + built.at[rows[i].damaged[d]], 0x55, 64);
		}
		scan_init(&scan, buf_span(&built.bytes), &header);
		while (scan_next(&scan, &scanned)) {
			assert_int_equal(scanned.offset, built.at[good]);
			assert_int_equal(scanned.record.envelope_len, 20 + good);
			good++;
		}
		if (scan.state != rows[i].end || good != rows[i].good)
			fail_msg("%s: state %d after %u", rows[i].what, (int)scan.state, good);
		assert_int_equal(scan.at, built.at[good]);
		buf_fini(&built.bytes);
	}
}

static void a_damaged_body_counts_as_much_as_a_damaged_header(void **state)
{
	struct built built = build(true);
	struct scan scan;
	struct scanned scanned;
	unsigned good = 0;

	(void)state;
	built.bytes.base[built.at[5] - 9] ^= 1; /* in the body of record 4 */
	scan_init(&scan, buf_span(&built.bytes), &header);
	while (scan_next(&scan, &scanned))
		good++;
	assert_int_equal(scan.state, SCAN_DAMAGED);
	assert_int_equal(good, 4);
	buf_fini(&built.bytes);
}

static void behind_the_damage_a_scan_can_go_on(void **state)
{
	struct built built = build(true);
	struct scan scan;
	struct scanned scanned;
	unsigned good = 0, skips = 0;

	(void)state;
	memset(built.bytes.base + built.at[1], 0x55, built.at[3] - built.at[1] + 10);
	memset(built.bytes.base + built.at[7], 0x55, 10);
	scan_init(&scan, buf_span(&built.bytes), &header);
	for (;;) {
		while (scan_next(&scan, &scanned))
			good++;
		if (scan.state != SCAN_DAMAGED)
			break;
		scan_skip_damage(&scan);
		skips++;
	}
	assert_int_equal(scan.state, SCAN_SEALED);
	assert_int_equal(good, RECORDS - 4);
	assert_int_equal(skips, 2);
	buf_fini(&built.bytes);
}

static void what_an_earlier_use_left_behind_the_end_is_not_seen(void **state)
{
	struct segment_header older = header;
	struct built built = build(false);
	struct buf leftover = { 0 };
	struct scan scan;
	struct scanned scanned;
	unsigned good = 0;

	(void)state;
	older.generation--;
	for (unsigned i = 0; i < 10; i++) {
		struct record record = record_of(JOURNAL_MESSAGE, 30, JOURNAL_BODY_INLINE, 200);

		record.batch_start = UINT32_MAX;
		put_whole(&leftover, record, &older);
	}
	memcpy(built.bytes.base + built.at[RECORDS], buf_span(&leftover).ptr, buf_len(&leftover));
	scan_init(&scan, buf_span(&built.bytes), &header);
	while (scan_next(&scan, &scanned))
		good++;
	assert_int_equal(scan.state, SCAN_TAIL);
	assert_int_equal(good, RECORDS);
	buf_fini(&leftover);
	buf_fini(&built.bytes);
}

static void a_segment_cut_at_any_byte_gives_the_records_before_the_cut(void **state)
{
	struct built built = build(false);

	(void)state;
	for (size_t len = SEGMENT_HEADER_BYTES; len < built.at[RECORDS]; len++) {
		struct scan scan;
		struct scanned scanned;
		unsigned good = 0;

		scan_init(&scan, span_of(built.bytes.base, len), &header);
		while (scan_next(&scan, &scanned))
			good++;
		assert_int_equal(scan.state, SCAN_TAIL);
		/* Padding may be cut: it says nothing. */
		assert_true(built.at[good] < len + RECORD_ALIGN);
		assert_true(good == RECORDS || built.at[good + 1] > len);
	}
	buf_fini(&built.bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_segment_header_is_read_back_and_any_flipped_bit_is_seen),
		cmocka_unit_test(a_record_is_read_back_as_it_was_written),
		cmocka_unit_test(a_record_that_is_cut_short_or_has_any_bit_flipped_is_none),
		cmocka_unit_test(a_record_of_another_use_of_the_segment_is_none),
		cmocka_unit_test(a_scan_tells_a_torn_last_batch_from_damage),
		cmocka_unit_test(a_damaged_body_counts_as_much_as_a_damaged_header),
		cmocka_unit_test(behind_the_damage_a_scan_can_go_on),
		cmocka_unit_test(what_an_earlier_use_left_behind_the_end_is_not_seen),
		cmocka_unit_test(a_segment_cut_at_any_byte_gives_the_records_before_the_cut),
	};

	return cmocka_run_group_tests(tests, fill_text, NULL);
}
