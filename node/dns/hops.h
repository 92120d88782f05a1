/*
 * dns_hops: where a route's target lies: from its name, or from the recipient's domain, to hosts with their
 * addresses in the order in which they are tried (RFC 5321 5.1).
 *
 * Everything is bounded: MX_HOSTS_MAX hosts, HOP_IPS_MAX addresses of each, one deadline over all questions.
 * A host that cannot be looked up in that time is left out as long as there is another.
 */
#ifndef NODE_DNS_HOPS_H
#define NODE_DNS_HOPS_H

#include "dns/resolver.h"
#include "dns/self.h"
#include "io/random.h"
#include "skein/cluster/route.h"
#include "skein/proto/mail/status.h"

enum { HOP_IPS_MAX = 8 };

struct dns_hop {
	const char *host; /* as the record or the route names it; an address without brackets */
	const char
		*alias; /* what its addresses belong to, at the end of aliases; the host's name without any */
	uint16_t port;
	uint16_t preference;
	struct address addresses[HOP_IPS_MAX]; /* families by turns, IPv6 first */
	size_t address_count;                  /* 1.. */
	bool is_address; /* the name is an address: no name was looked up, and none is to be verified */
	bool has_secure_addresses; /* TLSA records may be asked for (RFC 7672 2.2.2) */
	bool is_named_secure;      /* the MX or SRV records that named it are secure, or their absence */
	bool is_secure;            /* both */
};

enum hops_outcome { HOPS_FOUND, HOPS_TEMPORARY, HOPS_PERMANENT };

struct dns_hops {
	enum hops_outcome outcome;
	struct enhanced_code enhanced; /* unless HOPS_FOUND: such as 5.1.10 */
	const char *why;               /* likewise: a sentence without a dot; printable */
	const char *domain;            /* whose mail it is about, in A-labels */
	struct dns_hop hops[MX_HOSTS_MAX];
	size_t count;     /* 1.. if HOPS_FOUND, else 0 */
	uint64_t keep_ms; /* for how long it holds */
	struct arena arena;
};

struct hops_search;

/* `hops` is moved: dns_hops_free(). */
typedef void hops_fn(void *arg, struct dns_hops *hops);

/* All borrowed during hops_start(), but for `self` and `resolver`, which must outlive the search. */
struct hops_request {
	struct resolver *resolver;
	const struct dns_self *self;
	const struct route_target *target;
	struct span domain; /* of the recipient, as in the envelope: UTF-8, or a literal with its brackets */
	struct loop *loop;  /* of the calling thread */
	struct random *random;
	uint64_t timeout_ms; /* 0: dns.timeout */
	hops_fn *fn;
	void *arg;
};

/*
 * `fn` is called exactly once, later, unless the search is cancelled before; the handle is dead when it
 * begins. What a route's author named is never HOPS_PERMANENT: it is for him to mend, while mail waits.
 */
struct hops_search *hops_start(const struct hops_request *request);
/* Sets the pointer to NULL; NULL is fine. */
void hops_cancel(struct hops_search **search);
void dns_hops_free(struct dns_hops **hops);

#endif
