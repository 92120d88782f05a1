/*
 * track_sink: where the tracker's thread takes events to: the local file, the cluster's stream, hooks. All
 * functions run on the loop of the tracker (tracker_loop()), in which a sink may have timers and connections
 * of its own. What a sink keeps for later is bounded by the sink.
 */
#ifndef NODE_TRACK_TRACK_SINK_H
#define NODE_TRACK_TRACK_SINK_H

#include "skein/cluster/track_event.h"

struct settings;

struct track_sink {
	void *arg;
	/* Both are borrowed during the call, and say the same: redacted, if that is wanted. */
	void (*take)(void *arg, const struct track_event *event, struct span encoded);
	/* A batch has ended. */
	void (*flush)(void *arg);
	/* From any settings that may be reloaded, and to open files anew (SIGHUP). NULL: nothing to do. */
	void (*reload)(void *arg, const struct settings *settings);
	/* The process ends soon: what is left is to be sent now. NULL: nothing to do. */
	void (*leave)(void *arg);
	/* Nothing waits to be sent. NULL: nothing ever waits. */
	bool (*is_idle)(void *arg);
	/* The loop is about to end: close all handles. NULL: there are none. */
	void (*stop)(void *arg);
};

#endif
