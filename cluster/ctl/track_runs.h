/*
 * track_runs: how far the events of each run of a node were told. A run numbers its events without a gap
 * (track_chunk.h).
 */
#ifndef CTL_TRACK_RUNS_H
#define CTL_TRACK_RUNS_H

#include "skein/cluster/track_chunk.h"

struct track_run {
	uint64_t run, last; /* the number of the last event that was told */
};

/* All zero bytes: none. */
struct track_runs {
	struct track_run *items;
	size_t count, cap;
};

void track_runs_fini(struct track_runs *runs);
bool track_runs_have(const struct track_runs *runs, uint64_t run, uint64_t number);
/*
 * All events of this chunk were told. Returns how many are missing between what was told before and this; 0
 * where the run was not known.
 */
uint64_t track_runs_note(struct track_runs *runs, const struct track_head *head);

#endif
