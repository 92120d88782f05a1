/*
 * dns_record: what was last found of the DNS of the cluster's domains, and what has changed since then; as a
 * text for Redis (JSON, DAILY_TEXT_MAX at most), which skeinctl shows.
 *
 * A check that the DNS did not answer counts as before; only the second time in a row that is what it is
 * now. A domain of which nothing was known counts as ok before.
 */
#ifndef NODE_DAILY_DNS_RECORD_H
#define NODE_DAILY_DNS_RECORD_H

#include "skein/proto/base/buf.h"
#include "skein/proto/dnscheck/dns_check.h"

#include <jansson.h>

enum { DNS_RECORD_DOMAINS_MAX = 200 };

struct dns_record_check {
	enum dns_severity state; /* counts */
	enum dns_severity seen;  /* was found */
};

struct dns_record_domain {
	const char *name;
	struct dns_record_check checks[DNS_TOPIC_COUNT]; /* DNS_CHECK_OK also where nothing was judged */
	json_t *findings;
};

/* All zero bytes is an empty one. */
struct dns_record {
	struct arena arena;
	struct dns_record_domain domains[DNS_RECORD_DOMAINS_MAX];
	size_t count;
};

void dns_record_fini(struct dns_record *record);

/* Text is borrowed during the call. */
struct dns_change {
	const char *domain;
	enum dns_topic topic;
	enum dns_severity from, to;
	const struct dns_finding *finding; /* one that says why; NULL where there is none */
};
typedef void dns_change_fn(void *arg, const struct dns_change *change);
/* Adds what was found now, and tells how it differs from `before`. Nothing once there is no room. */
void dns_record_add(struct dns_record *record, const char *domain, const struct dns_report *report,
	const struct dns_record *before, dns_change_fn *fn, void *arg);

/* Is `to` worse? "unknown" lies between ok and warn. */
bool dns_severity_is_worse(enum dns_severity to, enum dns_severity from);
/* Of the states of its checks. */
enum dns_severity dns_record_worst(const struct dns_record_domain *domain);
/* Something was found to be unknown. */
bool dns_record_has_unknown(const struct dns_record *record);

void dns_record_write(const struct dns_record *record, struct buf *out);
/* Into an empty one. False: it is no such text, and the record stays empty. */
bool dns_record_read(struct dns_record *record, struct span text);

#endif
