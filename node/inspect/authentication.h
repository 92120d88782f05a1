/*
 * authentication: SPF, DKIM and DMARC of one message that came in whole (RFC 7208, 6376, 7489). All questions
 * that do not wait for each other are put side by side, all within the setting inspect.timeout; what is not
 * known then is a temperror.
 */
#ifndef NODE_INSPECT_AUTHENTICATION_H
#define NODE_INSPECT_AUTHENTICATION_H

#include "custody/message.h"
#include "dns/resolver.h"
#include "io/random.h"
#include "skein/cluster/inspection.h"
#include "skein/proto/smtp/reply.h"
#include "track/log.h"
#include "track/metrics.h"

/* What the messages of one worker have in common. All borrowed. */
struct authentication_desk {
	struct loop *loop;
	struct resolver *resolver;
	const struct settings *settings;
	struct random *random;
	struct log *log;
	struct track *track;
	struct meter *meter;
	unsigned under_way; /* cancelled ones too: the loop turns until it is 0 */
};

/* Borrowed during the callback. */
struct authentication_report {
	struct span field;                /* the Authentication-Results field, whole */
	const struct smtp_reply *refusal; /* NULL: it is taken */
};

typedef void authentication_fn(void *arg, const struct authentication_report *report);

struct authentication_request {
	const struct inspection *inspection; /* has a check that is not off; lives until the end */
	struct message *message;             /* with its envelope and its sealed body */
	size_t own_size;                     /* octets of the body that we have put in front */
};

struct authentication;

/* `fn` is called once, later, unless it is cancelled; the handle is dead when it begins. */
struct authentication *authentication_begin(struct authentication_desk *desk,
	const struct authentication_request *request, authentication_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void authentication_cancel(struct authentication **authentication);

#endif
