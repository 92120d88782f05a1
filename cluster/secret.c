#include "skein/cluster/secret.h"

#include "skein/proto/base/alloc.h"

#include <openssl/evp.h>

enum { FORMAT = 1, TAG_LEN = 16 };

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool cluster_key_parse(struct span text, struct cluster_key *key_out)
{
	if (text.len != 2 * (size_t)CLUSTER_KEY_LEN)
		return false;
	for (size_t i = 0; i < CLUSTER_KEY_LEN; i++) {
		int high = hex_digit(text.ptr[2 * i]), low = hex_digit(text.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		key_out->bytes[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static EVP_CIPHER_CTX *begin(
	const struct cluster_key *key, const unsigned char *nonce, struct span purpose, int is_sealing)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();
	int len;

	CHECK(cipher && EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes, nonce, is_sealing));
	CHECK(EVP_CipherUpdate(cipher, NULL, &len, (const unsigned char *)purpose.ptr, (int)purpose.len));
	return cipher;
}

void secret_seal(const struct cluster_key *key, const unsigned char nonce[SECRET_NONCE_LEN],
	struct span purpose, struct span text, struct buf *sealed_out)
{
	EVP_CIPHER_CTX *cipher = begin(key, nonce, purpose, 1);
	int len;

	buf_append_byte(sealed_out, FORMAT);
	buf_append(sealed_out, span_of((const char *)nonce, SECRET_NONCE_LEN));
	buf_reserve(sealed_out, text.len + TAG_LEN);
	CHECK(EVP_CipherUpdate(cipher, (unsigned char *)buf_tail(sealed_out), &len,
		(const unsigned char *)text.ptr, (int)text.len));
	buf_commit(sealed_out, text.len);
	CHECK(EVP_CipherFinal_ex(cipher, (unsigned char *)buf_tail(sealed_out), &len) && len == 0);
	CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, TAG_LEN, buf_tail(sealed_out)));
	buf_commit(sealed_out, TAG_LEN);
	EVP_CIPHER_CTX_free(cipher);
}

bool secret_open(const struct cluster_key *key, struct span purpose, struct span sealed, struct buf *text_out)
{
	unsigned char tag[TAG_LEN];
	EVP_CIPHER_CTX *cipher;
	struct span body;
	bool is_whole;
	int len;

	if (sealed.len < SECRET_OVERHEAD || sealed.ptr[0] != FORMAT)
		return false;
	body = span_take(span_drop(sealed, 1 + SECRET_NONCE_LEN), sealed.len - SECRET_OVERHEAD);
	memcpy(tag, body.ptr + body.len, TAG_LEN);
	cipher = begin(key, (const unsigned char *)sealed.ptr + 1, purpose, 0);
	buf_reserve(text_out, body.len + 1);
	CHECK(EVP_CipherUpdate(cipher, (unsigned char *)buf_tail(text_out), &len,
		(const unsigned char *)body.ptr, (int)body.len));
	CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, TAG_LEN, tag));
	is_whole = EVP_CipherFinal_ex(cipher, (unsigned char *)buf_tail(text_out) + body.len, &len) == 1;
	if (is_whole)
		buf_commit(text_out, body.len);
	else
		mem_wipe(buf_tail(text_out), body.len);
	EVP_CIPHER_CTX_free(cipher);
	return is_whole;
}
