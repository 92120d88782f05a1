#include "skein/proto/dkim/key.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"

#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/encoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>

enum {
	ED25519_LEN = 32,
	ED25519_BITS = 256,
	PEM_LINE = 64,
	TXT_STRING_MAX = 255,
};

struct dkim_key {
	EVP_PKEY *pkey;
	enum dkim_algorithm algorithm;
	unsigned bits;
};

const char *dkim_algorithm_name(enum dkim_algorithm algorithm)
{
	return algorithm == DKIM_RSA_SHA256 ? "rsa-sha256" : "ed25519-sha256";
}

/* Moves `pkey`. NULL, and why, when we take no such key. */
static struct dkim_key *wrap(EVP_PKEY *pkey, const char **why_out)
{
	bool is_rsa = EVP_PKEY_is_a(pkey, "RSA");
	int bits = EVP_PKEY_get_bits(pkey);
	struct dkim_key *key;

	if (!is_rsa && !EVP_PKEY_is_a(pkey, "ED25519"))
		*why_out = "is of a kind that DKIM does not know; an RSA or Ed25519 key is wanted";
	else if (is_rsa && bits < DKIM_RSA_BITS_MIN)
		*why_out = "is an RSA key of less than 1024 bits; one of 2048 bits is wanted";
	else if (is_rsa && bits > DKIM_RSA_BITS_MAX)
		*why_out = "is an RSA key of more than 4096 bits; one of 2048 bits is wanted";
	else
		*why_out = NULL;
	if (*why_out) {
		EVP_PKEY_free(pkey);
		return NULL;
	}
	key = mem_alloc(sizeof(*key));
	*key = (struct dkim_key){
		.pkey = pkey,
		.algorithm = is_rsa ? DKIM_RSA_SHA256 : DKIM_ED25519_SHA256,
		.bits = is_rsa ? (unsigned)bits : ED25519_BITS,
	};
	return key;
}

/*
 * DER, and nothing behind it. What libcrypto says of bad input is taken back from the thread's queue of
 * errors: whoever does TLS in this thread would take it for his own.
 */
static EVP_PKEY *decode_der(struct span der, const char *type, int selection)
{
	const unsigned char *at = (const unsigned char *)der.ptr;
	EVP_PKEY *pkey = NULL;
	size_t rest = der.len;
	OSSL_DECODER_CTX *decoder =
		OSSL_DECODER_CTX_new_for_pkey(&pkey, "DER", NULL, type, selection, NULL, NULL);

	CHECK(decoder);
	ERR_set_mark();
	if (!OSSL_DECODER_from_data(decoder, &at, &rest) || rest) {
		EVP_PKEY_free(pkey);
		pkey = NULL;
	}
	ERR_pop_to_mark();
	OSSL_DECODER_CTX_free(decoder);
	return pkey;
}

static const char no_key[] = "is no private key; a PKCS#8 key in PEM (\"BEGIN PRIVATE KEY\") is wanted";
static const char locked_key[] =
	"is locked by a passphrase; one without (`openssl pkey -in OLD -out NEW`) is wanted";

static bool find_text(struct span text, struct span wanted, size_t *at_out)
{
	for (size_t at = 0; at + wanted.len <= text.len; at++)
		if (span_starts_with(span_drop(text, at), wanted)) {
			*at_out = at;
			return true;
		}
	return false;
}

/* What stands between the two lines of a PEM block of this name. */
static bool find_block(struct span text, const char *name, struct span *body_out)
{
	char line[64];
	size_t at;

	snprintf(line, sizeof(line), "-----BEGIN %s-----", name);
	if (!find_text(text, span_of_str(line), &at))
		return false;
	text = span_drop(text, at + strlen(line));
	snprintf(line, sizeof(line), "-----END %s-----", name);
	if (!find_text(text, span_of_str(line), &at))
		return false;
	*body_out = span_take(text, at);
	return true;
}

/* `der` has room for the whole body. */
static bool decode_block(struct span body, char *der, size_t *len_out)
{
	size_t len = 0;

	for (size_t i = 0; i < body.len; i++)
		if (!memchr(" \t\r\n", body.ptr[i], 4))
			der[len++] = body.ptr[i];
	return len && base64_decode(span_of(der, len), der, len_out);
}

static EVP_PKEY *decode_private(struct span text, const char **why_out)
{
	struct span body;
	size_t at, len = 0;
	char *der;
	EVP_PKEY *pkey = NULL;

	*why_out = no_key;
	if (!find_text(text, SPAN_LIT("-----BEGIN "), &at))
		return decode_der(text, NULL, EVP_PKEY_KEYPAIR);
	if (find_block(text, "ENCRYPTED PRIVATE KEY", &body) ||
		find_text(text, SPAN_LIT("Proc-Type:"), &at)) {
		*why_out = locked_key;
		return NULL;
	}
	if (!find_block(text, "PRIVATE KEY", &body) && !find_block(text, "RSA PRIVATE KEY", &body))
		return NULL;
	der = mem_alloc(body.len);
	if (decode_block(body, der, &len))
		pkey = decode_der(span_of(der, len), NULL, EVP_PKEY_KEYPAIR);
	mem_wipe(der, body.len);
	mem_free(der);
	return pkey;
}

/* A key that was damaged does not verify what it signs. */
static bool is_whole(const struct dkim_key *key)
{
	static const unsigned char hash[DKIM_HASH_LEN];
	struct buf signature = { 0 };
	bool fits = dkim_key_sign(key, hash, &signature) == ERR_OK &&
		    dkim_key_verify(key, hash, buf_span(&signature));

	buf_fini(&signature);
	return fits;
}

enum err dkim_key_parse(struct span text, struct dkim_key **key_out, const char **why_out)
{
	EVP_PKEY *pkey;

	*key_out = NULL;
	if (text.len > DKIM_KEY_TEXT_MAX) {
		*why_out = "is longer than a private key; a PKCS#8 key alone is wanted";
		return ERR_INVALID;
	}
	pkey = decode_private(text, why_out);
	if (pkey)
		*key_out = wrap(pkey, why_out);
	if (*key_out && !is_whole(*key_out)) {
		*why_out = "is damaged: its two halves do not fit; export it again";
		dkim_key_free(key_out);
	}
	return *key_out ? ERR_OK : ERR_INVALID;
}

struct dkim_key *dkim_key_new_ed25519(const unsigned char seed[DKIM_ED25519_SEED_LEN])
{
	const char *why;
	EVP_PKEY *pkey = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, DKIM_ED25519_SEED_LEN);

	CHECK(pkey);
	return wrap(pkey, &why);
}

struct dkim_key *dkim_key_new_rsa(unsigned bits)
{
	const char *why;
	EVP_PKEY *pkey;

	CHECK(bits >= DKIM_RSA_BITS_GOOD && bits <= DKIM_RSA_BITS_MAX);
	pkey = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)bits);
	CHECK(pkey);
	return wrap(pkey, &why);
}

struct dkim_key *dkim_key_new_public(enum dkim_algorithm algorithm, struct span bytes)
{
	const char *why;
	EVP_PKEY *pkey = NULL;

	if (algorithm == DKIM_RSA_SHA256 && bytes.len <= DKIM_KEY_TEXT_MAX)
		pkey = decode_der(bytes, "RSA", EVP_PKEY_PUBLIC_KEY);
	else if (algorithm == DKIM_ED25519_SHA256 && bytes.len == ED25519_LEN)
		pkey = EVP_PKEY_new_raw_public_key(
			EVP_PKEY_ED25519, NULL, (const unsigned char *)bytes.ptr, bytes.len);
	return pkey ? wrap(pkey, &why) : NULL;
}

void dkim_key_free(struct dkim_key **key)
{
	if (*key)
		EVP_PKEY_free((*key)->pkey);
	mem_free(*key);
	*key = NULL;
}

enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *key)
{
	return key->algorithm;
}

unsigned dkim_key_bits(const struct dkim_key *key)
{
	return key->bits;
}

bool dkim_key_is_weak(const struct dkim_key *key)
{
	return key->algorithm == DKIM_RSA_SHA256 && key->bits < DKIM_RSA_BITS_GOOD;
}

/* For free_der(). */
static struct span encode_der(EVP_PKEY *pkey, const char *structure, int selection)
{
	OSSL_ENCODER_CTX *encoder = OSSL_ENCODER_CTX_new_for_pkey(pkey, selection, "DER", structure, NULL);
	unsigned char *der = NULL;
	size_t len = 0;

	CHECK(encoder && OSSL_ENCODER_to_data(encoder, &der, &len));
	OSSL_ENCODER_CTX_free(encoder);
	return span_of((const char *)der, len);
}

static void free_der(struct span der)
{
	OPENSSL_clear_free((void *)(uintptr_t)der.ptr, der.len);
}

void dkim_key_append_pem(const struct dkim_key *key, struct buf *pem_out)
{
	struct span der = encode_der(key->pkey, "PrivateKeyInfo", EVP_PKEY_KEYPAIR);
	size_t in_line = PEM_LINE / 4 * 3;

	buf_append_str(pem_out, "-----BEGIN PRIVATE KEY-----\n");
	for (size_t at = 0; at < der.len; at += in_line) {
		struct span rest = span_drop(der, at);

		base64_encode(pem_out, span_take(rest, rest.len < in_line ? rest.len : in_line));
		buf_append_byte(pem_out, '\n');
	}
	buf_append_str(pem_out, "-----END PRIVATE KEY-----\n");
	free_der(der);
}

void dkim_key_append_record(const struct dkim_key *key, struct buf *out)
{
	unsigned char raw[ED25519_LEN];
	size_t len = sizeof(raw);
	struct span der;

	if (key->algorithm == DKIM_ED25519_SHA256) {
		/* RFC 8463 4: the bare key. */
		CHECK(EVP_PKEY_get_raw_public_key(key->pkey, raw, &len) && len == sizeof(raw));
		buf_append_str(out, "v=DKIM1; k=ed25519; p=");
		base64_encode(out, span_of((const char *)raw, len));
		return;
	}
	der = encode_der(key->pkey, "SubjectPublicKeyInfo", EVP_PKEY_PUBLIC_KEY);
	buf_append_str(out, "v=DKIM1; k=rsa; p=");
	base64_encode(out, der);
	free_der(der);
}

void dkim_record_append_zone(struct buf *out, struct span selector, struct span domain, struct span record)
{
	buf_append(out, selector);
	buf_append_str(out, "._domainkey.");
	buf_append(out, domain);
	buf_append_str(out, ". IN TXT (");
	while (record.len) {
		size_t len = record.len < TXT_STRING_MAX ? record.len : TXT_STRING_MAX;

		buf_append_str(out, " \"");
		buf_append(out, span_take(record, len));
		buf_append_byte(out, '"');
		record = span_drop(record, len);
	}
	buf_append_str(out, " )\n");
}

/* PKCS#1 v1.5 of a SHA-256 that was computed elsewhere. */
static EVP_PKEY_CTX *begin_rsa(const struct dkim_key *key, int (*init)(EVP_PKEY_CTX *))
{
	EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_pkey(NULL, key->pkey, NULL);

	CHECK(ctx);
	if (init(ctx) == 1 && EVP_PKEY_CTX_set_signature_md(ctx, EVP_sha256()) == 1)
		return ctx;
	EVP_PKEY_CTX_free(ctx);
	return NULL;
}

static bool sign_rsa(const struct dkim_key *key, const unsigned char *hash, unsigned char *out, size_t *len)
{
	EVP_PKEY_CTX *ctx = begin_rsa(key, EVP_PKEY_sign_init);
	bool is_signed = ctx && EVP_PKEY_sign(ctx, out, len, hash, DKIM_HASH_LEN) == 1;

	EVP_PKEY_CTX_free(ctx);
	return is_signed;
}

/* Ed25519 hashes by itself: what it signs is the hash (RFC 8463 3). */
static bool sign_ed25519(
	const struct dkim_key *key, const unsigned char *hash, unsigned char *out, size_t *len)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool is_signed;

	CHECK(md);
	is_signed = EVP_DigestSignInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
		    EVP_DigestSign(md, out, len, hash, DKIM_HASH_LEN) == 1;
	EVP_MD_CTX_free(md);
	return is_signed;
}

enum err dkim_key_sign(
	const struct dkim_key *key, const unsigned char hash[DKIM_HASH_LEN], struct buf *signature_out)
{
	unsigned char signature[DKIM_SIGNATURE_MAX];
	size_t len = sizeof(signature);
	bool is_signed;

	ERR_set_mark();
	is_signed = key->algorithm == DKIM_RSA_SHA256 ? sign_rsa(key, hash, signature, &len)
						      : sign_ed25519(key, hash, signature, &len);

	ERR_pop_to_mark();
	if (!is_signed)
		return ERR_REFUSED;
	buf_append(signature_out, span_of((const char *)signature, len));
	return ERR_OK;
}

static bool verify_rsa(const struct dkim_key *key, const unsigned char *hash, struct span signature)
{
	EVP_PKEY_CTX *ctx = begin_rsa(key, EVP_PKEY_verify_init);
	bool fits = ctx && EVP_PKEY_verify(ctx, (const unsigned char *)signature.ptr, signature.len, hash,
				   DKIM_HASH_LEN) == 1;

	EVP_PKEY_CTX_free(ctx);
	return fits;
}

static bool verify_ed25519(const struct dkim_key *key, const unsigned char *hash, struct span signature)
{
	EVP_MD_CTX *md = EVP_MD_CTX_new();
	bool fits;

	CHECK(md);
	fits = EVP_DigestVerifyInit(md, NULL, NULL, NULL, key->pkey) == 1 &&
	       EVP_DigestVerify(
		       md, (const unsigned char *)signature.ptr, signature.len, hash, DKIM_HASH_LEN) == 1;
	EVP_MD_CTX_free(md);
	return fits;
}

bool dkim_key_verify(
	const struct dkim_key *key, const unsigned char hash[DKIM_HASH_LEN], struct span signature)
{
	bool fits;

	ERR_set_mark();
	fits = key->algorithm == DKIM_RSA_SHA256 ? verify_rsa(key, hash, signature)
						 : verify_ed25519(key, hash, signature);
	ERR_pop_to_mark();
	return fits;
}
