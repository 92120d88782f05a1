/*
 * track_uplink: the sink that brings events to the cluster's stream in Redis (track_store.h), as chunks: a
 * full one at once, what there is of the next one every UPLINK_FLUSH_MS, so that it can be followed live.
 * Small ones are replaced by the larger one that contains them. One call to Redis is under way at a time, on
 * a connection of its own.
 *
 * While Redis is away or full, full chunks wait in memory, up to `queue_max` bytes; beyond that the oldest
 * are dropped. What was dropped, or was in memory when the process died, is taken from the local files when
 * Redis is there (track_backlog.h); what they do not have is lost, counted and told in the log.
 */
#ifndef NODE_TRACK_TRACK_UPLINK_H
#define NODE_TRACK_TRACK_UPLINK_H

#include "io/redis_conn.h"
#include "track/log.h"
#include "track/metrics.h"
#include "track/track_sink.h"

enum { UPLINK_FLUSH_MS = 200 };

struct track_uplink;

/* What a reload may change. */
struct track_uplink_limits {
	uint64_t size_max, age_max_ms; /* of all that Redis keeps */
	uint64_t queue_max;            /* of what waits here */
};

struct track_uplink_limits track_uplink_limits_of(const struct settings *settings);

struct track_uplink_options {
	struct loop *loop; /* of the tracker */
	const struct redis_conn_options *redis;
	const char *node;
	uint64_t run;       /* tracker_run() */
	const char *folder; /* of the local files, in JSON; NULL: there are none */
	struct track_uplink_limits limits;
	uint64_t flush_ms; /* 0: UPLINK_FLUSH_MS */
	struct log *log; /* both of the tracker's thread; may be NULL */
	struct meter *meter;
};

/* Before the loop runs. */
struct track_uplink *track_uplink_new(const struct track_uplink_options *options);
/* After the tracker has ended. NULL inside is fine. */
void track_uplink_free(struct track_uplink **uplink);
/* What to give to tracker_add(). */
struct track_sink track_uplink_sink(struct track_uplink *uplink);

#endif
