#include "skein/proto/base/span.h"

bool span_eq_nocase(struct span a, struct span b)
{
	if (a.len != b.len)
		return false;
	for (size_t i = 0; i < a.len; i++) {
		if (ascii_lower(a.ptr[i]) != ascii_lower(b.ptr[i]))
			return false;
	}
	return true;
}

bool span_starts_with(struct span span, struct span prefix)
{
	return span.len >= prefix.len && span_eq(span_take(span, prefix.len), prefix);
}

bool span_starts_with_nocase(struct span span, struct span prefix)
{
	return span.len >= prefix.len && span_eq_nocase(span_take(span, prefix.len), prefix);
}

size_t span_find(struct span span, char byte)
{
	const char *found = span.len ? memchr(span.ptr, byte, span.len) : NULL;

	return found ? (size_t)(found - span.ptr) : span.len;
}

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

struct span span_trim(struct span span)
{
	while (span.len && is_blank(span.ptr[0]))
		span = span_drop(span, 1);
	while (span.len && is_blank(span.ptr[span.len - 1]))
		span.len--;
	return span;
}

bool span_parse_u64(struct span span, uint64_t max, uint64_t *value_out)
{
	uint64_t value = 0;

	if (!span.len)
		return false;
	for (size_t i = 0; i < span.len; i++) {
		unsigned digit = (unsigned)(unsigned char)span.ptr[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
	}
	if (value > max)
		return false;
	*value_out = value;
	return true;
}
