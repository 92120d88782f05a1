#include "auth/ntlmssp_internal.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/codec.h"
#include "skein/proto/base/utf8.h"

static const struct span signature = { "NTLMSSP", 8 };

enum {
	TYPE_NEGOTIATE = 1,
	TYPE_CHALLENGE = 2,
	TYPE_AUTHENTICATE = 3,
	HEADER_LEN =
		64, /* of AUTHENTICATE, as the oldest clients of today send it; VERSION and MIC may follow */
	MIC_AT = 72,
	MIC_END = MIC_AT + MD5_LEN,
	CHALLENGE_PAYLOAD_AT = 56,
	NAME_MAX_LEN = 512,
	/* Of an NTLMv2 response: NTProofStr, then the blob, at whose offset 28 the pairs are (2.2.2.7). */
	BLOB_AT = 16,
	PAIRS_AT = BLOB_AT + 28,
};

/* 2.2.2.1 */
enum {
	AV_END = 0,
	AV_NETBIOS_COMPUTER = 1,
	AV_NETBIOS_DOMAIN = 2,
	AV_DNS_COMPUTER = 3,
	AV_DNS_DOMAIN = 4,
	AV_FLAGS = 6,
	AV_TIMESTAMP = 7,
	AV_CHANNEL_BINDINGS = 10,
	AV_FLAG_MIC = 2,
};

bool ntlmssp_is(struct span text)
{
	return span_starts_with(text, signature);
}

/* Behind the signature and the type. */
static bool open_message(struct span text, uint32_t type, struct reader *reader_out)
{
	if (!ntlmssp_is(text))
		return false;
	*reader_out = (struct reader){ .rest = span_drop(text, signature.len) };
	return get_u32(reader_out) == type && !reader_out->bad;
}

bool ntlmssp_parse_negotiate(struct span text, uint32_t *flags_out)
{
	struct reader reader;

	if (!open_message(text, TYPE_NEGOTIATE, &reader))
		return false;
	*flags_out = get_u32(&reader);
	return !reader.bad;
}

/* The bytes that a length, a maximum and an offset point to. */
static struct span get_field(struct reader *reader, struct span text)
{
	size_t len = get_u16(reader), max = get_u16(reader), at = get_u32(reader);

	(void)max;
	if (!len)
		return span_of("", 0);
	if (at < HEADER_LEN || at > text.len || len > text.len - at) {
		reader->bad = true;
		return span_of("", 0);
	}
	return span_take(span_drop(text, at), len);
}

/* One pair of the client's. */
static bool take_pair(struct ntlm_authenticate *authenticate, uint16_t id, struct span value)
{
	static const char no_binding[MD5_LEN];

	if (id == AV_FLAGS) {
		struct reader reader = { .rest = value };

		authenticate->has_mic = get_u32(&reader) & AV_FLAG_MIC;
		return !reader.bad;
	}
	if (id == AV_CHANNEL_BINDINGS) {
		if (value.len != MD5_LEN)
			return false;
		if (!span_eq(value, span_of(no_binding, sizeof(no_binding))))
			authenticate->binding = value;
	}
	return true;
}

/* The pairs end with AV_END, or, from some clients, with the response. */
static bool parse_pairs(struct ntlm_authenticate *authenticate, struct span pairs)
{
	struct reader reader = { .rest = pairs };

	while (reader.rest.len) {
		uint16_t id = get_u16(&reader), len = get_u16(&reader);
		struct span value;

		if (reader.bad || len > reader.rest.len)
			return false;
		if (id == AV_END)
			break;
		value = span_take(reader.rest, len);
		reader.rest = span_drop(reader.rest, len);
		if (!take_pair(authenticate, id, value))
			return false;
	}
	return true;
}

/* 2.2.2.7: an NTLMv2 response begins its blob with version 1, 1. */
static bool parse_response(struct ntlm_authenticate *authenticate)
{
	struct span nt = authenticate->nt;

	if (nt.len <= NTLM_V1_RESPONSE_LEN)
		return true;
	return nt.len >= PAIRS_AT && nt.ptr[BLOB_AT] == 1 && nt.ptr[BLOB_AT + 1] == 1 &&
	       parse_pairs(authenticate, span_drop(nt, PAIRS_AT));
}

/* No part of the message lies where its MIC is. */
static bool has_room_for_mic(const struct ntlm_authenticate *authenticate, struct span text)
{
	const struct span parts[] = { authenticate->domain, authenticate->user, authenticate->workstation,
		authenticate->lm, authenticate->nt, authenticate->session_key };

	for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
		if (parts[i].len && parts[i].ptr < text.ptr + MIC_END)
			return false;
	}
	return text.len >= MIC_END;
}

bool ntlmssp_parse_authenticate(struct span text, struct ntlm_authenticate *authenticate_out)
{
	struct reader reader;

	*authenticate_out = (struct ntlm_authenticate){ 0 };
	if (!open_message(text, TYPE_AUTHENTICATE, &reader))
		return false;
	authenticate_out->lm = get_field(&reader, text);
	authenticate_out->nt = get_field(&reader, text);
	authenticate_out->domain = get_field(&reader, text);
	authenticate_out->user = get_field(&reader, text);
	authenticate_out->workstation = get_field(&reader, text);
	authenticate_out->session_key = get_field(&reader, text);
	authenticate_out->flags = get_u32(&reader);
	if (reader.bad || !parse_response(authenticate_out))
		return false;
	if (authenticate_out->flags & NTLM_KEY_EXCHANGE && authenticate_out->session_key.len != NTLM_KEY_LEN)
		return false;
	return !authenticate_out->has_mic || has_room_for_mic(authenticate_out, text);
}

/* Our own names, which the settings have checked, as UTF-16LE. */
static void append_utf16(struct buf *out, struct span text)
{
	const unsigned char *bytes = (const unsigned char *)text.ptr;

	CHECK(text.len <= NAME_MAX_LEN && utf8_is_valid(text));
	for (size_t i = 0; i < text.len;) {
		unsigned more = bytes[i] < 0x80 ? 0 : bytes[i] < 0xe0 ? 1 : bytes[i] < 0xf0 ? 2 : 3;
		uint32_t code = more ? bytes[i] & (0x3fu >> more) : bytes[i];

		for (i++; more; more--)
			code = code << 6 | (bytes[i++] & 0x3f);
		if (code >= 0x10000) {
			put_u16(out, (uint16_t)(0xd800 + ((code - 0x10000) >> 10)));
			code = 0xdc00 + ((code - 0x10000) & 0x3ff);
		}
		put_u16(out, (uint16_t)code);
	}
}

static void append_name_pair(struct buf *out, uint16_t id, struct span name)
{
	struct buf value = { 0 };

	if (!name.len)
		return;
	append_utf16(&value, name);
	put_u16(out, id);
	put_u16(out, (uint16_t)buf_len(&value));
	buf_append(out, buf_span(&value));
	buf_fini(&value);
}

/* A timestamp makes clients send a MIC, and no LM response (3.1.5.1.2). */
static void append_target_info(struct buf *out, const struct ntlm_names *names, uint64_t filetime)
{
	append_name_pair(out, AV_NETBIOS_DOMAIN, names->netbios_domain);
	append_name_pair(out, AV_NETBIOS_COMPUTER, names->netbios_computer);
	append_name_pair(out, AV_DNS_DOMAIN, names->dns_domain);
	append_name_pair(out, AV_DNS_COMPUTER, names->dns_computer);
	put_u16(out, AV_TIMESTAMP);
	put_u16(out, sizeof(filetime));
	put_u64(out, filetime);
	put_u16(out, AV_END);
	put_u16(out, 0);
}

static void put_field(struct buf *out, size_t len, size_t at)
{
	put_u16(out, (uint16_t)len);
	put_u16(out, (uint16_t)len);
	put_u32(out, (uint32_t)at);
}

void ntlmssp_build_challenge(struct buf *out, uint32_t client_flags, const struct ntlm_names *names,
	const uint8_t challenge[NTLM_CHALLENGE_LEN], uint64_t filetime)
{
	static const char version[] = { 6, 1, 0, 0, 0, 0, 0, 15 };
	uint32_t flags = NTLM_UNICODE | NTLM_REQUEST_TARGET | NTLM_NTLM | NTLM_ALWAYS_SIGN |
			 NTLM_TARGET_TYPE_DOMAIN | NTLM_EXTENDED_SECURITY | NTLM_TARGET_INFO | NTLM_VERSION |
			 NTLM_128 | NTLM_56 | (client_flags & (NTLM_SIGN | NTLM_SEAL | NTLM_KEY_EXCHANGE));
	struct buf name = { 0 }, info = { 0 };

	append_utf16(&name, names->netbios_domain);
	append_target_info(&info, names, filetime);
	buf_append(out, signature);
	put_u32(out, TYPE_CHALLENGE);
	put_field(out, buf_len(&name), CHALLENGE_PAYLOAD_AT);
	put_u32(out, flags);
	buf_append(out, span_of_bytes(challenge, NTLM_CHALLENGE_LEN));
	put_u64(out, 0);
	put_field(out, buf_len(&info), CHALLENGE_PAYLOAD_AT + buf_len(&name));
	buf_append(out, span_of(version, sizeof(version)));
	buf_append(out, buf_span(&name));
	buf_append(out, buf_span(&info));
	buf_fini(&name);
	buf_fini(&info);
}

static void append_utf8(struct buf *out, uint32_t code)
{
	if (code < 0x80) {
		buf_append_byte(out, (char)code);
		return;
	}
	if (code < 0x800) {
		put_u8(out, (uint8_t)(0xc0 | code >> 6));
	} else if (code < 0x10000) {
		put_u8(out, (uint8_t)(0xe0 | code >> 12));
		put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
	} else {
		put_u8(out, (uint8_t)(0xf0 | code >> 18));
		put_u8(out, (uint8_t)(0x80 | (code >> 12 & 0x3f)));
		put_u8(out, (uint8_t)(0x80 | (code >> 6 & 0x3f)));
	}
	put_u8(out, (uint8_t)(0x80 | (code & 0x3f)));
}

bool ntlmssp_to_utf8(uint32_t flags, struct span text, struct buf *out)
{
	struct reader reader = { .rest = text };

	if (!(flags & NTLM_UNICODE)) {
		/* Which code page it is nobody can tell; ASCII is the same in all. */
		for (size_t i = 0; i < text.len; i++) {
			if ((unsigned char)text.ptr[i] >= 0x80)
				return false;
		}
		buf_append(out, text);
		return true;
	}
	while (reader.rest.len) {
		uint32_t code = get_u16(&reader), low;

		if (code >= 0xdc00 && code < 0xe000)
			return false;
		if (code >= 0xd800 && code < 0xdc00) {
			low = get_u16(&reader);
			if (low < 0xdc00 || low >= 0xe000)
				return false;
			code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
		}
		append_utf8(out, code);
	}
	return !reader.bad;
}

/* 3.1.5.1.2: with key exchange the session key is the client's own, sent under the user's. */
static void exported_key(const struct ntlm_authenticate *authenticate, const uint8_t key[NTLM_KEY_LEN],
	uint8_t out[NTLM_KEY_LEN])
{
	memcpy(out, key, NTLM_KEY_LEN);
	if (authenticate->flags & NTLM_KEY_EXCHANGE)
		ntlmssp_rc4(span_of_bytes(key, NTLM_KEY_LEN), (const uint8_t *)authenticate->session_key.ptr,
			NTLM_KEY_LEN, out);
}

enum ntlmssp_mic ntlmssp_check_mic(struct buf *messages, size_t authenticate_at,
	const struct ntlm_authenticate *authenticate, const uint8_t key[NTLM_KEY_LEN])
{
	char *at = messages->base + messages->head + authenticate_at + MIC_AT;
	uint8_t sent[MD5_LEN], wanted[MD5_LEN], exported[NTLM_KEY_LEN];
	bool done;

	memcpy(sent, at, sizeof(sent));
	memset(at, 0, sizeof(sent));
	exported_key(authenticate, key, exported);
	done = digest_hmac_md5(span_of_bytes(exported, sizeof(exported)), buf_span(messages), wanted);
	mem_wipe(exported, sizeof(exported));
	if (!done)
		return NTLMSSP_MIC_NO_MD5;
	return digest_eq(sent, wanted, sizeof(sent)) ? NTLMSSP_MIC_FITS : NTLMSSP_MIC_WRONG;
}

/* RFC 4121 4.1.1.2: four empty fields (addresses' types and lengths), then length and data. */
bool ntlmssp_binding(struct span data, uint8_t out[MD5_LEN])
{
	struct buf bindings = { 0 };
	bool done;

	put_u64(&bindings, 0);
	put_u64(&bindings, 0);
	put_bytes(&bindings, data);
	done = digest_md5(buf_span(&bindings), out);
	buf_fini(&bindings);
	return done;
}

static void swap(uint8_t *a, uint8_t *b)
{
	uint8_t kept = *a;

	*a = *b;
	*b = kept;
}

/* By hand: OpenSSL 3 has it in a provider that nobody loads. */
void ntlmssp_rc4(struct span key, const uint8_t *in, size_t len, uint8_t *out)
{
	uint8_t state[256], i, j = 0;

	for (unsigned k = 0; k < 256; k++)
		state[k] = (uint8_t)k;
	for (unsigned k = 0; k < 256; k++) {
		j = (uint8_t)(j + state[k] + (uint8_t)key.ptr[k % key.len]);
		swap(&state[k], &state[j]);
	}
	i = j = 0;
	for (size_t k = 0; k < len; k++) {
		i = (uint8_t)(i + 1);
		j = (uint8_t)(j + state[i]);
		swap(&state[i], &state[j]);
		out[k] = in[k] ^ state[(uint8_t)(state[i] + state[j])];
	}
	mem_wipe(state, sizeof(state));
}
