#include "skein/cluster/secret.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"

#include <openssl/evp.h>

/*
 * An envelope: FORMAT (1), key id (8), nonce (12), ciphertext, tag (16). Sealed in beside the text: format
 * and key id, then "<purpose>/<name>".
 */
enum {
	FORMAT = 1,
	HEAD_LEN = 1 + SECRET_KEY_ID_LEN,
	BODY_AT = HEAD_LEN + SECRET_NONCE_LEN,
	KEY_BASE64_LEN = 44,
	SHA256_LEN = 32,
};

static const char id_label[] = "skein cluster key id 1";

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static bool read_hex(struct span line, unsigned char bytes_out[SECRET_KEY_LEN])
{
	for (size_t i = 0; i < SECRET_KEY_LEN; i++) {
		int high = hex_digit(line.ptr[2 * i]), low = hex_digit(line.ptr[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes_out[i] = (unsigned char)(high << 4 | low);
	}
	return true;
}

static bool read_base64(struct span line, unsigned char bytes_out[SECRET_KEY_LEN])
{
	char bytes[KEY_BASE64_LEN / 4 * 3];
	size_t len = 0;
	bool is_key = base64_decode(line, bytes, &len) && len == SECRET_KEY_LEN;

	if (is_key)
		memcpy(bytes_out, bytes, SECRET_KEY_LEN);
	mem_wipe(bytes, sizeof(bytes));
	return is_key;
}

static bool read_key(struct span line, struct secret_key *key_out)
{
	bool is_key = line.len == KEY_BASE64_LEN               ? read_base64(line, key_out->bytes)
		      : line.len == (size_t)2 * SECRET_KEY_LEN ? read_hex(line, key_out->bytes)
							       : false;

	if (is_key)
		secret_key_id(key_out->bytes, key_out->id);
	return is_key;
}

/* Without its line end; `text` goes on behind that. */
static struct span take_line(struct span *text)
{
	size_t end = span_find(*text, '\n');
	struct span line = span_take(*text, end);

	*text = span_drop(*text, end < text->len ? end + 1 : end);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	return line;
}

static const char *read_keys(struct span text, struct secret_keys *keys)
{
	if (!text.len)
		return "is empty: 32 bytes as base64, or as 64 hexadecimal digits, are wanted";
	if (!read_key(take_line(&text), &keys->current))
		return "has no key on line 1: 32 bytes as base64, or as 64 hexadecimal digits, are wanted";
	if (!text.len)
		return NULL;
	if (!read_key(take_line(&text), &keys->previous))
		return "has no key on line 2: the previous key, or nothing at all, is there";
	if (text.len)
		return "has more than two lines: the key, and the previous one while it is needed";
	keys->has_previous = true;
	return NULL;
}

enum err secret_key_parse(struct span text, struct secret_keys *keys_out, const char **why_out)
{
	*keys_out = (struct secret_keys){ 0 };
	*why_out = read_keys(text, keys_out);
	if (!*why_out)
		return ERR_OK;
	secret_keys_wipe(keys_out);
	return ERR_INVALID;
}

void secret_key_format(const unsigned char bytes[SECRET_KEY_LEN], struct buf *line_out)
{
	base64_encode(line_out, span_of((const char *)bytes, SECRET_KEY_LEN));
	buf_append_byte(line_out, '\n');
}

void secret_key_id(const unsigned char bytes[SECRET_KEY_LEN], unsigned char id_out[SECRET_KEY_ID_LEN])
{
	unsigned char text[sizeof(id_label) + SECRET_KEY_LEN], digest[SHA256_LEN];

	memcpy(text, id_label, sizeof(id_label));
	memcpy(text + sizeof(id_label), bytes, SECRET_KEY_LEN);
	CHECK(EVP_Digest(text, sizeof(text), digest, NULL, EVP_sha256(), NULL));
	memcpy(id_out, digest, SECRET_KEY_ID_LEN);
	mem_wipe(text, sizeof(text));
	mem_wipe(digest, sizeof(digest));
}

struct secret_key_id secret_key_id_text(const unsigned char id[SECRET_KEY_ID_LEN])
{
	static const char digits[] = "0123456789abcdef";
	struct secret_key_id text = { "" };

	for (size_t i = 0; i < SECRET_KEY_ID_LEN; i++) {
		text.text[2 * i] = digits[id[i] >> 4];
		text.text[2 * i + 1] = digits[id[i] & 15];
	}
	return text;
}

void secret_keys_wipe(struct secret_keys *keys)
{
	mem_wipe(keys, sizeof(*keys));
}

static bool is_letter_or_digit(char c)
{
	return (c >= '0' && c <= '9') || (ascii_lower(c) >= 'a' && ascii_lower(c) <= 'z');
}

bool secret_name_is_valid(struct span name)
{
	if (!name.len || name.len > SECRET_NAME_MAX || !is_letter_or_digit(name.ptr[0]))
		return false;
	for (size_t i = 1; i < name.len; i++)
		if (!is_letter_or_digit(name.ptr[i]) && !memchr("._-", name.ptr[i], 3))
			return false;
	return true;
}

static void seal_in(EVP_CIPHER_CTX *cipher, struct span bytes)
{
	int len;

	CHECK(EVP_CipherUpdate(cipher, NULL, &len, (const unsigned char *)bytes.ptr, (int)bytes.len));
}

/* `head` is the envelope's start: format, key id, nonce. */
static EVP_CIPHER_CTX *begin(
	const struct secret_key *key, const char *head, struct secret_label label, int is_sealing)
{
	EVP_CIPHER_CTX *cipher = EVP_CIPHER_CTX_new();

	CHECK(label.purpose.len && span_find(label.purpose, '/') == label.purpose.len);
	CHECK(label.name.len && label.name.len <= SECRET_NAME_MAX);
	CHECK(cipher && EVP_CipherInit_ex(cipher, EVP_aes_256_gcm(), NULL, key->bytes,
				(const unsigned char *)head + HEAD_LEN, is_sealing));
	seal_in(cipher, span_of(head, HEAD_LEN));
	seal_in(cipher, label.purpose);
	seal_in(cipher, SPAN_LIT("/"));
	seal_in(cipher, label.name);
	return cipher;
}

static void run(EVP_CIPHER_CTX *cipher, struct span in, char *out)
{
	int len;

	if (in.len)
		CHECK(EVP_CipherUpdate(
			cipher, (unsigned char *)out, &len, (const unsigned char *)in.ptr, (int)in.len));
}

void secret_seal(const struct secret_key *key, const unsigned char nonce[SECRET_NONCE_LEN],
	struct secret_label label, struct span text, struct buf *sealed_out)
{
	EVP_CIPHER_CTX *cipher;
	char *envelope;
	int len;

	CHECK(text.len <= SECRET_TEXT_MAX);
	buf_reserve(sealed_out, SECRET_OVERHEAD + text.len);
	envelope = buf_tail(sealed_out);
	envelope[0] = FORMAT;
	memcpy(envelope + 1, key->id, SECRET_KEY_ID_LEN);
	memcpy(envelope + HEAD_LEN, nonce, SECRET_NONCE_LEN);
	cipher = begin(key, envelope, label, 1);
	run(cipher, text, envelope + BODY_AT);
	CHECK(EVP_CipherFinal_ex(cipher, (unsigned char *)envelope + BODY_AT + text.len, &len) && len == 0);
	CHECK(EVP_CIPHER_CTX_ctrl(
		cipher, EVP_CTRL_AEAD_GET_TAG, SECRET_TAG_LEN, envelope + BODY_AT + text.len));
	buf_commit(sealed_out, SECRET_OVERHEAD + text.len);
	EVP_CIPHER_CTX_free(cipher);
}

static bool is_envelope(struct span sealed)
{
	return sealed.len >= SECRET_OVERHEAD && sealed.len <= SECRET_SEALED_MAX && sealed.ptr[0] == FORMAT;
}

static const struct secret_key *find_key(const struct secret_keys *keys, struct span sealed)
{
	if (memcmp(sealed.ptr + 1, keys->current.id, SECRET_KEY_ID_LEN) == 0)
		return &keys->current;
	if (keys->has_previous && memcmp(sealed.ptr + 1, keys->previous.id, SECRET_KEY_ID_LEN) == 0)
		return &keys->previous;
	return NULL;
}

/* True when the tag fits; otherwise what was computed is wiped. */
static bool unseal(
	const struct secret_key *key, struct secret_label label, struct span sealed, struct buf *text_out)
{
	struct span body = span_of(sealed.ptr + BODY_AT, sealed.len - SECRET_OVERHEAD);
	EVP_CIPHER_CTX *cipher = begin(key, sealed.ptr, label, 0);
	unsigned char tag[SECRET_TAG_LEN];
	bool fits;
	int len;

	buf_reserve(text_out, body.len + 1);
	memcpy(tag, body.ptr + body.len, SECRET_TAG_LEN);
	run(cipher, body, buf_tail(text_out));
	CHECK(EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_SET_TAG, SECRET_TAG_LEN, tag));
	fits = EVP_CipherFinal_ex(cipher, (unsigned char *)buf_tail(text_out) + body.len, &len) == 1;
	if (fits)
		buf_commit(text_out, body.len);
	else
		mem_wipe(buf_tail(text_out), body.len);
	EVP_CIPHER_CTX_free(cipher);
	return fits;
}

enum secret_opened secret_open(
	const struct secret_keys *keys, struct secret_label label, struct span sealed, struct buf *text_out)
{
	const struct secret_key *key;

	CHECK(buf_len(text_out) == 0);
	if (!is_envelope(sealed))
		return SECRET_BAD_FORMAT;
	key = find_key(keys, sealed);
	if (!key)
		return SECRET_UNKNOWN_KEY;
	return unseal(key, label, sealed, text_out) ? SECRET_OPENED : SECRET_TAMPERED;
}

bool secret_sealed_by(struct span sealed, unsigned char id_out[SECRET_KEY_ID_LEN])
{
	if (!is_envelope(sealed))
		return false;
	memcpy(id_out, sealed.ptr + 1, SECRET_KEY_ID_LEN);
	return true;
}

const char *secret_opened_text(enum secret_opened opened)
{
	switch (opened) {
	case SECRET_OPENED:
		return "ok";
	case SECRET_BAD_FORMAT:
		return "is no envelope of this version; set it again with `skeinctl secret set`";
	case SECRET_UNKNOWN_KEY:
		return "is sealed by a key that is not in the key file; put that key there, on line 2 if it "
		       "is "
		       "the previous one, or set the secret again with `skeinctl secret set`";
	case SECRET_TAMPERED:
		return "was changed in Redis by somebody without the key; set it again with `skeinctl secret "
		       "set`";
	}
	return "is unreadable";
}

void secret_text_wipe(struct buf *text)
{
	mem_wipe(text->base, text->cap);
	buf_fini(text);
}
