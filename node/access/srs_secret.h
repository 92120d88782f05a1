/*
 * srs_secret: SRS (proto/mail/return_path.h) signed with a secret of the cluster: what leaves through a route
 * is wrapped, what comes back is unwrapped.
 */
#ifndef NODE_ACCESS_SRS_SECRET_H
#define NODE_ACCESS_SRS_SECRET_H

#include "access/secrets.h"
#include "skein/cluster/policy.h"
#include "skein/proto/mail/return_path.h"

enum srs_outcome {
	SRS_DONE,      /* the new address was appended */
	SRS_NO_SECRET, /* it cannot be said now */
	SRS_REFUSED,   /* it has no wrapped form, or was not wrapped by us, or too long ago */
	SRS_UNTOUCHED, /* of no domain, or of no form, that this is about */
};

/* `secrets` may be NULL: there are none. */
enum srs_outcome srs_secret_wrap(
	struct secrets *secrets, const struct route_rewrite *rewrite, struct span sender, struct buf *out);
/* For a recipient: of the first route whose return domain it is of. */
enum srs_outcome srs_secret_unwrap(
	struct secrets *secrets, const struct policy *policy, struct span recipient, struct buf *out);

#endif
