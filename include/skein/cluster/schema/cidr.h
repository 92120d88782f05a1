/*
 * cidr: networks as operators write them, and the question whether an address lies in one of them.
 *
 * IPv4 and IPv6 are kept apart: ::/0 is every IPv6 address and no IPv4 one. The one bridge is the mapped
 * form:
 * ::ffff:a.b.c.d is the IPv4 address a.b.c.d, in a network and in an address alike, so a dual-stack socket
 * and an IPv4 one give the same answer.
 */
#ifndef SKEIN_CLUSTER_SCHEMA_CIDR_H
#define SKEIN_CLUSTER_SCHEMA_CIDR_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

struct sockaddr;

struct cidr {
	unsigned char bytes[16]; /* IPv4 uses the first four; bits beyond the prefix are zero */
	unsigned char prefix;
	bool is_v6;
};

struct cidr_list {
	const struct cidr *items;
	size_t count;
};

enum { CIDR_TEXT_LEN = 49 };

struct cidr_text {
	char text[CIDR_TEXT_LEN + 1]; /* NUL-terminated */
};

/*
 * "10.0.0.0/8", "2001:db8::/32", or a bare address for that address alone. NULL when fine; otherwise a
 * constant phrase that says what is wrong. Bits set beyond the prefix are an error: they are a typing error
 * more often than an intention.
 */
const char *cidr_parse(struct span text, struct cidr *cidr_out) WARN_UNUSED;
struct cidr_text cidr_format(const struct cidr *cidr);
/* Addresses that are neither AF_INET nor AF_INET6 lie in no network. */
bool cidr_contains(const struct cidr *cidr, const struct sockaddr *addr);
/* The address alone, as a network. False: it is neither AF_INET nor AF_INET6. */
bool cidr_of_address(const struct sockaddr *addr, struct cidr *cidr_out) WARN_UNUSED;
/* True when any of them contains the address: an empty list contains nothing. */
bool cidr_list_contains(const struct cidr_list *list, const struct sockaddr *addr);

#endif
