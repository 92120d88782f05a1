/*
 * address_search: the addresses of one host, by our resolver: IPv6 and IPv4 asked at once. For clients that
 * go to a host by its name alone; who relays mail asks more (dns/hops.h).
 */
#ifndef NODE_DNS_ADDRESS_SEARCH_H
#define NODE_DNS_ADDRESS_SEARCH_H

#include "dns/resolver.h"
#include "io/address.h"

struct address_search;

enum { ADDRESSES_MAX = 8 };

struct address_list {
	struct address items[ADDRESSES_MAX]; /* IPv6 first */
	size_t count;
};

/* `why` is a phrase when there is none, printable. Both are borrowed. */
typedef void address_search_fn(void *arg, const struct address_list *found, const char *why);

/* Borrowed during address_search_start(). */
struct address_request {
	struct loop *loop;
	struct resolver *resolver;
	const char *host; /* a name, or an address as address_parse() takes it */
	uint16_t port;
	address_search_fn *fn;
	void *arg;
};

/* `fn` is called exactly once, later, unless the search is cancelled before; the handle is dead when it
 * begins. */
struct address_search *address_search_start(const struct address_request *request);
/* Sets the pointer to NULL; NULL is fine. */
void address_search_cancel(struct address_search **search);

#endif
