/*
 * track_hooks: the sink that tells all receivers of tracking.hooks. Made before the node's resolver and
 * secrets are there, which it gets before the tracker starts. A reload adds, removes and changes receivers:
 * hooks of the same name go on, with what waits for them.
 */
#ifndef NODE_TRACK_TRACK_HOOKS_H
#define NODE_TRACK_TRACK_HOOKS_H

#include "access/secrets.h"
#include "config/settings.h"
#include "dns/resolver.h"
#include "track/metrics.h"
#include "track/track_sink.h"

struct track_hooks;

struct track_hooks_options {
	const struct settings *settings; /* of the start; outlive the hooks */
	uint64_t redact_key[2];
	struct loop *loop; /* tracker_loop() */
	struct log *log;   /* both of the tracker's thread */
	struct meter *meter;
};

struct track_hooks *track_hooks_new(const struct track_hooks_options *options);
/* After the tracker has ended. Sets the pointer to NULL; NULL is fine. */
void track_hooks_free(struct track_hooks **hooks);
/* What to give to tracker_add(). */
struct track_sink track_hooks_sink(struct track_hooks *hooks);
/*
 * Before the tracker starts. Both are borrowed until it has ended. Reads files. On an error `why_out` has a
 * line that names the setting; track_hooks_free() is due all the same.
 */
WARN_UNUSED enum err track_hooks_open(
	struct track_hooks *hooks, struct resolver *resolver, struct secrets *secrets, struct buf *why_out);

#endif
