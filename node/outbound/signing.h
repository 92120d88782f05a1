/*
 * signing: the DKIM-Signature fields of one message, made before it leaves. Its body is read once more for
 * that; hashing and signing are done in the pool of threads, one piece of body at a time, so that the loop is
 * never held up. A message that the policy wants signed and that cannot be signed does not leave.
 *
 * What was made is kept in the message for its next tries, until the keys or the policy change, or until it
 * waits so long that its body leaves memory too.
 */
#ifndef NODE_OUTBOUND_SIGNING_H
#define NODE_OUTBOUND_SIGNING_H

#include "custody/message.h"
#include "io/loop.h"
#include "outbound/outgoing.h"
#include "track/metrics.h"

struct signing_slot;

/* What the messages of one worker have in common. All borrowed. */
struct signing_desk {
	struct loop *loop;
	struct signing_slot *slot; /* NULL: nothing is signed */
	struct log *log;
	struct meter *meter;
	unsigned under_way; /* cancelled ones too: the loop turns until it is 0 */
};

/* As what a message is sent. All zero: as it is stored. */
struct signing_form {
	struct outgoing_change change;
	struct span sender; /* borrowed during the call */
	uint64_t number;    /* another one for another form of the same message; 0: as it is stored */
};

struct signing_job;

enum { SIGNING_WHY_MAX = 160 };

/* `why` is NULL: message->signature.fields goes in front. Else a phrase: the message must not leave. */
typedef void signing_fn(void *arg, const char *why);

/*
 * NULL: there is nothing to wait for, message->signature.fields is what goes in front, maybe nothing. Else
 * `fn` runs once, later, unless it is cancelled. The message has its body and its envelope, and is not packed
 * meanwhile.
 */
struct signing_job *signing_begin(struct signing_desk *desk, struct message *message,
	const struct signing_form *form, signing_fn *fn, void *arg) WARN_UNUSED;
/* Sets the pointer to NULL; NULL inside is fine. */
void signing_cancel(struct signing_job **job);

#endif
