/*
 * dns_lookup: questions to the DNS, many at once, by libunbound, which follows aliases and validates. Blocks:
 * for skeinctl only.
 */
#ifndef CTL_DNS_LOOKUP_H
#define CTL_DNS_LOOKUP_H

#include "skein/proto/base/buf.h"
#include "skein/proto/dnscheck/dns_facts.h"

struct dns_lookup_options {
	const char *server;       /* HOST:PORT; NULL: those of /etc/resolv.conf */
	const char *trust_anchor; /* a file with DS or DNSKEY records; NULL: nothing is validated */
};

struct dns_lookup;

/* NULL: one line in `why_out`. */
struct dns_lookup *dns_lookup_new(const struct dns_lookup_options *options, struct buf *why_out);
void dns_lookup_free(struct dns_lookup **lookup);
/*
 * Answers all that is wanted but policies, until `deadline_ms` of session_now_ms(); what has no answer then
 * has failed. False: nothing was wanted.
 */
bool dns_lookup_run(struct dns_lookup *lookup, struct dns_facts *facts, uint64_t deadline_ms);

#endif
