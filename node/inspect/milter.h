/*
 * milter: one visit of one message to one filter, over TCP or a Unix socket. The filter is told the message
 * as it is by now, with the edits of those before it, and its body as it is read, so that a long one costs no
 * memory; a filter that reads slowly slows the reading.
 *
 * Three times bound a visit, those of the filter's entry in the policy: until it is connected, for each
 * answer, and for all of it. A filter that says that it is at work gets the time for an answer anew.
 */
#ifndef NODE_INSPECT_MILTER_H
#define NODE_INSPECT_MILTER_H

#include "custody/message.h"
#include "io/loop.h"
#include "skein/cluster/inspection.h"
#include "skein/proto/milter/dialog.h"
#include "track/log.h"
#include "track/metrics.h"

/* What the messages of one worker have in common. All borrowed. */
struct milter_desk {
	struct loop *loop;
	const char *hostname;
	struct log *log;
	struct track *track;
	struct meter *meter;
	unsigned under_way; /* look-ups of names that nobody waits for too: the loop turns until it is 0 */
};

struct milter_request {
	const struct inspection_filter *filter; /* lives until the end */
	struct message *message;                /* with its envelope and its sealed body */
	struct header_list *list;               /* borrowed until the end; changed in place */
	/* Of the session, borrowed until the end; empty: not known. envelope, hostname and software are not
	 * looked at. */
	struct milter_facts facts;
};

/* Borrowed during the callback. Of MILTER_FAILED, `why` is a phrase about the filter. */
typedef void milter_fn(void *arg, const struct milter_result *result);

struct milter_visit;

/* `fn` is called once, later, unless it is cancelled; the handle is dead when it begins. */
struct milter_visit *milter_begin(
	struct milter_desk *desk, const struct milter_request *request, milter_fn *fn, void *arg);
/* The list is as it was before. Sets the pointer to NULL; NULL inside is fine. */
void milter_cancel(struct milter_visit **visit);

#endif
