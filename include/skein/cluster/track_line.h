/* track_line: a line of JSON of a tracking file (docs/tracking.md) back to an event. Pure; lines may be any
 * bytes. */
#ifndef SKEIN_CLUSTER_TRACK_LINE_H
#define SKEIN_CLUSTER_TRACK_LINE_H

#include "skein/cluster/track_event.h"

/* The event's text is in the arena. False: it is none. */
WARN_UNUSED bool track_line_read(struct span line, struct arena *arena, struct track_event *event_out);

#endif
