/*
 * filters: a message goes through the filters that the policy names for it, one after the other. What one has
 * changed the next one sees: fields in the list, sender and recipients in the envelope.
 *
 * There is no quarantine here: a message that a filter wants there is refused, so that its sender knows.
 */
#ifndef NODE_INSPECT_FILTERS_H
#define NODE_INSPECT_FILTERS_H

#include "inspect/milter.h"

struct filters_request {
	const struct inspection *inspection; /* lives until the end */
	struct message *message;             /* with its envelope and its sealed body */
	struct header_list *list;            /* borrowed until the end; changed in place */
	struct milter_facts facts;           /* as in struct milter_request */
};

enum filters_end {
	FILTERS_PASSED,
	FILTERS_REFUSED,   /* or put off: `refusal` */
	FILTERS_DISCARDED, /* taken, and dropped */
};

/* `refusal` is borrowed during the callback; NULL unless it was refused. */
typedef void filters_fn(void *arg, enum filters_end end, const struct smtp_reply *refusal);

struct filters;

/* NULL: there are none. Else `fn` is called once, later, unless it is cancelled; the handle is dead when it
 * begins. */
struct filters *filters_begin(struct milter_desk *desk, const struct filters_request *request, filters_fn *fn,
	void *arg) WARN_UNUSED;
/* Sets the pointer to NULL; NULL inside is fine. */
void filters_cancel(struct filters **filters);

#endif
