/*
 * live: the messages that the journal must keep, by id, and where their records are. Also counts what is live
 * in each segment. Not locked: the journal does that.
 */
#ifndef NODE_CUSTODY_LIVE_H
#define NODE_CUSTODY_LIVE_H

#include "custody/segment.h"
#include "skein/proto/base/table.h"

/* Where a record is; segment NULL when there is none. */
struct place {
	struct segment *segment;
	uint32_t offset;
	uint32_t envelope_len;
	uint64_t size;
};

struct live {
	struct list in_segment; /* message.segment->lives, oldest first */
	struct msg_id id;
	struct place message;
	struct place update; /* the last one; in no older segment than `message` */
	enum journal_place body_place;
	uint64_t body_len, body_checksum;
};

struct live_index {
	struct table by_id;
	uint64_t bytes;
};

void live_init(struct live_index *index, const uint64_t seed[2]);
void live_fini(struct live_index *index);

struct live *live_find(const struct live_index *index, const struct msg_id *id);
/* A MESSAGE was written: adds it, or moves one that is live. */
void live_put(struct live_index *index, const struct record *record, struct segment *segment, size_t offset);
/* An UPDATE was written. False when the id is not live. */
bool live_update(
	struct live_index *index, const struct record *record, struct segment *segment, size_t offset);
/* A DONE was written. */
void live_remove(struct live_index *index, const struct msg_id *id);

/* Where the envelope that counts is. */
const struct place *live_envelope(const struct live *live);

#endif
