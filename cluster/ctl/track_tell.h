/* track_tell: tracking events as lines for people, and as JSON. */
#ifndef CTL_TRACK_TELL_H
#define CTL_TRACK_TELL_H

#include "roster.h"
#include "screen.h"
#include "skein/cluster/track_event.h"

struct track_telling {
	bool is_utc, has_colour;
	size_t node_width;          /* of the longest name so far */
	bool with_id;               /* of the message */
	const struct roster *nodes; /* who has a name is told by it; NULL: by UUID, as JSON always is */
};

/* Appends one line, with its end. */
void track_tell_line(struct track_telling *telling, const struct track_event *event, struct buf *out);
json_t *track_tell_json(const struct track_event *event);

#endif
