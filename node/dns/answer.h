/*
 * dns_answer: what the DNS said to one question: shared by all who asked, counted, and never changed.
 */
#ifndef NODE_DNS_ANSWER_H
#define NODE_DNS_ANSWER_H

#include "skein/proto/base/arena.h"
#include "skein/proto/dns/rdata.h"

#include <stdatomic.h>

struct ub_result;

enum dns_status {
	DNS_OK,
	DNS_NXDOMAIN,
	DNS_NODATA,   /* the name exists, such records do not */
	DNS_SERVFAIL, /* no answer that could be used, and none that failed validation */
	DNS_TIMEOUT,
};

struct dns_answer {
	atomic_uint refs;
	enum dns_status status;
	bool is_secure; /* validated; of NXDOMAIN and NODATA: their absence is proven */
	bool is_bogus;  /* validation failed: DNS_SERVFAIL, with the reason in `why` */
	uint32_t ttl_s;
	const struct span *records; /* data of the asked type, aliases followed; 1.. if DNS_OK, else none */
	size_t count;
	const char *name; /* that the records belong to: at the end of aliases; "" if there are none */
	const char *why;  /* of SERVFAIL and TIMEOUT: a phrase, such as "timed out"; else "" */
	struct arena arena;
};

/* Moves nothing: `result` stays the caller's. */
struct dns_answer *dns_answer_of_result(const struct ub_result *result);
struct dns_answer *dns_answer_of_failure(enum dns_status status, const char *why);
/* Any thread. */
struct dns_answer *dns_answer_ref(struct dns_answer *answer);
void dns_answer_unref(struct dns_answer **answer);

#endif
