/*
 * track_source: where tracking events are read from: the cluster's Redis, or local files. Both tell events
 * that may be wanted; the reader looks for himself.
 */
#ifndef CTL_TRACK_SOURCE_H
#define CTL_TRACK_SOURCE_H

#include "session.h"
#include "skein/cluster/track_event.h"

enum track_order { TRACK_NEWEST_FIRST, TRACK_BY_TIME };

struct track_search {
	enum track_order order;
	const uint64_t *all; /* terms of track_filter.h, all of which must be there */
	size_t all_count;
	const uint64_t *any; /* and one of these; 0: nothing more */
	size_t any_count;
	uint64_t since_us, until_us; /* until_us 0: now */
};

/* `run` and `number` tell the event from all others. */
struct track_visitor {
	void (*take)(void *arg, const struct track_event *event, uint64_t run, uint64_t number);
	bool (*has_enough)(void *arg); /* asked now and then; NULL: never */
	void *arg;
};

struct track_source {
	void *ctx;
	enum ctl_exit (*visit)(
		void *ctx, const struct track_search *search, const struct track_visitor *visitor);
};

#endif
