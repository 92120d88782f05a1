/*
 * secret: short texts that lie in Redis sealed with the cluster's key, which does not. AES-256-GCM; what the
 * text is for is sealed in, so that none can take another's place. Pure: random bytes are handed in.
 */
#ifndef SKEIN_CLUSTER_SECRET_H
#define SKEIN_CLUSTER_SECRET_H

#include "skein/proto/base/buf.h"

enum {
	CLUSTER_KEY_LEN = 32,
	SECRET_NONCE_LEN = 12,
	SECRET_OVERHEAD = 1 + SECRET_NONCE_LEN + 16, /* format, nonce, tag */
};

/* Wipe it with mem_wipe(). */
struct cluster_key {
	unsigned char bytes[CLUSTER_KEY_LEN];
};

/* Of 64 hexadecimal digits. */
WARN_UNUSED bool cluster_key_parse(struct span text, struct cluster_key *key_out);

/* Appends to `sealed_out`. `nonce` is random, never used before with this key. */
void secret_seal(const struct cluster_key *key, const unsigned char nonce[SECRET_NONCE_LEN],
	struct span purpose, struct span text, struct buf *sealed_out);
/* False, and nothing appended: another key, another purpose, another format, or damage. */
WARN_UNUSED bool secret_open(
	const struct cluster_key *key, struct span purpose, struct span sealed, struct buf *text_out);

#endif
