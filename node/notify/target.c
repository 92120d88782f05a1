#include "notify/target.h"

#include "io/address.h"

static const struct {
	const char *name;
	uint16_t port;
} kinds[] = {
	[TARGET_HTTP] = { "http", 80 },
	[TARGET_HTTPS] = { "https", 443 },
	[TARGET_UDP] = { "udp", 514 },
	[TARGET_TCP] = { "tcp", 601 },
	[TARGET_TLS] = { "tls", 6514 },
};

const char *target_kind_name(enum target_kind kind)
{
	return kinds[kind].name;
}

/* Takes "SCHEME://" off the front. */
static bool take_kind(struct span *rest, enum target_kind *kind_out)
{
	struct span name = span_take(*rest, span_find(*rest, ':'));

	for (unsigned i = 0; i < ARRAY_LEN(kinds); i++) {
		if (!span_eq_nocase(span_of_str(kinds[i].name), name))
			continue;
		*kind_out = (enum target_kind)i;
		*rest = span_drop(*rest, name.len);
		if (!span_starts_with(*rest, SPAN_LIT("://")))
			return false;
		*rest = span_drop(*rest, 3);
		return true;
	}
	return false;
}

static bool is_name(struct span host)
{
	for (size_t i = 0; i < host.len; i++) {
		char c = ascii_lower(host.ptr[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '.' && c != '-' && c != '_')
			return false;
	}
	return host.len > 0;
}

static bool is_v6(struct span host)
{
	struct address address;

	return span_find(host, ':') < host.len && address_parse(host, 1, &address) == ERR_OK;
}

/* "[ADDRESS]" or a name, off the front. */
static bool take_host(struct span *rest, struct target *target)
{
	bool has_brackets = rest->len && rest->ptr[0] == '[';
	struct span inside = span_drop(*rest, has_brackets);
	struct span host = span_take(inside, span_find(inside, has_brackets ? ']' : ':'));

	if (host.len > TARGET_HOST_MAX ||
		(has_brackets ? !is_v6(host) || host.len == inside.len : !is_name(host)))
		return false;
	memcpy(target->host, host.ptr, host.len);
	target->host[host.len] = '\0';
	*rest = span_drop(inside, host.len + has_brackets);
	return true;
}

static const char *take_port(struct span rest, struct target *target)
{
	uint64_t port = kinds[target->kind].port;

	if (rest.len && (rest.ptr[0] != ':' || !span_parse_u64(span_drop(rest, 1), 65535, &port) || !port))
		return "its port is no number from 1 to 65535";
	target->port = (uint16_t)port;
	return NULL;
}

const char *target_parse(const char *url, struct target *target_out)
{
	struct span rest = span_of_str(url), path;
	size_t end = 0;

	if (rest.len > TARGET_URL_MAX)
		return "it is longer than 2048 characters";
	for (size_t i = 0; i < rest.len; i++)
		if (rest.ptr[i] <= ' ' || rest.ptr[i] > '~')
			return "it has a character that no URL has";
	if (!take_kind(&rest, &target_out->kind))
		return "it begins with none of http://, https://, udp://, tcp://, tls://";
	while (end < rest.len && rest.ptr[end] != '/' && rest.ptr[end] != '?' && rest.ptr[end] != '#')
		end++;
	path = span_drop(rest, end);
	rest = span_take(rest, end);
	if (span_find(rest, '@') < rest.len)
		return "it has a user or password, which belongs into a secret";
	if (!target_is_web(target_out) && path.len && !span_eq(path, SPAN_LIT("/")))
		return "syslog has no path behind host and port";
	if (!take_host(&rest, target_out))
		return "it has no host";
	return take_port(rest, target_out);
}
