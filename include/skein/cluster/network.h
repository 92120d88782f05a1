/*
 * network: addresses and networks as keys: sixteen bytes and a prefix. IPv4 lies in ::ffff:0:0/96, so that a
 * client has one key whatever socket it came by. An address is a network of 128 bits.
 */
#ifndef SKEIN_CLUSTER_NETWORK_H
#define SKEIN_CLUSTER_NETWORK_H

#include "skein/cluster/schema/cidr.h"

struct network {
	unsigned char bytes[16]; /* zero beyond the prefix */
	unsigned char prefix;    /* 0..128; IPv4: 96 more than its own */
};

enum { NETWORK_TEXT_LEN = 49, NETWORK_KEY_LEN = 17, NETWORK_V4 = 96 };
_Static_assert(sizeof(struct network) == NETWORK_KEY_LEN, "a network is its key");

/* "10.0.0.1", "10.0.0.0/8", "2001:db8::/32". False: neither, or bits are set beyond the prefix. */
WARN_UNUSED bool network_parse(struct span text, struct network *network_out);
/* NUL-terminated; a single address has no prefix. Reads as network_parse() takes it. */
void network_format(const struct network *network, char text[NETWORK_TEXT_LEN + 1]);

struct network network_of_cidr(const struct cidr *cidr);
/* False: it is neither AF_INET nor AF_INET6. */
WARN_UNUSED bool network_of_address(const struct sockaddr *address, struct network *network_out);

/* The network of the first `prefix` bits: at most as many as it has. */
struct network network_widen(const struct network *network, unsigned prefix);
bool network_contains(const struct network *wide, const struct network *narrow);
bool network_is_v4(const struct network *network);
/* Who counts as one client: IPv4 /32, IPv6 /64. */
struct network network_client(const struct network *address);
/* What one customer has, and what is counted as one attacker's: IPv4 /24, IPv6 /64. */
struct network network_neighbours(const struct network *address);
/* For a table: borrowed from `network`. */
struct span network_key(const struct network *network);

#endif
