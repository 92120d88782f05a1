/*
 * own_mail: a message of the node's own making, with a sender of its own, into custody as one that a client
 * brings. (Delivery reports are made with the message that they are about: report.c.)
 */
#ifndef NODE_CUSTODY_OWN_MAIL_H
#define NODE_CUSTODY_OWN_MAIL_H

#include "custody/custody.h"

/* All borrowed. */
struct own_mail {
	struct span sender, recipient;
	struct span content; /* header and body, lines end with CRLF; 7-bit */
	bool tls_optional;   /* it says "TLS-Required: No" */
};

/*
 * False: not now, and nothing is kept. Otherwise `fn` runs once, later, unless the loop ends before. On the
 * custody's loop.
 */
WARN_UNUSED bool own_mail_send(
	struct custody *custody, const struct own_mail *mail, custody_fn *fn, void *arg);
/*
 * The same from another thread, for the custody of `loop`. The text is copied. `fn` is told on the custody's
 * thread: CUSTODY_UNAVAILABLE where own_mail_send() says no.
 */
void own_mail_post(struct loop *loop, struct custody *custody, const struct own_mail *mail, custody_fn *fn,
	void *arg);

#endif
