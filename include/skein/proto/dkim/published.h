/*
 * published: a key record (RFC 6376 3.6.1) as its owner has to see it: what verifiers make of it, and whether
 * it is of the key that signs.
 */
#ifndef SKEIN_PROTO_DKIM_PUBLISHED_H
#define SKEIN_PROTO_DKIM_PUBLISHED_H

#include "skein/proto/dkim/key.h"

struct dkim_published {
	const char *fault; /* NULL: verifiers can use it; else why not, as a sentence without a dot */
	bool is_revoked;   /* p= is empty, which is a fault */
	bool is_testing;   /* t=y: verifiers may treat mail as if it were not signed */
	bool is_weak;      /* see dkim_key_is_weak() */
	bool is_other;     /* it is not of the key that signs, but of another one */
	unsigned bits;     /* 0 with a fault */
};

/* `record`: the text of SELECTOR._domainkey.DOMAIN. `own`: the key that signs; NULL: it is not known. */
void dkim_published_judge(
	struct span record, const struct dkim_key *own, struct dkim_published *published_out);

#endif
