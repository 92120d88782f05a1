/*
 * record: the bytes of the journal. Pure: no files, no threads. Numbers are little-endian.
 *
 * A segment is a block of SEGMENT_HEADER_BYTES and then records, each aligned to 8 bytes:
 *
 *   segment header  checksum 8 · magic 8 · version 4 · generation 4 · seed 8 · worker 4 · workers 4 · zeros
 *   record          checksum 8 · magic 4 · generation 4 · batch start 4 · type 1 · place 1 · zero 2 · id 16 ·
 *                   envelope length 4 · zero 4 · body length 8 · body checksum 8, then the envelope, the
 *                   inline body and zeros up to a multiple of 8
 *
 * The generation grows with every use of a segment, so what an earlier use left behind is told from what
 * belongs to this one. The record's checksum covers header and envelope and is seeded with the segment's
 * random seed: a message whose body imitates records cannot become one when the segment is used again,
 * because the seed was drawn later.
 *
 * `batch start` is the offset at which the batch began that this record was written with: all before it was
 * durable then. So a record that does not read back is a torn last batch, never acknowledged, unless a record
 * of a batch that began behind it can be read: then it is damage. A segment that is followed by another one
 * ends with an END record.
 */
#ifndef NODE_CUSTODY_RECORD_H
#define NODE_CUSTODY_RECORD_H

#include "custody/journal.h"

enum {
	SEGMENT_HEADER_BYTES = 4096, /* a block of its own: no batch writes into it */
	RECORD_HEADER_BYTES = 64,
	RECORD_ALIGN = 8,
	RECORD_END = 4, /* beside the values of enum journal_type */
};

struct segment_header {
	uint32_t generation; /* from 1 */
	uint64_t seed;
	struct journal_origin origin;
};

/* Appends SEGMENT_HEADER_BYTES. */
void segment_header_put(struct buf *buf, const struct segment_header *header);

enum header_state {
	HEADER_GOOD,
	HEADER_BLANK, /* only zeros: never used */
	HEADER_BAD,
};
/* `bytes` are the first of the file, as many as there are. */
enum header_state segment_header_get(struct span bytes, struct segment_header *header_out);

struct record {
	uint8_t type; /* enum journal_type or RECORD_END */
	struct msg_id id;
	uint32_t batch_start;
	uint32_t envelope_len;
	enum journal_place place;
	uint64_t body_len;
	uint64_t body_checksum;
};

uint64_t record_body_sum(struct span body);
/* In the segment, padding included. */
uint64_t record_size(const struct record *record);
/* Where the inline body begins, counted from the record. */
size_t record_body_offset(const struct record *record);

/* Appends header and envelope. The inline body and the padding (record_padding) follow. */
void record_put(struct buf *buf, const struct record *record, struct span envelope,
	const struct segment_header *segment);
size_t record_padding(const struct record *record);

/*
 * Decodes and verifies the record, body included, at the front of `bytes`, which end where the segment ends.
 * `envelope_out` and `body_out` point into `bytes`. False when there is none.
 */
bool record_get(struct span bytes, const struct segment_header *segment, struct record *record_out,
	struct span *envelope_out, struct span *body_out) WARN_UNUSED;

enum scan_state {
	SCAN_GOING,
	SCAN_SEALED,  /* an END record */
	SCAN_TAIL,    /* nothing, or a torn batch, from `at` on */
	SCAN_DAMAGED, /* what is at `at` was durable once */
};

/* Walks the records of one segment that is in memory as a whole. */
struct scan {
	struct span segment;
	struct segment_header header;
	enum scan_state state;
	size_t at; /* of the next record; the end of the last good one */
};

struct scanned {
	size_t offset;
	struct record record;
	struct span envelope;
};

void scan_init(struct scan *scan, struct span segment, const struct segment_header *header);
/* False at the end: see `state`. Never gives the END record. */
bool scan_next(struct scan *scan, struct scanned *scanned_out) WARN_UNUSED;
/* From SCAN_DAMAGED on to the next record that can be read. */
void scan_skip_damage(struct scan *scan);

#endif
