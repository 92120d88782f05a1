#include "ntlm_client.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#define NTLM_CLIENT_NONCE "skeinskn"

static uint32_t rotate(uint32_t word, unsigned count)
{
	return word << count | word >> (32 - count);
}

static void md4_block(uint32_t state[4], const uint8_t *block)
{
	static const uint8_t order[3][16] = {
		{ 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15 },
		{ 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15 },
		{ 0, 8, 4, 12, 2, 10, 6, 14, 1, 9, 5, 13, 3, 11, 7, 15 },
	};
	static const uint8_t shifts[3][4] = { { 3, 7, 11, 19 }, { 3, 5, 9, 13 }, { 3, 9, 11, 15 } };
	static const uint32_t constants[3] = { 0, 0x5a827999, 0x6ed9eba1 };
	uint32_t a = state[0], b = state[1], c = state[2], d = state[3];

	for (unsigned i = 0; i < 48; i++) {
		unsigned round = i / 16;
		const uint8_t *at = block + 4 * order[round][i % 16];
		uint32_t word = at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
		uint32_t mixed = round == 0   ? (b & c) | (~b & d)
				 : round == 1 ? (b & c) | (b & d) | (c & d)
					      : b ^ c ^ d;
		uint32_t next = rotate(a + mixed + word + constants[round], shifts[round][i % 4]);

		a = d;
		d = c;
		c = b;
		b = next;
	}
	state[0] += a;
	state[1] += b;
	state[2] += c;
	state[3] += d;
}

static void append_le(struct buf *out, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buf_append_byte(out, (char)(value >> (8 * i) & 255));
}

void ntlm_client_md4(struct span bytes, uint8_t digest_out[16])
{
	uint32_t state[4] = { 0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476 };
	struct buf padded = { 0 };

	buf_append(&padded, bytes);
	buf_append_byte(&padded, (char)0x80);
	while (buf_len(&padded) % 64 != 56)
		buf_append_byte(&padded, 0);
	append_le(&padded, (uint64_t)bytes.len * 8, 8);
	for (size_t at = 0; at < buf_len(&padded); at += 64)
		md4_block(state, (const uint8_t *)buf_span(&padded).ptr + at);
	for (unsigned i = 0; i < 16; i++)
		digest_out[i] = (uint8_t)(state[i / 4] >> (8 * (i % 4)));
	buf_fini(&padded);
}

/* Latin letters in capitals when `is_upper`. */
static void append_utf16(struct buf *out, const char *text, bool is_upper)
{
	while (*text) {
		unsigned code = (uint8_t)*text++;

		if (code >= 0xc0)
			code = (code & 0x1f) << 6 | ((uint8_t)*text++ & 0x3f);
		if (is_upper &&
			((code >= 'a' && code <= 'z') || (code >= 0xe0 && code < 0xff && code != 0xf7)))
			code -= 32;
		append_le(out, code, 2);
	}
}

static void hmac_md5(const uint8_t key[16], struct span bytes, uint8_t out[16])
{
	unsigned len = 16;

	CHECK(HMAC(EVP_md5(), key, 16, (const uint8_t *)bytes.ptr, bytes.len, out, &len));
}

/* NTOWFv2 */
static void response_key(const struct ntlm_client *client, uint8_t key_out[16])
{
	struct buf text = { 0 };
	uint8_t hash[16];

	append_utf16(&text, client->password, false);
	ntlm_client_md4(buf_span(&text), hash);
	buf_clear(&text);
	append_utf16(&text, client->user, true);
	append_utf16(&text, client->domain, false);
	hmac_md5(hash, buf_span(&text), key_out);
	buf_fini(&text);
}

static void append_blob(const struct ntlm_client *client, struct buf *out)
{
	struct buf name = { 0 };

	append_le(out, 0x0101, 8);
	append_le(out, client->filetime, 8);
	buf_append_str(out, NTLM_CLIENT_NONCE);
	append_le(out, 0, 4);
	append_utf16(&name, client->server_domain, false);
	if (buf_len(&name)) {
		append_le(out, 2, 2); /* MsvAvNbDomainName */
		append_le(out, buf_len(&name), 2);
		buf_append(out, buf_span(&name));
	}
	append_le(out, 0, 8); /* MsvAvEOL, and four zeros */
	buf_fini(&name);
}

void ntlm_client_respond(
	const struct ntlm_client *client, struct buf *response, uint8_t key_out[NTLM_CLIENT_KEY_LEN])
{
	uint8_t key[16], proof[16];
	struct buf blob = { 0 };

	response_key(client, key);
	buf_append(&blob, span_of((const char *)client->challenge, sizeof(client->challenge)));
	append_blob(client, &blob);
	hmac_md5(key, buf_span(&blob), proof);
	hmac_md5(key, span_of((const char *)proof, sizeof(proof)), key_out);
	buf_append(response, span_of((const char *)proof, sizeof(proof)));
	buf_append(response, span_drop(buf_span(&blob), sizeof(client->challenge)));
	buf_fini(&blob);
}
