/* track_wanted: what somebody searches tracking events for, as one says it and as chunks are asked for it. */
#ifndef CTL_TRACK_WANTED_H
#define CTL_TRACK_WANTED_H

#include "skein/cluster/network.h"
#include "skein/cluster/track_filter.h"

enum { TRACK_WANTED_TERMS = 5 };

/* All that is said must be so of one event. All zero bytes: any but of nodes and policy. */
struct track_wanted {
	struct span id, from, to, user; /* empty: not said. from, to: an address, or "@domain" */
	bool has_client;
	struct network client;
	uint64_t since_us, until_us; /* 0: not said */
};

bool track_wanted_is_said(const struct track_wanted *wanted);
bool track_wanted_matches(const struct track_wanted *wanted, const struct track_event *event);
/* What a chunk with such an event has, all of it. */
size_t track_wanted_terms(const struct track_wanted *wanted, uint64_t terms[TRACK_WANTED_TERMS]);

#endif
