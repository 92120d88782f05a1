/* track_lines: tracking events of local files, as a source: a line of JSON each (docs/tracking.md). */
#ifndef CTL_TRACK_LINES_H
#define CTL_TRACK_LINES_H

#include "track_source.h"

struct track_lines {
	const char *const *paths;
	size_t count;
	size_t skipped; /* lines that are no event, of the last visit */
};

/* `lines` is borrowed. */
struct track_source track_lines_source(struct track_lines *lines);

#endif
