#include "skein/proto/base/utf8.h"

#include "skein/proto/base/check.h"

/* Length of the sequence that `lead` begins and the range its second byte must be in; 0: not a lead byte. */
static size_t utf8_sequence(unsigned char lead, unsigned char *low_out, unsigned char *high_out)
{
	*low_out = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
	*high_out = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
	if (lead < 0x80)
		return 1;
	if (lead < 0xc2)
		return 0;
	return lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf5 ? 4 : 0;
}

size_t utf8_next(struct span text, uint32_t *code_out)
{
	const unsigned char *bytes = (const unsigned char *)text.ptr;
	unsigned char low, high;
	size_t len = utf8_sequence(bytes[0], &low, &high);
	uint32_t code = len == 1 ? bytes[0] : bytes[0] & (0x7fu >> len);

	if (!len || text.len < len || (len > 1 && (bytes[1] < low || bytes[1] > high)))
		return 0;
	for (size_t i = 1; i < len; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (bytes[i] & 0x3f);
	}
	*code_out = code;
	return len;
}

bool utf8_is_valid(struct span text)
{
	uint32_t code;

	while (text.len) {
		size_t len = utf8_next(text, &code);

		if (!len)
			return false;
		text = span_drop(text, len);
	}
	return true;
}

bool utf8_is_unseen(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} ranges[] = { { 0, 0x1f }, { 0x7f, 0x9f }, { 0x61c, 0x61c }, { 0x200b, 0x200f }, { 0x2028, 0x202e },
		{ 0x2060, 0x206f }, { 0xfeff, 0xfeff } };

	for (size_t i = 0; i < ARRAY_LEN(ranges); i++)
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	return false;
}
