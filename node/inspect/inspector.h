/*
 * inspector: what the policy has looked at in a message that came in whole, before its client is answered:
 * first who it is from (authentication.h), then what filters say of it (filters.h). Authentication-Results
 * fields in our name that came with it go, ours is put in front, and filters see it; the stored message stays
 * as it came, what changes is kept with its envelope.
 */
#ifndef NODE_INSPECT_INSPECTOR_H
#define NODE_INSPECT_INSPECTOR_H

#include "custody/budget.h"
#include "inspect/authentication.h"
#include "inspect/filters.h"

/* What the messages of one worker have in common. */
struct inspector_desk {
	struct authentication_desk authentication;
	struct milter_desk filters;
	struct budget *budget; /* header sections that are looked at count, too */
};

struct inspector_request {
	const struct inspection *inspection; /* lives until the end */
	struct message *message;     /* with its envelope and its sealed body; its edits are set by the end */
	size_t own_fields, own_size; /* fields that we have put in front, and their octets */
	struct milter_facts session; /* as in struct milter_request */
};

enum inspector_end {
	INSPECTOR_TAKEN,
	INSPECTOR_REFUSED,   /* or put off: `refusal` */
	INSPECTOR_DISCARDED, /* its client is told that it is taken, and it is dropped */
};

/* `refusal` is borrowed during the callback; NULL unless it was refused. */
typedef void inspector_fn(void *arg, enum inspector_end end, const struct smtp_reply *refusal);

struct inspector;

/* False: nothing is looked at. */
bool inspector_is_due(const struct inspection *inspection);
/* `fn` is called once, later, unless it is cancelled; the handle is dead when it begins. */
struct inspector *inspector_begin(
	struct inspector_desk *desk, const struct inspector_request *request, inspector_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void inspector_cancel(struct inspector **inspector);

#endif
