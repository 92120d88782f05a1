/*
 * author: the domains that a From field names (RFC 5322 3.6.2), for whoever wants to know in whose name a
 * message speaks. Lenient, as readers of mail are: what is no address is passed over.
 */
#ifndef SKEIN_PROTO_MAIL_AUTHOR_H
#define SKEIN_PROTO_MAIL_AUTHOR_H

#include "skein/proto/base/span.h"

enum { AUTHOR_DOMAINS_MAX = 16, AUTHOR_DOMAIN_MAX = 253 };

struct author_domain {
	char text[AUTHOR_DOMAIN_MAX]; /* lower case */
	size_t len;
};

struct author_domains {
	struct author_domain items[AUTHOR_DOMAINS_MAX];
	size_t count;
};

/*
 * Adds the domains of the mailboxes in a field's value, folded or not, in their order, each once. Address
 * literals are no domains. What does not fit is left out.
 */
void author_domains_add(struct author_domains *domains, struct span value);
/* The domain of local@domain; nothing for the null sender. */
void author_domains_add_address(struct author_domains *domains, struct span address);

static inline struct span author_domain(const struct author_domains *domains, size_t index)
{
	return span_of(domains->items[index].text, domains->items[index].len);
}

#endif
