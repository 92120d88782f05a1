/*
 * key: what signs, and what verifies: RSA (RFC 6376, RFC 8301) and Ed25519 (RFC 8463). Both sign a SHA-256.
 * A key does not change and may be used by several threads at once.
 */
#ifndef SKEIN_PROTO_DKIM_KEY_H
#define SKEIN_PROTO_DKIM_KEY_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

enum dkim_algorithm {
	DKIM_RSA_SHA256,
	DKIM_ED25519_SHA256,
};

enum {
	DKIM_HASH_LEN = 32,
	DKIM_RSA_BITS_MIN = 1024, /* RFC 8301 3.2 */
	DKIM_RSA_BITS_GOOD = 2048,
	DKIM_RSA_BITS_MAX = 4096,
	DKIM_SIGNATURE_MAX = DKIM_RSA_BITS_MAX / 8, /* octets */
	DKIM_ED25519_SEED_LEN = 32,
	DKIM_KEY_TEXT_MAX = 16 * 1024, /* of a key in PEM or DER */
};

struct dkim_key;

/* "rsa-sha256", "ed25519-sha256" */
const char *dkim_algorithm_name(enum dkim_algorithm algorithm);

/*
 * Reads a private key without a passphrase: PEM or DER, PKCS#8 ("PRIVATE KEY") or PKCS#1 ("RSA PRIVATE KEY").
 * ERR_INVALID: `why_out` is a phrase that names the cure and nothing of the text.
 */
enum err dkim_key_parse(struct span text, struct dkim_key **key_out, const char **why_out) WARN_UNUSED;
/* `seed`: random bytes, which are the private key (RFC 8032 5.1.5). */
struct dkim_key *dkim_key_new_ed25519(const unsigned char seed[DKIM_ED25519_SEED_LEN]);
/*
 * DKIM_RSA_BITS_GOOD..DKIM_RSA_BITS_MAX. The one function of proto that cannot be handed its random bytes:
 * libcrypto takes its own. For a person's command; takes a second.
 */
struct dkim_key *dkim_key_new_rsa(unsigned bits);
/* The public key of a record (p=, decoded). NULL: not of this kind, or outside the bounds of a key. */
struct dkim_key *dkim_key_new_public(enum dkim_algorithm algorithm, struct span bytes) WARN_UNUSED;
/* Wipes what is secret. */
void dkim_key_free(struct dkim_key **key);

enum dkim_algorithm dkim_key_algorithm(const struct dkim_key *key);
unsigned dkim_key_bits(const struct dkim_key *key);
/* An RSA key that verifiers still take, and that should be replaced: shorter than DKIM_RSA_BITS_GOOD. */
bool dkim_key_is_weak(const struct dkim_key *key);

/* Appends the private key as PKCS#8 in PEM. Reserve DKIM_KEY_TEXT_MAX before; wipe it afterwards. */
void dkim_key_append_pem(const struct dkim_key *key, struct buf *pem_out);
/* Appends the text of its record: "v=DKIM1; k=rsa; p=...". */
void dkim_key_append_record(const struct dkim_key *key, struct buf *out);
/*
 * Appends a record as a line of a zone file, in strings of at most 255 octets (RFC 6376 3.6.2.2):
 * SELECTOR._domainkey.DOMAIN. IN TXT ( "..." "..." )
 */
void dkim_record_append_zone(struct buf *out, struct span selector, struct span domain, struct span record);

/* Appends the signature. `key` is private. ERR_REFUSED: libcrypto did not sign. */
enum err dkim_key_sign(const struct dkim_key *key, const unsigned char hash[DKIM_HASH_LEN],
	struct buf *signature_out) WARN_UNUSED;
bool dkim_key_verify(const struct dkim_key *key, const unsigned char hash[DKIM_HASH_LEN],
	struct span signature) WARN_UNUSED;

#endif
