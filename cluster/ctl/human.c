#include "human.h"

void human_duration(struct buf *out, uint64_t ms)
{
	static const struct {
		uint64_t seconds;
		char unit;
	} units[] = { { 86400, 'd' }, { 3600, 'h' }, { 60, 'm' }, { 1, 's' } };
	uint64_t left = ms / 1000;
	size_t first = 0;

	while (first < ARRAY_LEN(units) - 1 && left < units[first].seconds)
		first++;
	buf_append_u64(out, left / units[first].seconds);
	buf_append_byte(out, units[first].unit);
	left %= units[first].seconds;
	if (first == ARRAY_LEN(units) - 1)
		return;
	left /= units[first + 1].seconds;
	if (left)
		buf_printf(out, " %llu%c", (unsigned long long)left, units[first + 1].unit);
}

void human_bytes(struct buf *out, uint64_t bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB", "PiB" };
	double value = (double)bytes;
	size_t unit = 0;

	while (value >= 1024 && unit < ARRAY_LEN(units) - 1) {
		value /= 1024;
		unit++;
	}
	buf_printf(out, unit ? "%.1f %s" : "%.0f %s", value, units[unit]);
}

void human_count(struct buf *out, uint64_t count, const char *noun)
{
	buf_printf(out, "%llu %s%s", (unsigned long long)count, noun, count == 1 ? "" : "s");
}

static size_t utf8_len(unsigned char first)
{
	if (first < 0x80)
		return 1;
	if (first < 0xc2 || first > 0xf4)
		return 0;
	return first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

size_t human_utf8(struct span text, uint32_t *code_out)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	unsigned char first = (unsigned char)text.ptr[0];
	size_t len = utf8_len(first);
	uint32_t code = len == 1 ? first : first & (0x7fu >> len);

	if (len == 0 || text.len < len)
		return 0;
	for (size_t i = 1; i < len; i++) {
		unsigned char next = (unsigned char)text.ptr[i];

		if ((next & 0xc0) != 0x80)
			return 0;
		code = code << 6 | (next & 0x3f);
	}
	*code_out = code;
	return code >= lowest[len] && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff) ? len : 0;
}

/* C0, DEL and C1 steer terminals; the others turn the direction of writing or are invisible. */
static bool is_harmful(uint32_t code)
{
	return code < 0x20 || (code >= 0x7f && code < 0xa0) || (code >= 0x200b && code <= 0x200f) ||
	       (code >= 0x2028 && code <= 0x202e) || (code >= 0x2066 && code <= 0x2069) || code == 0xfeff;
}

void human_text(struct buf *out, struct span text)
{
	while (text.len) {
		uint32_t code = 0;
		size_t len = human_utf8(text, &code);

		if (len == 0 || is_harmful(code))
			buf_append_byte(out, '?');
		else
			buf_append(out, span_take(text, len));
		text = span_drop(text, len ? len : 1);
	}
}
