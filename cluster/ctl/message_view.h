/*
 * message_view: a record of the queue with its envelope decoded, for `queue list` and `queue show`.
 */
#ifndef CTL_MESSAGE_VIEW_H
#define CTL_MESSAGE_VIEW_H

#include "roster.h"
#include "skein/cluster/queue_view.h"
#include "skein/proto/mail/envelope.h"

#include <jansson.h>

struct message_view {
	const struct queue_view_record *record; /* borrowed, as all its spans */
	struct envelope envelope;               /* empty when it could not be read */
	bool is_readable;
};

/* The envelope lives in the arena. */
struct message_view message_view_of(const struct queue_view_record *record, struct arena *arena);

/* What became of recipient `index`: what is settled in the record holds over what the envelope says. */
const char *message_recipient_state(const struct message_view *message, size_t index);
size_t message_pending_count(const struct message_view *message);
/* The first one pending, or the first of all; NULL: the envelope is not readable. */
const struct envelope_recipient *message_next_recipient(const struct message_view *message);

/* "<a@example>", "<>" */
void message_append_path(struct buf *out, struct span addr);
/* "451 4.7.1 try later (mx.example)"; nothing when there was no attempt. */
void message_append_reply(struct buf *out, const struct envelope_recipient *recipient);
/* "now", "in 3m 20s", "at relay-a", "when released" */
void message_append_next(
	struct buf *out, const struct queue_view_record *record, const struct roster *roster);

/* What it asks for beyond delivery, as parameters of MAIL; nothing when that is nothing. */
void message_append_asks(struct buf *out, const struct message_view *message);

/* What `queue list` and `queue show` have in common. */
json_t *message_json(const struct message_view *message, const struct roster *roster);
/* The rest, for `queue show`. */
void message_json_add_details(json_t *value, const struct message_view *message, const struct roster *roster);

/* Calls `fn` for each UUID of a list with spaces between. */
void message_each_holder(const struct queue_view_record *record,
	void (*fn)(void *arg, const struct node_uuid *node), void *arg);

#endif
