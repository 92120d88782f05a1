/*
 * dns_self: by which names and addresses this node takes mail itself, so that it does not send any there.
 * Addresses of the host's interfaces are read when it is made.
 */
#ifndef NODE_DNS_SELF_H
#define NODE_DNS_SELF_H

#include "config/settings.h"
#include "io/address.h"
#include "skein/proto/dns/mx.h"

struct dns_self {
	struct mx_self names;
	struct address *listeners; /* 0.0.0.0 and :: stand for all of `interfaces` */
	size_t listener_count;
	struct address *interfaces;
	size_t interface_count;
	struct arena arena;
};

/* node.hostname and listeners. */
struct dns_self *dns_self_new(const struct settings *settings);
void dns_self_free(struct dns_self **self);
bool dns_self_is_at(const struct dns_self *self, const struct address *address);

#endif
