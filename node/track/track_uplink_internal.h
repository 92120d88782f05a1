/*
 * track_uplink_internal: what track_uplink.c (from events to parcels) and track_uplink_send.c (parcels to
 * Redis) share.
 */
#ifndef NODE_TRACK_TRACK_UPLINK_INTERNAL_H
#define NODE_TRACK_TRACK_UPLINK_INTERNAL_H

#include "io/random.h"
#include "skein/cluster/track_chunk.h"
#include "skein/cluster/track_store.h"
#include "track/track_backlog.h"
#include "track/track_uplink.h"

enum { SMALLS_MAX = 64 };

enum catch_up { CATCH_UP_DUE, CATCH_UP_ASKING, CATCH_UP_READING, CATCH_UP_DONE };

/* A chunk on its way. */
struct parcel {
	struct list link;
	struct track_name name;
	uint64_t run, first, count; /* of its events */
	bool is_in_flight;
	bool follows_gap; /* what was before it was dropped */
	struct buf head, body;
	size_t replaces_count;
	struct track_name replaces[SMALLS_MAX];
};

struct track_uplink {
	struct track_uplink_options options;
	struct redis_conn *conn;
	struct random random;
	char *node;
	uint64_t next; /* number of the next event */

	struct track_chunk *chunk, *small;
	uint64_t begun_ms;           /* when the chunk got its first event */
	size_t sent_count, sent_len; /* events and bytes of the chunk that were handed to a parcel */
	struct track_name smalls[SMALLS_MAX];
	size_t small_count;

	struct list parcels; /* in the order in which they are sent */
	size_t parcel_bytes;
	uint64_t dropped; /* and not told yet */

	struct track_backlog *backlog; /* NULL: there is no file that says which events these were */
	enum catch_up catch_up;
	struct parcel *late; /* of the backlog; goes before all others */
	uint64_t caught_up;  /* events of it that Redis has, and not told yet */
	struct loop_timer step_timer;
	bool is_refused; /* told */
	bool is_asking, is_leaving;
	struct loop_timer flush_timer, retry_timer;
};

/* track_uplink_send.c */

/* Of a chunk as it is; with uplink_send() the queue's. */
struct parcel *uplink_parcel_new(uint64_t run, struct track_chunk *chunk);
void uplink_send(struct track_uplink *uplink, struct parcel *parcel);
/* Takes it out of the queue. */
void uplink_drop(struct track_uplink *uplink, struct parcel *parcel);
/* The argument is the uplink: what is to be sent next goes, if it can now. */
void uplink_pump(void *arg);
/* Nothing is sent any more: what was dropped is lost. Frees what waits. */
void uplink_lose_dropped(struct track_uplink *uplink);
void uplink_free_parcels(struct track_uplink *uplink);

#endif
