/* hash: the two hashes of a signature (RFC 6376 3.7), for who signs and who verifies. */
#ifndef SKEIN_PROTO_DKIM_HASH_INTERNAL_H
#define SKEIN_PROTO_DKIM_HASH_INTERNAL_H

#include "skein/proto/dkim/canon.h"
#include "skein/proto/dkim/header.h"
#include "skein/proto/dkim/key.h"

#include <openssl/evp.h>

#define DKIM_WHOLE_BODY UINT64_MAX

struct dkim_body_hash {
	struct dkim_body body;
	EVP_MD_CTX *md;
	uint64_t len;     /* octets of the canonical body */
	uint64_t len_max; /* of them are hashed (l=); DKIM_WHOLE_BODY */
};

/* Stays where it is until dkim_body_hash_fini(). */
void dkim_body_hash_init(struct dkim_body_hash *hash, enum dkim_canon canon, uint64_t len_max);
void dkim_body_hash_fini(struct dkim_body_hash *hash);
void dkim_body_hash_feed(struct dkim_body_hash *hash, struct span bytes);
/* Called once. */
void dkim_body_hash_end(struct dkim_body_hash *hash, unsigned char hash_out[DKIM_HASH_LEN]);

/*
 * The fields that `names` lists ("From : To"), then the signature's own field, given with its b= empty.
 * `own`: where that stands in the header, or DKIM_NO_FIELD.
 */
void dkim_header_hash(struct dkim_header *header, enum dkim_canon canon, struct span names, size_t own,
	struct span own_field, unsigned char hash_out[DKIM_HASH_LEN]);

#endif
