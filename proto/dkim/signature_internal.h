/* signature: reads a DKIM-Signature field and a key record (RFC 6376 3.5, 3.6.1). */
#ifndef SKEIN_PROTO_DKIM_SIGNATURE_INTERNAL_H
#define SKEIN_PROTO_DKIM_SIGNATURE_INTERNAL_H

#include "skein/proto/dkim/verifier.h"

/* `field` is whole. What is wrong goes to signature_out->fault. */
void dkim_signature_parse(struct span field, struct dkim_signature *signature_out);
/* Appends the field with its b= empty. The field has no fault. */
void dkim_signature_append_unsigned(struct span field, struct buf *out);
/* The key of a record that may verify this signature. NULL: `why_out`. */
WARN_UNUSED struct dkim_key *dkim_record_parse(
	struct span record, const struct dkim_signature *signature, const char **why_out);

#endif
