/*
 * track_chunk: many tracking events of one node as one thing for Redis: a head (who, when, how many, and a
 * filter of what can be searched for) and a body (the events, compressed). A search reads heads, and bodies
 * only of those that may have what it looks for. Pure; bytes from Redis may be any bytes.
 *
 * A node numbers its events from 1 on, in each run anew; so an event that lies in two chunks, a small one and
 * the larger one that replaces it, is told once.
 */
#ifndef SKEIN_CLUSTER_TRACK_CHUNK_H
#define SKEIN_CLUSTER_TRACK_CHUNK_H

#include "skein/cluster/track_event.h"
#include "skein/cluster/track_filter.h"

enum {
	TRACK_CHUNK_EVENTS = 1000,                               /* it is full with so many */
	TRACK_CHUNK_RAW = 256 * 1024,                            /* or with so many bytes of them */
	TRACK_CHUNK_RAW_MAX = TRACK_CHUNK_RAW + TRACK_EVENT_MAX, /* never more, not compressed */
	TRACK_CHUNK_BODY_MAX = TRACK_CHUNK_RAW_MAX + 4096,
	TRACK_CHUNK_NODE_MAX = 255,
	TRACK_HEAD_MAX = TRACK_FILTER_MAX + 512,
};

struct track_head {
	uint64_t run;             /* of the node: by chance, new with each start */
	uint64_t first;           /* number of the first event */
	uint64_t count;           /* at least 1 */
	uint64_t from_us, to_us;  /* the earliest and the latest event */
	uint64_t raw_len;         /* of the events */
	struct span node, filter; /* borrowed */
};

/* ERR_CORRUPT: no head that this version knows. */
WARN_UNUSED enum err track_head_decode(struct span bytes, struct track_head *head_out);
/* Appends the events, one behind the other as track_event_encode() made them. ERR_CORRUPT: it is no body. */
WARN_UNUSED enum err track_chunk_open(
	const struct track_head *head, struct span body, struct buf *events_out);

/* One that is being filled. */
struct track_chunk;
/* `node` is copied. */
struct track_chunk *track_chunk_new(struct span node, uint64_t run);
void track_chunk_free(struct track_chunk **chunk);
/* `encoded` is the event; `number` follows the last one. Not when it is full. */
void track_chunk_add(
	struct track_chunk *chunk, const struct track_event *event, struct span encoded, uint64_t number);
bool track_chunk_is_full(const struct track_chunk *chunk);
size_t track_chunk_count(const struct track_chunk *chunk);
uint64_t track_chunk_first(const struct track_chunk *chunk);
/* Its events, one behind the other. */
struct span track_chunk_raw(const struct track_chunk *chunk);
/* Appends head and body. The chunk stays as it is and may be filled on. */
void track_chunk_seal(struct track_chunk *chunk, struct buf *head_out, struct buf *body_out);
void track_chunk_clear(struct track_chunk *chunk);

#endif
