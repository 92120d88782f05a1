/*
 * Segments as a disk may return them. The input has two parts: a recipe for a well-formed segment, so that
 * the checksums do not keep the fuzzer outside, and then what to do to its bytes. Links
 * node/custody/record.c, proto and libxxhash.
 *
 *   recipe  count 1, then per record: type and flags 1, envelope length 1, body length 1
 *   edits   offset 2, value 1: XORed
 *
 * Whatever is edited, a scan ends, its records lie one behind the other inside the segment, and it says how
 * it ended. When nothing is edited every record comes back.
 */
#include "custody/record.h"

enum { RECORDS_MAX = 40, FLAG_NEW_BATCH = 0x10, FLAG_FILE = 0x20 };

struct input {
	const uint8_t *bytes;
	size_t len;
};

static const struct segment_header header = { .generation = 3, .seed = 0x5eed };
static const char text[256] = "Received: from a by b";

static uint8_t take(struct input *input)
{
	if (!input->len)
		return 0;
	input->len--;
	return *input->bytes++;
}

static void put_one(struct buf *segment, struct input *input, uint32_t *batch_start)
{
	uint8_t kind = take(input);
	struct record record = { .type = (uint8_t)(kind % 3 + 1), .id = { { kind } } };
	struct span body = { text, 0 };

	record.envelope_len = take(input);
	body.len = take(input);
	if (record.type == JOURNAL_MESSAGE)
		record.place = kind & FLAG_FILE ? JOURNAL_BODY_FILE : JOURNAL_BODY_INLINE;
	if (kind & FLAG_NEW_BATCH)
		*batch_start = (uint32_t)buf_len(segment);
	record.batch_start = *batch_start;
	if (record.place == JOURNAL_BODY_INLINE) {
		record.body_len = body.len;
		record.body_checksum = record_body_sum(body);
	} else {
		body.len = 0;
	}
	record_put(segment, &record, span_of(text, record.envelope_len), &header);
	buf_append(segment, body);
	buf_append(segment, span_of("\0\0\0\0\0\0\0", record_padding(&record)));
}

static unsigned build(struct buf *segment, struct input *input)
{
	unsigned count = take(input) % RECORDS_MAX;
	uint32_t batch_start = SEGMENT_HEADER_BYTES;

	segment_header_put(segment, &header);
	for (unsigned i = 0; i < count; i++)
		put_one(segment, input, &batch_start);
	return count;
}

static bool edit(struct buf *segment, struct input *input)
{
	bool changed = false;

	while (input->len) {
		size_t at = take(input);
		uint8_t value;

		at = SEGMENT_HEADER_BYTES + (at | (size_t)take(input) << 8);
		value = take(input);
		if (at >= buf_len(segment) || !value)
			continue;
		segment->base[segment->head + at] ^= (char)value;
		changed = true;
	}
	return changed;
}

static unsigned scan_through(struct span segment, bool skip, enum scan_state *state_out)
{
	struct scan scan;
	struct scanned scanned;
	size_t end = SEGMENT_HEADER_BYTES;
	unsigned count = 0;

	scan_init(&scan, segment, &header);
	for (;;) {
		while (scan_next(&scan, &scanned)) {
			CHECK(scanned.offset >= end && scanned.record.type != RECORD_END);
			CHECK(scanned.envelope.len == scanned.record.envelope_len);
			end = scanned.offset +
			      (size_t)(record_size(&scanned.record) - record_padding(&scanned.record));
			CHECK(end <= segment.len && scan.at >= end);
			count++;
		}
		if (!skip || scan.state != SCAN_DAMAGED)
			break;
		scan_skip_damage(&scan);
		CHECK(scan.at > end - 1);
	}
	*state_out = scan.state;
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct input input = { bytes, len };
	struct buf segment = { 0 };
	struct segment_header seen;
	enum scan_state state;
	unsigned built, stopped, skipped;
	bool changed;

	(void)segment_header_get(span_of((const char *)bytes, len), &seen);
	built = build(&segment, &input);
	changed = edit(&segment, &input);
	stopped = scan_through(buf_span(&segment), false, &state);
	CHECK(state != SCAN_GOING && stopped <= built);
	skipped = scan_through(buf_span(&segment), true, &state);
	CHECK(state == SCAN_SEALED || state == SCAN_TAIL);
	CHECK(skipped >= stopped && skipped <= built);
	CHECK(changed || stopped == built);
	buf_fini(&segment);
	return 0;
}
