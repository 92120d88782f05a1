/*
 * tracker: brings what happens to sessions and messages to whoever keeps it. Each thread that tracks has a
 * `track` of its own, a ring that events are encoded into without a lock, an allocation or a system call; one
 * thread with a loop of its own takes them from there some milliseconds later and gives each to every sink.
 * Nobody ever waits: when a ring is full, events are dropped, counted and told in the log. Events of one
 * thread stay in order; those of two threads may swap within a batch, their times tell. Sinks get them
 * numbered from 1 on, in a run that has a number by chance.
 *
 * Life: tracker_new(), tracker_add() per sink, track_open() per thread, tracker_start(), ..., tracker_free().
 */
#ifndef NODE_TRACK_TRACKER_H
#define NODE_TRACK_TRACKER_H

#include "io/loop.h"
#include "track/log.h"
#include "track/metrics.h"
#include "track/track_sink.h"

struct track;
struct tracker;

enum { TRACKER_SINKS_MAX = 8 };

struct tracker_options {
	const char *node; /* in every event; borrowed */
	struct track_redaction redaction;
	struct log *log; /* both of the tracker's thread; may be NULL */
	struct meter *meter;
	size_t ring_size; /* per thread; 0: 512 KiB */
};

struct tracker *tracker_new(const struct tracker_options *options);
/* For sinks; runs from tracker_start() on. */
struct loop *tracker_loop(struct tracker *tracker);
uint64_t tracker_run(const struct tracker *tracker);
/* Before the start. The sink is copied; its `arg` is borrowed until tracker_free() returns. */
void tracker_add(struct tracker *tracker, const struct track_sink *sink);
/*
 * The way in for one thread: only that thread may write to it. `thread` names it in lines about lost events.
 * Owned by the tracker. NULL when there is no sink.
 */
struct track *track_open(struct tracker *tracker, const char *thread);
WARN_UNUSED enum err tracker_start(struct tracker *tracker);
/* Any thread. Sinks hear of it a moment later; `settings` outlive the tracker. */
void tracker_reload(struct tracker *tracker, const struct settings *settings);
/*
 * No thread writes any more. Sinks get what the rings hold and, for up to `patience_ms`, the time to send
 * what they have. Frees all tracks, but not the sinks. NULL inside is fine.
 */
void tracker_free(struct tracker **tracker, uint64_t patience_ms);

/* `track` may be NULL. The node's name, and the time where it is not said, are put in here. */
void track_write(struct track *track, const struct track_event *event);
/* Microseconds since 1970. */
uint64_t track_now_us(void);

#endif
