/*
 * track_merge: events of several chunks, that are told in the order of time and each once.
 */
#ifndef CTL_TRACK_MERGE_H
#define CTL_TRACK_MERGE_H

#include "track_source.h"

struct track_waiting {
	uint64_t time_us, run, number;
	struct span encoded; /* owned */
};

/* All zero bytes: empty. */
struct track_merge {
	struct track_waiting *items;
	size_t count, cap;
};

void track_merge_fini(struct track_merge *merge);
/* `encoded` is the event; it is copied. */
void track_merge_hold(struct track_merge *merge, const struct track_event *event, struct span encoded,
	uint64_t run, uint64_t number);
/* Tells what is before that moment: nothing earlier comes any more. */
void track_merge_let_go(struct track_merge *merge, uint64_t before_us, const struct track_visitor *visitor);
/* Forgets all, untold. */
void track_merge_drop(struct track_merge *merge);

#endif
