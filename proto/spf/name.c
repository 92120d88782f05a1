#include "spf/name_internal.h"

#include "skein/proto/spf/spf.h"

enum { LABEL_LEN_MAX = 63 };

struct span name_without_dot(struct span name)
{
	return name.len && name.ptr[name.len - 1] == '.' ? span_take(name, name.len - 1) : name;
}

static bool is_askable_byte(char c)
{
	/* A backslash begins an escape in the text of names. */
	return c >= ' ' && c <= '~' && c != '\\';
}

bool name_is_askable(struct span name)
{
	size_t label_len = 0;

	if (!name.len || name.len > SPF_NAME_LEN_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (!is_askable_byte(name.ptr[i]))
			return false;
		if (name.ptr[i] == '.' && label_len == 0)
			return false;
		label_len = name.ptr[i] == '.' ? 0 : label_len + 1;
		if (label_len > LABEL_LEN_MAX)
			return false;
	}
	return label_len > 0;
}

/* An address literal: "[192.0.2.1]" has labels, but is no name. */
static bool is_literal(struct span name)
{
	return name.ptr[0] == '[';
}

bool name_is_domain(struct span name)
{
	return name_is_askable(name) && span_find(name, '.') < name.len && !is_literal(name);
}

bool name_is_within(struct span name, struct span domain)
{
	struct span end;

	if (name.len < domain.len)
		return false;
	end = span_drop(name, name.len - domain.len);
	return span_eq_nocase(end, domain) &&
	       (name.len == domain.len || (domain.len && name.ptr[name.len - domain.len - 1] == '.'));
}

struct span name_shorten(struct span name)
{
	while (name.len > SPF_NAME_LEN_MAX) {
		size_t dot = span_find(name, '.');

		if (dot == name.len)
			break;
		name = span_drop(name, dot + 1);
	}
	return name;
}

bool span_is_ascii(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if ((unsigned char)text.ptr[i] >= 0x80)
			return false;
	}
	return true;
}
