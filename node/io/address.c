#include "io/address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>

static bool parse_ip(struct span text, bool v6_wanted, struct address *address)
{
	char ip[INET6_ADDRSTRLEN];

	if (text.len >= sizeof(ip))
		return false;
	memcpy(ip, text.ptr, text.len);
	ip[text.len] = '\0';
	*address = (struct address){ .v6.sin6_family = AF_INET6 };
	if (v6_wanted)
		return inet_pton(AF_INET6, ip, &address->v6.sin6_addr) == 1;
	*address = (struct address){ .v4.sin_family = AF_INET };
	return inet_pton(AF_INET, ip, &address->v4.sin_addr) == 1;
}

/* Splits "ip:port"; `port_out` is empty when there is none. False when the brackets do not match. */
static bool split(struct span text, struct span *ip_out, bool *v6_out, struct span *port_out)
{
	size_t colon = span_find(text, ':');
	size_t close = span_find(text, ']');

	*port_out = span_of(NULL, 0);
	*v6_out = true;
	if (text.len && text.ptr[0] == '[') {
		if (close == text.len)
			return false;
		*ip_out = span_drop(span_take(text, close), 1);
		text = span_drop(text, close + 1);
		if (text.len && text.ptr[0] != ':')
			return false;
		*port_out = text.len ? span_drop(text, 1) : text;
		return !text.len || port_out->len;
	}
	*ip_out = span_take(text, colon);
	if (colon == text.len || span_find(span_drop(text, colon + 1), ':') == text.len - colon - 1) {
		*v6_out = false;
		*port_out = colon == text.len ? *port_out : span_drop(text, colon + 1);
		return colon == text.len || port_out->len;
	}
	*ip_out = text; /* two colons and no brackets: an IPv6 address without a port */
	return true;
}

enum err address_parse(struct span text, uint16_t port_default, struct address *address_out)
{
	struct address address;
	struct span ip, port_text;
	uint64_t port = port_default;
	bool v6;

	if (!split(text, &ip, &v6, &port_text) || !parse_ip(ip, v6, &address))
		return ERR_INVALID;
	if (port_text.len ? !span_parse_u64(port_text, UINT16_MAX, &port) : port_default == 0)
		return ERR_INVALID;
	if (v6)
		address.v6.sin6_port = htons((uint16_t)port);
	else
		address.v4.sin_port = htons((uint16_t)port);
	*address_out = address;
	return ERR_OK;
}

bool address_from_sockaddr(const struct sockaddr *sa, struct address *address_out)
{
	struct address address = { 0 };

	if (sa->sa_family == AF_INET) {
		memcpy(&address.v4, sa, sizeof(address.v4));
	} else if (sa->sa_family == AF_INET6) {
		memcpy(&address.v6, sa, sizeof(address.v6));
		if (IN6_IS_ADDR_V4MAPPED(&address.v6.sin6_addr)) {
			struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = address.v6.sin6_port };

			memcpy(&v4.sin_addr, &address.v6.sin6_addr.s6_addr[12], sizeof(v4.sin_addr));
			address = (struct address){ .v4 = v4 };
		}
	} else {
		return false;
	}
	*address_out = address;
	return true;
}

const char *address_format_ip(const struct address *address, char text_out[ADDRESS_TEXT_SIZE])
{
	const void *ip = address->sa.sa_family == AF_INET6 ? (const void *)&address->v6.sin6_addr
							   : (const void *)&address->v4.sin_addr;

	CHECK(inet_ntop(address->sa.sa_family, ip, text_out, ADDRESS_TEXT_SIZE));
	return text_out;
}

const char *address_format(const struct address *address, char text_out[ADDRESS_TEXT_SIZE])
{
	char ip[ADDRESS_TEXT_SIZE];
	bool v6 = address->sa.sa_family == AF_INET6;

	address_format_ip(address, ip);
	CHECK(snprintf(text_out, ADDRESS_TEXT_SIZE, v6 ? "[%.45s]:%u" : "%.45s:%u", ip,
		      address_port(address)) < ADDRESS_TEXT_SIZE);
	return text_out;
}

uint16_t address_port(const struct address *address)
{
	return ntohs(address->sa.sa_family == AF_INET6 ? address->v6.sin6_port : address->v4.sin_port);
}

socklen_t address_len(const struct address *address)
{
	return address->sa.sa_family == AF_INET6 ? sizeof(address->v6) : sizeof(address->v4);
}
