/*
 * preparation: what a delivery waits for between being pulled and being started. In this order: the sender as
 * the route wants it (SRS, VERP, another domain), a look at the message where the hop lacks 8BITMIME or
 * SMTPUTF8 (outgoing.h), the signature over what will be sent (signing.h). Whatever stands in the way is a
 * verdict on the delivery's recipients.
 */
#ifndef NODE_OUTBOUND_PREPARATION_H
#define NODE_OUTBOUND_PREPARATION_H

#include "access/secrets.h"
#include "outbound/delivery.h"
#include "outbound/signing.h"
#include "skein/cluster/route.h"

/* All borrowed. */
struct preparation_desk {
	struct loop *loop;
	struct signing_desk *signing;
	struct secrets *secrets; /* NULL: there are none */
};

struct preparation;

/* False: the delivery has its verdicts and goes back. */
typedef void preparation_fn(void *arg, bool is_ready);

/*
 * For a delivery that was just opened. NULL: it is ready (delivery_ready() was called). Else `fn` runs once,
 * later, unless it is cancelled. `caps` are those of the connection.
 */
struct preparation *preparation_begin(const struct preparation_desk *desk, struct delivery *delivery,
	const struct route *route, const struct smtp_client_caps *caps, preparation_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL inside is fine. */
void preparation_cancel(struct preparation **preparation);

#endif
