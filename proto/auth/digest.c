#include "auth/digest_internal.h"

#include <limits.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

static bool hmac(const EVP_MD *md, struct span key, struct span bytes, uint8_t *out)
{
	CHECK(key.len <= INT_MAX);
	return HMAC(md, key.ptr, (int)key.len, (const unsigned char *)bytes.ptr, bytes.len, out, NULL) !=
	       NULL;
}

void digest_sha256(struct span bytes, uint8_t out[SHA256_LEN])
{
	CHECK(EVP_Digest(bytes.ptr, bytes.len, out, NULL, EVP_sha256(), NULL));
}

void digest_hmac_sha256(struct span key, struct span bytes, uint8_t out[SHA256_LEN])
{
	CHECK(hmac(EVP_sha256(), key, bytes, out));
}

void digest_pbkdf2_sha256(
	struct span password, struct span salt, uint32_t iterations, uint8_t out[SHA256_LEN])
{
	CHECK(iterations <= INT_MAX && salt.len <= INT_MAX && password.len <= INT_MAX);
	CHECK(PKCS5_PBKDF2_HMAC(password.ptr, (int)password.len, (const unsigned char *)salt.ptr,
		(int)salt.len, (int)iterations, EVP_sha256(), SHA256_LEN, out));
}

bool digest_md5(struct span bytes, uint8_t out[MD5_LEN])
{
	return EVP_Digest(bytes.ptr, bytes.len, out, NULL, EVP_md5(), NULL) != 0;
}

bool digest_hmac_md5(struct span key, struct span bytes, uint8_t out[MD5_LEN])
{
	return hmac(EVP_md5(), key, bytes, out);
}

bool digest_eq(const uint8_t *a, const uint8_t *b, size_t len)
{
	return CRYPTO_memcmp(a, b, len) == 0;
}
