/*
 * address: an IP address and port as text and as a sockaddr. No names are resolved here.
 */
#ifndef SKEIN_NODE_IO_ADDRESS_H
#define SKEIN_NODE_IO_ADDRESS_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/err.h"
#include "skein/proto/base/span.h"

#include <netinet/in.h>
#include <sys/socket.h>

/* "[" + IPv6 + "]:" + port + NUL */
#define ADDRESS_TEXT_SIZE 64

struct address {
	union {
		struct sockaddr sa;
		struct sockaddr_in v4;
		struct sockaddr_in6 v6;
	};
};

/*
 * "192.0.2.1:25", "[2001:db8::1]:25", or either without the port when `port_default` is not 0 (an IPv6
 * address may then come without brackets too). ERR_INVALID leaves *address_out alone.
 */
WARN_UNUSED enum err address_parse(struct span text, uint16_t port_default, struct address *address_out);
/* False unless `sa` is IPv4 or IPv6. An IPv4 address mapped into IPv6 becomes plain IPv4. */
bool address_from_sockaddr(const struct sockaddr *sa, struct address *address_out);
/* As address_parse() takes it; returns `text_out`. */
const char *address_format(const struct address *address, char text_out[ADDRESS_TEXT_SIZE]);
/* The same without the port and the brackets. */
const char *address_format_ip(const struct address *address, char text_out[ADDRESS_TEXT_SIZE]);
uint16_t address_port(const struct address *address);
socklen_t address_len(const struct address *address);

#endif
