/*
 * dns_check: whether a domain's DNS is as mail that the cluster sends for it needs it: findings, each with
 * what to publish instead. Pure: facts in, findings out.
 *
 *     while (!dns_check_run(&request, facts, &report))
 *             look up what dns_facts_wanted() gives, and dns_facts_put() it
 */
#ifndef SKEIN_PROTO_DNSCHECK_DNS_CHECK_H
#define SKEIN_PROTO_DNSCHECK_DNS_CHECK_H

#include "skein/proto/dkim/key.h"
#include "skein/proto/dns/rdata.h"
#include "skein/proto/dnscheck/dns_facts.h"

enum {
	DNS_CHECK_EGRESS_MAX = 64,
	DNS_CHECK_KEYS_MAX = 16,
	DNS_CHECK_MX_MAX = 32, /* hosts that are looked at */
	DNS_FINDINGS_MAX = 512,
};

enum dns_topic {
	DNS_TOPIC_SPF,
	DNS_TOPIC_DKIM,
	DNS_TOPIC_DMARC,
	DNS_TOPIC_REVERSE,
	DNS_TOPIC_HELO,
	DNS_TOPIC_MX,
	DNS_TOPIC_MTA_STS,
	DNS_TOPIC_TLS_RPT,
	DNS_TOPIC_DANE,
	DNS_TOPIC_COUNT,
};

/* "spf", "mta-sts" */
const char *dns_topic_name(enum dns_topic topic);

enum dns_severity {
	DNS_CHECK_OK,
	DNS_CHECK_WARN,    /* mail flows; it should be better */
	DNS_CHECK_FAIL,    /* mail is refused or lost, or what is published means nothing */
	DNS_CHECK_UNKNOWN, /* the DNS did not say */
};

/* "ok", "warn", "fail", "unknown" */
const char *dns_severity_name(enum dns_severity severity);

/* A key that signs for the domain. */
struct dns_check_key {
	struct span domain, selector; /* d=, s= */
	const struct dkim_key *key;   /* NULL: not known; then whether its record is of it is not judged */
};

/* Borrowed during dns_check_run(). Names are in A-labels. */
struct dns_check_request {
	struct span domain;          /* of senders; without a dot at its end */
	const struct dns_ip *egress; /* addresses that the cluster sends from; none: they are not known */
	size_t egress_count;         /* at most DNS_CHECK_EGRESS_MAX */
	struct span helo;            /* "": not known */
	const struct dns_check_key *keys;
	size_t key_count;  /* at most DNS_CHECK_KEYS_MAX */
	bool can_validate; /* facts can be secure: there is a trust anchor */
};

/* Spans live in the report's arena. They quote the DNS, byte for byte: whoever shows them escapes them. */
struct dns_finding {
	enum dns_topic topic;
	enum dns_severity severity;
	struct span where;   /* a record's name, or a URL */
	struct span what;    /* a sentence without a dot */
	struct span found;   /* what is there; "": nothing, or it says no more than `what` */
	struct span publish; /* lines of a zone file, or of the file at the URL; "": there is no such cure */
};

/* All zero bytes is an empty one. */
struct dns_report {
	struct arena arena;
	struct dns_finding findings[DNS_FINDINGS_MAX];
	size_t count;
};

void dns_report_fini(struct dns_report *report);
/* What is worst in it; DNS_CHECK_UNKNOWN counts between ok and warn. */
enum dns_severity dns_report_worst(const struct dns_report *report);

/*
 * Fills the report anew. False: facts are wanted, and the report means nothing. Topics come in their order;
 * one that was judged has a finding at least, one of which nothing is known (no egress, no helo) has none.
 */
bool dns_check_run(
	const struct dns_check_request *request, struct dns_facts *facts, struct dns_report *report_out);

/* "192.0.2.1"; "2001:db8::1" */
void dns_check_append_ip(const struct dns_ip *ip, struct buf *out);

#endif
