/* queue_walk: every message of the queue, or of one state, once: shard by shard, page by page. */
#ifndef CTL_QUEUE_WALK_H
#define CTL_QUEUE_WALK_H

#include "session.h"
#include "skein/cluster/queue_view.h"

/* `record` is borrowed. False: enough, the walk ends. Must not call into the session. */
typedef bool queue_walk_fn(void *arg, const struct queue_view_record *record);

/* `state` NULL: all. What changes its state meanwhile may be missed or come twice. */
WARN_UNUSED enum ctl_exit queue_walk(
	struct session *session, const enum queue_state *state, queue_walk_fn *fn, void *arg);

#endif
