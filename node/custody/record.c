#include "custody/record.h"

#include "skein/proto/base/codec.h"

#include <xxhash.h>

static const char segment_magic[8] = { 'S', 'K', 'E', 'I', 'N', 'J', '\r', '\n' };

enum {
	SEGMENT_VERSION = 1,
	SEGMENT_HEADER_USED = 40,  /* the rest of the block is zero */
	RECORD_MAGIC = 0x31524b53, /* "SKR1" */
	CHECKSUM_BYTES = 8,
};

/* Writes the checksum of everything after it into the first 8 bytes of what was appended since `start`. */
static void put_checksum(struct buf *buf, size_t start, uint64_t seed)
{
	char *base = buf->base + buf->head + start;
	size_t len = buf_len(buf) - start;
	uint64_t sum = XXH3_64bits_withSeed(base + CHECKSUM_BYTES, len - CHECKSUM_BYTES, seed);

	for (size_t i = 0; i < CHECKSUM_BYTES; i++)
		base[i] = (char)(sum >> (8 * i));
}

static bool is_zero(struct span bytes)
{
	for (size_t i = 0; i < bytes.len; i++) {
		if (bytes.ptr[i])
			return false;
	}
	return true;
}

void segment_header_put(struct buf *buf, const struct segment_header *header)
{
	size_t start = buf_len(buf);

	put_u64(buf, 0);
	buf_append(buf, span_of(segment_magic, sizeof(segment_magic)));
	put_u32(buf, SEGMENT_VERSION);
	put_u32(buf, header->generation);
	put_u64(buf, header->seed);
	put_u32(buf, header->origin.worker);
	put_u32(buf, header->origin.workers);
	put_checksum(buf, start, 0);
	buf_reserve(buf, SEGMENT_HEADER_BYTES - SEGMENT_HEADER_USED);
	memset(buf_tail(buf), 0, SEGMENT_HEADER_BYTES - SEGMENT_HEADER_USED);
	buf_commit(buf, SEGMENT_HEADER_BYTES - SEGMENT_HEADER_USED);
}

enum header_state segment_header_get(struct span bytes, struct segment_header *header_out)
{
	struct reader reader = { .rest = bytes };
	struct segment_header header;
	uint64_t sum;

	if (bytes.len < SEGMENT_HEADER_USED)
		return is_zero(bytes) ? HEADER_BLANK : HEADER_BAD;
	sum = XXH3_64bits(bytes.ptr + CHECKSUM_BYTES, SEGMENT_HEADER_USED - CHECKSUM_BYTES);
	if (get_u64(&reader) != sum)
		return is_zero(span_take(bytes, SEGMENT_HEADER_USED)) ? HEADER_BLANK : HEADER_BAD;
	if (memcmp(reader.rest.ptr, segment_magic, sizeof(segment_magic)) != 0)
		return HEADER_BAD;
	reader.rest = span_drop(reader.rest, sizeof(segment_magic));
	if (get_u32(&reader) != SEGMENT_VERSION)
		return HEADER_BAD;
	header.generation = get_u32(&reader);
	header.seed = get_u64(&reader);
	header.origin.worker = get_u32(&reader);
	header.origin.workers = get_u32(&reader);
	*header_out = header;
	return header.generation ? HEADER_GOOD : HEADER_BAD;
}

uint64_t record_body_sum(struct span body)
{
	return XXH3_64bits(body.ptr ? body.ptr : "", body.len);
}

static uint64_t inline_len(const struct record *record)
{
	return record->place == JOURNAL_BODY_INLINE ? record->body_len : 0;
}

size_t record_body_offset(const struct record *record)
{
	return RECORD_HEADER_BYTES + record->envelope_len;
}

static uint64_t unpadded_size(const struct record *record)
{
	return record_body_offset(record) + inline_len(record);
}

size_t record_padding(const struct record *record)
{
	return (size_t)(-unpadded_size(record) & (RECORD_ALIGN - 1));
}

uint64_t record_size(const struct record *record)
{
	return unpadded_size(record) + record_padding(record);
}

void record_put(struct buf *buf, const struct record *record, struct span envelope,
	const struct segment_header *segment)
{
	size_t start = buf_len(buf);

	CHECK(envelope.len == record->envelope_len);
	buf_reserve(buf, RECORD_HEADER_BYTES + envelope.len);
	put_u64(buf, 0);
	put_u32(buf, RECORD_MAGIC);
	put_u32(buf, segment->generation);
	put_u32(buf, record->batch_start);
	put_u8(buf, record->type);
	put_u8(buf, (uint8_t)record->place);
	put_u16(buf, 0);
	buf_append(buf, msg_id_span(&record->id));
	put_u32(buf, record->envelope_len);
	put_u32(buf, 0);
	put_u64(buf, record->body_len);
	put_u64(buf, record->body_checksum);
	buf_append(buf, envelope);
	put_checksum(buf, start, segment->seed);
}

static uint32_t peek_u32(const char *at)
{
	struct reader reader = { .rest = span_of(at, 4) };

	return get_u32(&reader);
}

/* Everything but the checksums. */
static bool get_fields(struct span bytes, struct record *record)
{
	struct reader reader = { .rest = span_drop(bytes, 16) };
	uint8_t place;
	uint32_t zeros;

	record->batch_start = get_u32(&reader);
	record->type = get_u8(&reader);
	place = get_u8(&reader);
	zeros = get_u16(&reader);
	memcpy(record->id.bytes, reader.rest.ptr, MSG_ID_LEN);
	reader.rest = span_drop(reader.rest, MSG_ID_LEN);
	record->envelope_len = get_u32(&reader);
	zeros |= get_u32(&reader);
	record->body_len = get_u64(&reader);
	record->body_checksum = get_u64(&reader);
	if (zeros || place > JOURNAL_BODY_FILE || record->type < JOURNAL_MESSAGE || record->type > RECORD_END)
		return false;
	record->place = (enum journal_place)place;
	if (record->type != JOURNAL_MESSAGE && record->place != JOURNAL_BODY_NONE)
		return false;
	return record->envelope_len <= bytes.len - RECORD_HEADER_BYTES &&
	       inline_len(record) <= bytes.len - RECORD_HEADER_BYTES - record->envelope_len;
}

static bool get_head(struct span bytes, const struct segment_header *segment, struct record *record)
{
	struct reader reader = { .rest = bytes };

	if (bytes.len < RECORD_HEADER_BYTES || peek_u32(bytes.ptr + 8) != RECORD_MAGIC ||
		peek_u32(bytes.ptr + 12) != segment->generation || !get_fields(bytes, record))
		return false;
	return get_u64(&reader) == XXH3_64bits_withSeed(bytes.ptr + CHECKSUM_BYTES,
					   record_body_offset(record) - CHECKSUM_BYTES, segment->seed);
}

bool record_get(struct span bytes, const struct segment_header *segment, struct record *record_out,
	struct span *envelope_out, struct span *body_out)
{
	if (!get_head(bytes, segment, record_out))
		return false;
	*envelope_out = span_of(bytes.ptr + RECORD_HEADER_BYTES, record_out->envelope_len);
	*body_out = span_of(bytes.ptr + record_body_offset(record_out), (size_t)inline_len(record_out));
	return record_out->place != JOURNAL_BODY_INLINE ||
	       record_body_sum(*body_out) == record_out->body_checksum;
}

void scan_init(struct scan *scan, struct span segment, const struct segment_header *header)
{
	*scan = (struct scan){ .segment = segment, .header = *header, .at = SEGMENT_HEADER_BYTES };
}

/*
 * The next place behind `scan->at` where a record begins, or 0. With `later_batch`, only one of a batch that
 * began behind scan->at counts. Slow, but it looks only at what follows the end of the log, or at damage.
 */
static size_t find_record(const struct scan *scan, bool later_batch)
{
	struct record record;

	for (size_t at = scan->at + RECORD_ALIGN; at + RECORD_HEADER_BYTES <= scan->segment.len;
		at += RECORD_ALIGN) {
		if (get_head(span_drop(scan->segment, at), &scan->header, &record) &&
			(!later_batch || record.batch_start > scan->at))
			return at;
	}
	return 0;
}

bool scan_next(struct scan *scan, struct scanned *out)
{
	struct span body;

	if (scan->state != SCAN_GOING)
		return false;
	if (scan->at > scan->segment.len || !record_get(span_drop(scan->segment, scan->at), &scan->header,
						    &out->record, &out->envelope, &body)) {
		scan->state = find_record(scan, true) ? SCAN_DAMAGED : SCAN_TAIL;
		return false;
	}
	if (out->record.type == RECORD_END) {
		scan->state = SCAN_SEALED;
		return false;
	}
	out->offset = scan->at;
	scan->at += (size_t)record_size(&out->record);
	return true;
}

void scan_skip_damage(struct scan *scan)
{
	CHECK(scan->state == SCAN_DAMAGED);
	scan->at = find_record(scan, false);
	CHECK(scan->at);
	scan->state = SCAN_GOING;
}
