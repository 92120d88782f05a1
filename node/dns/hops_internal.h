/* What a search keeps, for hops.c, which asks, and hops_answer.c, which judges. */
#ifndef NODE_DNS_HOPS_INTERNAL_H
#define NODE_DNS_HOPS_INTERNAL_H

#include "dns/hops.h"

enum { FAMILY_V6, FAMILY_V4, FAMILIES };

/* The addresses of one host in one family. */
struct host_lookup {
	struct hops_search *search;
	struct dns_question *question; /* NULL: answered */
	struct dns_answer *answer;
	struct dns_ip given; /* len 0: none; in place of an answer: the host's name is an address */
};

struct hops_search {
	struct hops_request request;
	struct dns_hops *hops; /* the result as it grows; its arena is the search's */
	uint64_t deadline_ms;
	struct dns_question *question; /* MX or SRV; NULL: answered */
	bool is_named_secure; /* the names of the hosts come from secure records, or from the route */
	bool is_looked_up;    /* by MX or SRV: preferences mean something */
	uint32_t ttl_s;       /* the least so far */
	struct mx_choice choice;
	struct host_lookup lookups[MX_HOSTS_MAX][FAMILIES];
	size_t waiting; /* for lookups that are not answered */
	struct loop_task done;
};

/* Sets the outcome; a final one of what a route's author named becomes temporary. */
void hops_fail(struct hops_search *search, struct enhanced_code enhanced, const char *fmt, ...)
	PRINTF_LIKE(3, 4);
/* The same for an answer that is no records. */
void hops_fail_by_answer(struct hops_search *search, const struct dns_answer *answer, const char *what);
/* False: it failed. */
bool hops_take_mx(struct hops_search *search, const struct dns_answer *answer);
bool hops_take_srv(struct hops_search *search, const struct dns_answer *answer);
bool hops_take_implicit(struct hops_search *search);
/* All lookups are answered: makes hops of them, or fails. */
void hops_gather(struct hops_search *search);

#endif
