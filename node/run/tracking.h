/*
 * tracking: the tracker of this process and its sinks, from the start to the end of the process.
 */
#ifndef NODE_RUN_TRACKING_H
#define NODE_RUN_TRACKING_H

#include "config/settings.h"
#include "custody/spool.h"
#include "track/track_hooks.h"
#include "track/tracker.h"

struct tracking {
	struct tracker *tracker;
	struct track_file *file;     /* NULL: off */
	struct track_uplink *uplink; /* the same */
	struct track_hooks *hooks;
	uint64_t patience_ms;        /* at the end */
};

struct tracking_options {
	const struct settings *settings;
	const struct spool *spool;
	struct log *log; /* both of the tracker's thread */
	struct meter *meter;
	struct redis_master *redis_master; /* NULL: redis.address says it */
	const char *redis_password;        /* NULL: none */
	struct tls_slot *redis_tls;
};

/* Opens the sinks. Threads may then have their tracks. On failure appends lines to `why_out`. */
WARN_UNUSED enum err tracking_open(
	struct tracking *tracking, const struct tracking_options *options, struct buf *why_out);
/* All tracks are open. `resolver` and `secrets` are borrowed until the end. */
WARN_UNUSED enum err tracking_start(
	struct tracking *tracking, struct resolver *resolver, struct secrets *secrets, struct buf *why_out);
/* No thread tracks any more. Harmless when it was never opened. */
void tracking_close(struct tracking *tracking);

#endif
