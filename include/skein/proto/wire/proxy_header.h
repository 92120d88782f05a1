/*
 * The PROXY protocol header, versions 1 and 2, as a balancer sends it in front of a connection's own bytes
 * (haproxy doc/proxy-protocol.txt). Only for peers that are known balancers: it is what they say, unproven.
 */
#ifndef SKEIN_PROTO_WIRE_PROXY_HEADER_H
#define SKEIN_PROTO_WIRE_PROXY_HEADER_H

#include "skein/proto/base/parse.h"
#include "skein/proto/base/span.h"

/* The longest header that is waited for; a version 2 header that announces more is bad. */
enum { PROXY_HEADER_LEN_MAX = 2048 };

enum proxy_family {
	/* No addresses to speak of: the connection's own ones stand. */
	PROXY_FAMILY_NONE,
	PROXY_FAMILY_IPV4,
	PROXY_FAMILY_IPV6,
};

struct proxy_address {
	uint8_t bytes[16]; /* network order; IPv4 in the first four */
	uint16_t port;
};

struct proxy_header {
	/*
	 * NONE for LOCAL (the balancer itself, such as its health check), UNKNOWN, UNSPEC, and for Unix
	 * sockets and datagrams, which are valid headers that say nothing to a TCP server.
	 */
	enum proxy_family family;
	bool local; /* version 2, LOCAL: the balancer speaks for itself and not for a client */
	struct proxy_address source, destination;
};

/*
 * PARSE_DONE fills *header_out and says how many bytes the header took; what follows is the connection's
 * own. PARSE_MORE and PARSE_BAD touch neither output. Never PARSE_MORE for PROXY_HEADER_LEN_MAX bytes.
 */
enum parse_result proxy_header_parse(struct span in, struct proxy_header *header_out, size_t *consumed_out);

#endif
