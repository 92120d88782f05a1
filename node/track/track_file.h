/*
 * track_file: the sink that keeps events in a folder of this node. The file that is written is called
 * "tracking.json" or "tracking.log" (W3C extended format); when it has its size, or another day (UTC) begins,
 * it gets the time as its name, "tracking-20261127T155901Z.json", and a new one is begun. Old ones are
 * removed by age and by what all of them take.
 *
 * The disk may be full or broken: what cannot be written is counted and told once, no line is left half
 * written, and it is tried again with the next batch. Writing blocks the tracker's thread, as it does the
 * log's, and nobody else.
 */
#ifndef NODE_TRACK_TRACK_FILE_H
#define NODE_TRACK_TRACK_FILE_H

#include "skein/proto/base/buf.h"
#include "track/log.h"
#include "track/metrics.h"
#include "track/track_sink.h"

enum track_format { TRACK_FORMAT_JSON, TRACK_FORMAT_W3C };

struct track_file;

/* What a reload may change. */
struct track_file_limits {
	uint64_t rotate_bytes;
	uint64_t keep_days; /* 0: for ever */
	uint64_t keep_bytes;
};

struct track_file_options {
	const char *folder; /* made if it is missing; its parent exists */
	enum track_format format;
	struct track_file_limits limits;
	struct log *log; /* both of the tracker's thread; may be NULL */
	struct meter *meter;
};

/* Opens the file. On an error `why_out` has a line that says which folder and why. Strings are copied. */
WARN_UNUSED enum err track_file_new(
	const struct track_file_options *options, struct track_file **file_out, struct buf *why_out);
/* After the tracker has ended. */
void track_file_free(struct track_file **file);
/* What to give to tracker_add(). */
struct track_sink track_file_sink(struct track_file *file);

/* --- for tests: a sink by hand */

/* The time decides about the day; events are written at the next flush. */
void track_file_take(struct track_file *file, const struct track_event *event);
void track_file_flush(struct track_file *file, uint64_t now_us);

#endif
