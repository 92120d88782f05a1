/*
 * track_store: the tracking events of the whole cluster in Redis, as typed calls over one redis_link. The
 * rules for the calls are those of queue.h. What is kept is bounded by bytes and by age: what is older is let
 * go of as chunks are put.
 *
 * Chunks have a place, which grows with each that is put: who follows them reads on from the last one. A
 * chunk that replaces others is a new one there: events are told apart by run and number (track_chunk.h).
 */
#ifndef SKEIN_CLUSTER_TRACK_STORE_H
#define SKEIN_CLUSTER_TRACK_STORE_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	TRACK_NAME_LEN = 37,      /* of a chunk: run and first number */
	TRACK_REPLACES_MAX = 256, /* by one call */
	TRACK_LIST_MAX = 1000,
	TRACK_BODIES_MAX = 32,
};
#define TRACK_PLACE_MAX ((uint64_t)1 << 53)

struct track_name {
	char text[TRACK_NAME_LEN + 1];
};
struct track_name track_name_of(uint64_t run, uint64_t first);
/* Back. False: it is no name. */
WARN_UNUSED bool track_name_read(struct span name, uint64_t *run_out, uint64_t *first_out);

struct track_put {
	struct track_name name; /* one that is there with this name is replaced, too */
	struct span head, body;
	struct span node;       /* whose mark this moves; empty: nobody's */
	struct track_name mark; /* its last event in here, as a chunk that began with it would be called */
	uint64_t size_max, age_max_ms; /* of all that is kept */
	const struct track_name *replaces;
	size_t replaces_count;
};
/* May be repeated when its answer was lost. */
typedef void track_done_fn(void *arg, const struct outcome *outcome);
bool track_store_put(
	struct redis_link *link, const struct track_put *put, uint64_t now_ms, track_done_fn *fn, void *arg);

/* What of a node came here last: the mark of its last chunk. `run` 0: nothing is known of it. */
struct track_mark {
	uint64_t run, number;
};
typedef void track_mark_fn(void *arg, const struct outcome *outcome, const struct track_mark *mark);
bool track_store_mark(
	struct redis_link *link, struct span node, uint64_t now_ms, track_mark_fn *fn, void *arg);

struct track_entry {
	uint64_t place;
	struct span name, head; /* borrowed */
};
struct track_listing {
	uint64_t now_us;  /* by Redis' clock */
	uint64_t kept_us; /* what was written before is not kept any more; 0: nothing was let go of yet */
	const struct track_entry *entries; /* borrowed */
	size_t count;
};
typedef void track_list_fn(void *arg, const struct outcome *outcome, const struct track_listing *listing);
/* At most `count` heads behind a place, in the order of places, */
bool track_store_list_after(
	struct redis_link *link, uint64_t place, size_t count, uint64_t now_ms, track_list_fn *fn, void *arg);
/* or before one, backwards. */
bool track_store_list_before(
	struct redis_link *link, uint64_t place, size_t count, uint64_t now_ms, track_list_fn *fn, void *arg);

/* One for each name; empty: it is not there any more. */
typedef void track_bodies_fn(
	void *arg, const struct outcome *outcome, const struct span *bodies, size_t count);
bool track_store_bodies(struct redis_link *link, const struct span *names, size_t count, uint64_t now_ms,
	track_bodies_fn *fn, void *arg);

#endif
