#include "skein/proto/dns/name.h"

/* Writes one byte of a label. */
static char *put_byte(char *out, unsigned char byte)
{
	if (byte <= ' ' || byte > '~') {
		*out++ = '\\';
		*out++ = (char)('0' + byte / 100);
		*out++ = (char)('0' + byte / 10 % 10);
		*out++ = (char)('0' + byte % 10);
		return out;
	}
	/* What zone files and resolvers give a meaning. */
	if (strchr(".\\\"();@$", byte))
		*out++ = '\\';
	*out++ = (char)byte;
	return out;
}

bool dns_name_take(struct span *rest, struct arena *arena, const char **name_out)
{
	char text[DNS_NAME_TEXT_MAX + 1], *out = text;
	size_t wire_len = 0;

	while (true) {
		size_t len;

		if (!rest->len)
			return false;
		len = (unsigned char)rest->ptr[0];
		wire_len += len + 1;
		if (len > DNS_LABEL_MAX || wire_len > DNS_NAME_WIRE_MAX || len >= rest->len)
			return false;
		if (len && out != text)
			*out++ = '.';
		for (size_t i = 1; i <= len; i++)
			out = put_byte(out, (unsigned char)rest->ptr[i]);
		*rest = span_drop(*rest, len + 1);
		if (!len)
			break;
	}
	if (out == text)
		*out++ = '.';
	*name_out = arena_strdup(arena, span_of(text, (size_t)(out - text)));
	return true;
}

static bool is_host_byte(char byte)
{
	return (byte >= '0' && byte <= '9') || (ascii_lower(byte) >= 'a' && ascii_lower(byte) <= 'z') ||
	       byte == '-' || byte == '_';
}

bool dns_name_is_host(struct span name)
{
	size_t label_len = 0;

	name = dns_name_without_dot(name);
	if (name.len > DNS_HOST_MAX)
		return false;
	for (size_t i = 0; i < name.len; i++) {
		if (name.ptr[i] == '.') {
			if (!label_len)
				return false;
			label_len = 0;
		} else if (!is_host_byte(name.ptr[i]) || ++label_len > DNS_LABEL_MAX) {
			return false;
		}
	}
	return label_len > 0;
}

bool dns_name_eq(struct span a, struct span b)
{
	return span_eq_nocase(dns_name_without_dot(a), dns_name_without_dot(b));
}

struct span dns_name_without_dot(struct span name)
{
	return name.len > 1 && name.ptr[name.len - 1] == '.' ? span_take(name, name.len - 1) : name;
}
