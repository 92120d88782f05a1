/*
 * inspector: what the policy has looked at in a message that came in whole, before its client is answered:
 * first who it is from (authentication.h). Authentication-Results fields in our name that came with it go,
 * ours is put in front; the stored message stays as it came, what changes is kept with its envelope.
 */
#ifndef NODE_INSPECT_INSPECTOR_H
#define NODE_INSPECT_INSPECTOR_H

#include "custody/budget.h"
#include "inspect/authentication.h"

/* What the messages of one worker have in common. */
struct inspector_desk {
	struct authentication_desk authentication;
	struct budget *budget; /* header sections that are looked at count, too */
};

struct inspector_request {
	const struct inspection *inspection; /* lives until the end */
	struct message *message;     /* with its envelope and its sealed body; its edits are set by the end */
	size_t own_fields, own_size; /* fields that we have put in front, and their octets */
};

/* `refusal` is NULL: the message is taken. Borrowed during the callback. */
typedef void inspector_fn(void *arg, const struct smtp_reply *refusal);

struct inspector;

/* False: nothing is looked at. */
bool inspector_is_due(const struct inspection *inspection);
/* `fn` is called once, later, unless it is cancelled; the handle is dead when it begins. */
struct inspector *inspector_begin(
	struct inspector_desk *desk, const struct inspector_request *request, inspector_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void inspector_cancel(struct inspector **inspector);

#endif
