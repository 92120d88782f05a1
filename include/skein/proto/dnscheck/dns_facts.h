/*
 * dns_facts: what is known of the DNS, and what is wanted. Who judges asks for a fact; what is not there is
 * noted, and the judge goes on without it as far as it can. The caller looks all that is wanted up, at once
 * if it likes, and lets the judge begin anew, until nothing is wanted any more.
 */
#ifndef SKEIN_PROTO_DNSCHECK_DNS_FACTS_H
#define SKEIN_PROTO_DNSCHECK_DNS_FACTS_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"
#include "skein/proto/dns/rdata.h"

enum { DNS_FACTS_MAX = 2000 }; /* questions; what is more has failed */

enum dns_fact_kind {
	DNS_FACT_TXT,
	DNS_FACT_A,
	DNS_FACT_AAAA,
	DNS_FACT_MX,
	DNS_FACT_PTR,
	DNS_FACT_TLSA,
	DNS_FACT_POLICY, /* of MTA-STS, by HTTPS; the name is the domain */
};

/* "TXT" */
const char *dns_fact_kind_name(enum dns_fact_kind kind);

enum dns_fact_status {
	DNS_FACT_RECORDS,
	DNS_FACT_NO_DATA, /* RECORDS without a record is the same */
	DNS_FACT_NXDOMAIN,
	DNS_FACT_FAILED, /* time out, SERVFAIL, bogus and all else */
};

/*
 * Records are of the asked type only, aliases followed. TXT: the text, its strings joined. A and AAAA: 4 and
 * 16 bytes. MX: names of hosts, best first, "." of a null MX. PTR: names. TLSA: the record's data. POLICY:
 * one, the text.
 */
struct dns_fact {
	enum dns_fact_status status;
	bool is_secure;  /* validated by DNSSEC */
	bool is_bogus;   /* of FAILED: validation did not succeed */
	const char *why; /* of FAILED: a phrase; else NULL */
	const struct span *records;
	size_t count;
};

struct dns_wanted {
	enum dns_fact_kind kind;
	struct span name; /* without a dot at its end */
};

/* What to ask the DNS for; not of POLICY. */
enum dns_type dns_fact_type(enum dns_fact_kind kind);

struct dns_facts;

struct dns_facts *dns_facts_new(void);
void dns_facts_free(struct dns_facts **facts);

/* Lives as long as the facts. NULL: it is not there, and is wanted from now on. */
const struct dns_fact *dns_facts_get(struct dns_facts *facts, enum dns_fact_kind kind, struct span name);
/* The first of those that are wanted, from *index on, which is moved behind it. False: there is none. */
bool dns_facts_wanted(const struct dns_facts *facts, size_t *index, struct dns_wanted *wanted_out);
/* Of a question that is wanted. Copies; records of all kinds but MX are put in an order of ours. */
void dns_facts_put(struct dns_facts *facts, const struct dns_wanted *question, const struct dns_fact *fact);

#endif
