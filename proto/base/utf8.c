#include "skein/proto/base/utf8.h"

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

bool utf8_is_valid(struct span text)
{
	const unsigned char *bytes = (const unsigned char *)text.ptr;
	unsigned char low, high;

	for (size_t i = 0; i < text.len;) {
		size_t len = utf8_sequence(bytes[i], &low, &high);

		if (!len || text.len - i < len)
			return false;
		if (len > 1 && (bytes[i + 1] < low || bytes[i + 1] > high))
			return false;
		for (size_t k = 2; k < len; k++) {
			if ((bytes[i + k] & 0xc0) != 0x80)
				return false;
		}
		i += len;
	}
	return true;
}
