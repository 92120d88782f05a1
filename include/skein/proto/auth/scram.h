/*
 * scram: the keys of SCRAM-SHA-256 (RFC 5802 3, RFC 7677), for those who keep local users. A derivation costs
 * as many HMACs as there are iterations, some milliseconds: not in a loop.
 */
#ifndef SKEIN_PROTO_AUTH_SCRAM_H
#define SKEIN_PROTO_AUTH_SCRAM_H

#include "skein/proto/auth/sasl.h"

/*
 * Fills in both keys of `verifier`, whose salt and iterations are set. False: the password cannot be used
 * (empty, too long, not UTF-8, or with control characters).
 */
WARN_UNUSED bool scram_derive(struct span password, struct sasl_scram_verifier *verifier);
/* Whether it is the password that the verifier was made of; in constant time but for the derivation. */
bool scram_verifier_fits(const struct sasl_scram_verifier *verifier, struct span password);

#endif
