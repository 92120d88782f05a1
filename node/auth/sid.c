#include "auth/sid.h"

#include <stdio.h>

enum { SID_HEAD = 8, SID_PARTS_MAX = 15 };

bool sid_from_bytes(struct span bytes, struct sid *sid_out)
{
	if (bytes.len < SID_HEAD || bytes.ptr[0] != 1 || (uint8_t)bytes.ptr[1] > SID_PARTS_MAX ||
		bytes.len != SID_HEAD + 4 * (size_t)bytes.ptr[1])
		return false;
	memcpy(sid_out->bytes, bytes.ptr, bytes.len);
	sid_out->len = bytes.len;
	return true;
}

/* The next decimal number and the '-' before it. */
static bool take_number(struct span *text, uint64_t max, uint64_t *number_out)
{
	size_t end;

	if (text->len < 2 || text->ptr[0] != '-')
		return false;
	*text = span_drop(*text, 1);
	end = span_find(*text, '-');
	if (!span_parse_u64(span_take(*text, end), max, number_out))
		return false;
	*text = span_drop(*text, end);
	return true;
}

bool sid_from_text(struct span text, struct sid *sid_out)
{
	uint64_t revision, authority, part;
	struct sid sid = { .len = SID_HEAD };

	if (!span_starts_with_nocase(text, SPAN_LIT("S-")))
		return false;
	text = span_drop(text, 1);
	if (!take_number(&text, 1, &revision) || revision != 1 ||
		!take_number(&text, (1ull << 48) - 1, &authority))
		return false;
	sid.bytes[0] = 1;
	for (unsigned i = 0; i < 6; i++)
		sid.bytes[2 + i] = (uint8_t)(authority >> (40 - 8 * i));
	while (text.len) {
		if (sid.bytes[1] == SID_PARTS_MAX || !take_number(&text, UINT32_MAX, &part))
			return false;
		sid.bytes[1]++;
		for (unsigned i = 0; i < 4; i++)
			sid.bytes[sid.len++] = (uint8_t)(part >> (8 * i));
	}
	*sid_out = sid;
	return sid.bytes[1] > 0;
}

void sid_format(const struct sid *sid, char text_out[SID_TEXT_SIZE])
{
	uint64_t authority = 0;
	int len;

	for (unsigned i = 0; i < 6; i++)
		authority = authority << 8 | sid->bytes[2 + i];
	len = snprintf(text_out, SID_TEXT_SIZE, "S-1-%llu", (unsigned long long)authority);
	for (size_t at = SID_HEAD; at + 4 <= sid->len; at += 4) {
		const uint8_t *part = sid->bytes + at;

		len += snprintf(text_out + len, SID_TEXT_SIZE - (size_t)len, "-%u",
			part[0] | (unsigned)part[1] << 8 | (unsigned)part[2] << 16 | (unsigned)part[3] << 24);
	}
}
