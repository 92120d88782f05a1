/*
 * tlsa: what the DNS says about the certificate of one hop (RFC 6698, by the rules of RFC 7672 for SMTP).
 */
#ifndef NODE_DNS_TLSA_H
#define NODE_DNS_TLSA_H

#include "dns/hops.h"

enum { TLSA_RECORDS_MAX = 64 };

enum tlsa_outcome {
	TLSA_NONE,     /* DANE does not apply: there are none, or the way there is not secure */
	TLSA_USABLE,   /* TLS, and a certificate that one of them names */
	TLSA_UNUSABLE, /* there are some, none of which we can use: TLS, and any certificate (RFC 7672 2.2.3)
			*/
	TLSA_FAILED,   /* it is not known whether there are any: mail waits (RFC 7672 2.1.2) */
};

struct tlsa_set {
	enum tlsa_outcome outcome;
	const char *base; /* the host's name that they are for: what TLS asks the server for; "" if NONE,
			     FAILED */
	struct dns_tlsa records[TLSA_RECORDS_MAX]; /* usable ones */
	size_t count;
	const char *why; /* of FAILED; else "" */
	uint64_t keep_ms;
	struct arena arena;
};

struct tlsa_search;

/* `set` is moved: tlsa_set_free(). */
typedef void tlsa_fn(void *arg, struct tlsa_set *set);

struct tlsa_request {
	struct resolver *resolver;
	struct loop *loop;         /* of the calling thread */
	const struct dns_hop *hop; /* borrowed during tlsa_start() */
	uint64_t timeout_ms;       /* of each of at most two questions; 0: dns.timeout */
	tlsa_fn *fn;
	void *arg;
};

/*
 * `fn` is called exactly once, later, unless the search is cancelled before; the handle is dead when it
 * begins. A hop behind an alias is looked up by the name at its end first, then by its own; only if all of
 * the alias is secure, though RFC 7672 2.2.2 allows some others.
 */
struct tlsa_search *tlsa_start(const struct tlsa_request *request);
/* Sets the pointer to NULL; NULL is fine. */
void tlsa_cancel(struct tlsa_search **search);
void tlsa_set_free(struct tlsa_set **set);

#endif
