#include "skein/proto/base/base64.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_encode(struct buf *out, struct span bytes)
{
	buf_reserve(out, base64_encoded_len(bytes.len));
	for (size_t i = 0; i < bytes.len; i += 3) {
		size_t count = bytes.len - i < 3 ? bytes.len - i : 3;
		unsigned char in[3] = { 0 };
		char *to = buf_tail(out);

		memcpy(in, bytes.ptr + i, count);
		to[0] = alphabet[in[0] >> 2];
		to[1] = alphabet[(in[0] & 3) << 4 | in[1] >> 4];
		to[2] = count > 1 ? alphabet[(in[1] & 15) << 2 | in[2] >> 6] : '=';
		to[3] = count > 2 ? alphabet[in[2] & 63] : '=';
		buf_commit(out, 4);
	}
}

/* The six bits of a character, or -1. */
static int value_of(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	if (c == '+')
		return 62;
	return c == '/' ? 63 : -1;
}

/* The bytes of a group of four characters, or 0 if it is none. */
static size_t decode_group(const char *text, bool is_last, char out[3])
{
	size_t count = 3;
	uint32_t bits = 0;

	if (is_last && text[3] == '=')
		count = text[2] == '=' ? 1 : 2;
	for (size_t i = 0; i < 4; i++) {
		int value = i > count ? 0 : value_of(text[i]);

		if (value < 0)
			return 0;
		bits = bits << 6 | (uint32_t)value;
	}
	if (bits & ((1u << (3 - count) * 8) - 1))
		return 0;
	for (size_t i = 0; i < count; i++)
		out[i] = (char)(unsigned char)(bits >> (2 - i) * 8);
	return count;
}

bool base64_decode(struct span text, char *out, size_t *len_out)
{
	*len_out = 0;
	if (text.len % 4)
		return false;
	for (size_t i = 0; i < text.len; i += 4) {
		size_t count = decode_group(text.ptr + i, i + 4 == text.len, out + *len_out);

		if (!count)
			return false;
		*len_out += count;
	}
	return true;
}
