/*
 * The arithmetic of the mechanisms, from libcrypto. Of MD5 a libcrypto in FIPS mode has none: those functions
 * say whether they could.
 */
#ifndef PROTO_AUTH_DIGEST_INTERNAL_H
#define PROTO_AUTH_DIGEST_INTERNAL_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

enum { SHA256_LEN = 32, MD5_LEN = 16 };

void digest_sha256(struct span bytes, uint8_t out[SHA256_LEN]);
void digest_hmac_sha256(struct span key, struct span bytes, uint8_t out[SHA256_LEN]);
void digest_pbkdf2_sha256(
	struct span password, struct span salt, uint32_t iterations, uint8_t out[SHA256_LEN]);
WARN_UNUSED bool digest_md5(struct span bytes, uint8_t out[MD5_LEN]);
WARN_UNUSED bool digest_hmac_md5(struct span key, struct span bytes, uint8_t out[MD5_LEN]);
/* In constant time. */
bool digest_eq(const uint8_t *a, const uint8_t *b, size_t len);

static inline struct span span_of_bytes(const uint8_t *bytes, size_t len)
{
	return span_of((const char *)bytes, len);
}

#endif
