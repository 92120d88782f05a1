/*
 * track_source: where tracking events are read from: the cluster's Redis, or local files. Both tell events
 * that may be wanted; the reader looks for himself.
 */
#ifndef CTL_TRACK_SOURCE_H
#define CTL_TRACK_SOURCE_H

#include "session.h"
#include "skein/cluster/track_event.h"

enum track_order {
	TRACK_NEWEST_FIRST, /* chunk by chunk */
	TRACK_OLDEST_FIRST,
	TRACK_BY_TIME, /* event by event */
};

/* A term, and where it can be. */
struct track_any {
	uint64_t term;
	uint64_t since_us, until_us; /* when: from `since_us` on, before `until_us` */
	struct span node;            /* empty: on any */
};

struct track_search {
	enum track_order order;
	const uint64_t *all; /* terms of track_filter.h, all of which must be there */
	size_t all_count;
	const struct track_any *any; /* and one of these; 0: nothing more. Who is told of events may bring
					`until_us` forward while they are read */
	size_t any_count;
	uint64_t since_us, until_us; /* until_us 0: now */
};

/* `run` and `number` tell the event from all others. */
struct track_visitor {
	void (*take)(void *arg, const struct track_event *event, uint64_t run, uint64_t number);
	/* Asked now and then, by TRACK_NEWEST_FIRST: nothing comes any more that is later than `rest_us`.
	 * NULL: never. */
	bool (*has_enough)(void *arg, uint64_t rest_us);
	void *arg;
};

struct track_source {
	void *ctx;
	enum ctl_exit (*visit)(
		void *ctx, const struct track_search *search, const struct track_visitor *visitor);
};

#endif
