/*
 * secret: texts that lie in Redis sealed with the cluster's key, which does not: it is in a file on each
 * node. AES-256-GCM. What a text is for and its name are sealed in, so that none can take another's place;
 * each envelope says by which key it was sealed, so that a change of key may stop halfway. Pure: random bytes
 * are handed in.
 */
#ifndef SKEIN_CLUSTER_SECRET_H
#define SKEIN_CLUSTER_SECRET_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

enum {
	SECRET_KEY_LEN = 32,
	SECRET_KEY_ID_LEN = 8,
	SECRET_NONCE_LEN = 12,
	SECRET_TAG_LEN = 16,
	/* Format, key id, nonce, tag. */
	SECRET_OVERHEAD = 1 + SECRET_KEY_ID_LEN + SECRET_NONCE_LEN + SECRET_TAG_LEN,
	SECRET_TEXT_MAX = 64 * 1024,
	SECRET_SEALED_MAX = SECRET_OVERHEAD + SECRET_TEXT_MAX,
	SECRET_NAME_MAX = 128,
	SECRET_KEY_FILE_MAX = 160, /* bytes of a key file */
};

struct secret_key_id {
	char text[2 * SECRET_KEY_ID_LEN + 1]; /* hexadecimal, for people */
};

struct secret_key {
	unsigned char bytes[SECRET_KEY_LEN];
	unsigned char id[SECRET_KEY_ID_LEN];
};

/* Wipe it with secret_keys_wipe(). */
struct secret_keys {
	struct secret_key current; /* seals */
	struct secret_key previous;
	bool has_previous; /* opens only, while a rotation is under way */
};

/* What is sealed in beside the text. `purpose` is a word of ours without '/', such as "secret". */
struct secret_label {
	struct span purpose, name; /* name: 1..SECRET_NAME_MAX */
};

/*
 * Reads the text of a key file: 32 bytes as base64, or as 64 hexadecimal digits, on the first line, and the
 * previous key on a second one, if there is one. ERR_INVALID: `why_out` is a sentence that names the cure and
 * nothing of the text; `keys_out` is wiped.
 */
enum err secret_key_parse(struct span text, struct secret_keys *keys_out, const char **why_out) WARN_UNUSED;
/* Appends one line of a key file. Reserve SECRET_KEY_FILE_MAX before: a buffer that grows leaves copies. */
void secret_key_format(const unsigned char bytes[SECRET_KEY_LEN], struct buf *line_out);
/* Tells keys apart and nothing else about them: the start of a SHA-256 of a label and the key. */
void secret_key_id(const unsigned char bytes[SECRET_KEY_LEN], unsigned char id_out[SECRET_KEY_ID_LEN]);
struct secret_key_id secret_key_id_text(const unsigned char id[SECRET_KEY_ID_LEN]);
void secret_keys_wipe(struct secret_keys *keys);

/* 1..SECRET_NAME_MAX of a-z, A-Z, 0-9, '.', '_', '-'; the first is a letter or a digit. */
WARN_UNUSED bool secret_name_is_valid(struct span name);

/* Appends the envelope. `nonce` is random, never used before with this key; `text` <= SECRET_TEXT_MAX. */
void secret_seal(const struct secret_key *key, const unsigned char nonce[SECRET_NONCE_LEN],
	struct secret_label label, struct span text, struct buf *sealed_out);

enum secret_opened {
	SECRET_OPENED,
	SECRET_BAD_FORMAT,  /* no envelope, or one of a later version */
	SECRET_UNKNOWN_KEY, /* sealed by a key that is not in the key file */
	SECRET_TAMPERED,    /* changed, or moved here from another name or purpose */
};
/*
 * Appends the text to `text_out`, which is empty: it is reserved at once, so that wiping it wipes all.
 * Nothing is appended unless SECRET_OPENED.
 */
WARN_UNUSED enum secret_opened secret_open(
	const struct secret_keys *keys, struct secret_label label, struct span sealed, struct buf *text_out);
/* The key that an envelope names. False: SECRET_BAD_FORMAT. */
WARN_UNUSED bool secret_sealed_by(struct span sealed, unsigned char id_out[SECRET_KEY_ID_LEN]);
/* A sentence that names the cure. */
const char *secret_opened_text(enum secret_opened opened);

/* Overwrites the whole allocation, then frees it. */
void secret_text_wipe(struct buf *text);

#endif
