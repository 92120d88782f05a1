/*
 * track_backlog: what the tracking files of this node have and the cluster has not: events of a run that was
 * killed before it had sent them, or that found no more room in memory while Redis was away. Lines of JSON
 * say of which run and number they are, so an event keeps both and is told once however often it is sent.
 *
 * Files are read from their end back to the mark, then forward again, a piece per step: a step blocks for a
 * few milliseconds. At most BACKLOG_BYTES are read; what is before is left where it is.
 */
#ifndef NODE_TRACK_TRACK_BACKLOG_H
#define NODE_TRACK_TRACK_BACKLOG_H

#include "skein/cluster/track_chunk.h"
#include "skein/cluster/track_store.h"

enum {
	BACKLOG_BYTES = 256 * 1024 * 1024,
	BACKLOG_FILES = 64,
};

struct track_backlog;

/* Of files that end in ".json". Text is copied. `run` is the own one. */
struct track_backlog *track_backlog_new(const char *folder, struct span node, uint64_t run);
/* Sets the pointer to NULL; NULL is fine. */
void track_backlog_free(struct track_backlog **backlog);

/* Opens the files as they are now, to tell what is behind `mark` and not older than `oldest_us`. */
void track_backlog_begin(struct track_backlog *backlog, const struct track_mark *mark, uint64_t oldest_us);

enum backlog_step {
	BACKLOG_MORE,  /* call again */
	BACKLOG_CHUNK, /* there is one */
	BACKLOG_END,   /* files are closed */
};

/*
 * `own_first`: events of the own run from this number on are in memory; what comes before is wanted. The
 * chunk is borrowed until the next step.
 */
WARN_UNUSED enum backlog_step track_backlog_step(
	struct track_backlog *backlog, uint64_t own_first, struct track_chunk **chunk_out);
/* Of the events of the last chunk. */
uint64_t track_backlog_run(const struct track_backlog *backlog);
/* How many events of the own run, behind the mark and before `own_first`, the files do not have. At the end.
 */
uint64_t track_backlog_missing(const struct track_backlog *backlog, uint64_t own_first);

#endif
