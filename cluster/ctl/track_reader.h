/*
 * track_reader: the cluster's tracking events, as a source. Heads of chunks are read back in time as far as a
 * search wants it, and kept; bodies only of those that may match. Also what comes after, to follow it live.
 */
#ifndef CTL_TRACK_READER_H
#define CTL_TRACK_READER_H

#include "skein/cluster/track_chunk.h"
#include "skein/cluster/track_store.h"
#include "skein/proto/base/arena.h"
#include "track_runs.h"
#include "track_source.h"

struct track_reader_entry {
	uint64_t place;
	bool is_gone; /* Redis has it no more */
	struct span name;
	struct track_head head; /* text in the reader's arena */
};

struct track_reader {
	struct session *session;
	struct arena arena;
	struct track_reader_entry *entries;
	size_t count, cap;
	uint64_t top, bottom;     /* places of what was read; top 0: nothing yet */
	bool is_all;              /* nothing is before that */
	uint64_t now_us, kept_us; /* of track_listing */
	size_t damaged;           /* chunks that could not be read */
	bool is_stale;            /* some were replaced while they were looked at */
	enum ctl_exit exit;
	struct track_runs runs; /* of what was followed */
};

void track_reader_init(struct track_reader *reader, struct session *session);
void track_reader_fini(struct track_reader *reader);
struct track_source track_reader_source(struct track_reader *reader);
/* Reads no chunks yet: only the time, and how far back they go. */
WARN_UNUSED enum ctl_exit track_reader_look(struct track_reader *reader);

/*
 * What was told until now is what the reader knows of; from here on only what is new is told by each call, in
 * the order of time; that some are missing is said on standard error. A call that fails has told nothing.
 */
WARN_UNUSED enum ctl_exit track_reader_follow(
	struct track_reader *reader, const struct track_visitor *visitor);
/*
 * The session was opened anew, maybe with another Redis, whose clock may be behind, or which has lost the
 * last ones: the next call looks back some minutes. What was told is not told again.
 */
void track_reader_resume(struct track_reader *reader);

#endif
