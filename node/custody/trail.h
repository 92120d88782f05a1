/*
 * trail: what tracking is told of a message (docs/tracking.md). Each event says all that its envelope says of
 * where the message came from.
 */
#ifndef NODE_CUSTODY_TRAIL_H
#define NODE_CUSTODY_TRAIL_H

#include "custody/message.h"
#include "skein/cluster/track_event.h"

struct track;

/* Session, id, client, sender, size and rule. The event borrows from the message, and from `id_out`. */
void trail_fill(struct track_event *event, const struct message *message, struct msg_id_text *id_out);

enum { TRAIL_RECIPIENTS_SIZE = TRACK_VALUE_MAX + 8 };
/* All recipients, joined by a blank, as far as an event has room for them; their number too. */
void trail_put_recipients(
	struct track_event *event, const struct envelope *envelope, char text[TRAIL_RECIPIENTS_SIZE]);

/* DELIVER, DEFER, FAIL or EXPIRE, as its state says. */
void trail_recipient(
	struct track *track, const struct message *message, const struct envelope_recipient *recipient);
/* A step of the whole message, which may be packed. `text` and `about` may be NULL. */
void trail_step(struct track *track, enum track_kind kind, struct message *message, const char *text,
	const char *about);

#endif
