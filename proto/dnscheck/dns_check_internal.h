/* What the topics of a check share: facts, findings and texts. */
#ifndef PROTO_DNSCHECK_DNS_CHECK_INTERNAL_H
#define PROTO_DNSCHECK_DNS_CHECK_INTERNAL_H

#include "skein/proto/dnscheck/dns_check.h"

struct check {
	const struct dns_check_request *request;
	struct dns_facts *facts;
	struct dns_report *report;
	enum dns_topic topic; /* under way */
	size_t told;          /* findings of that topic */
	bool is_waiting;      /* a fact is wanted */
};

/* NULL: it is wanted. */
const struct dns_fact *dns_check_ask(struct check *check, enum dns_fact_kind kind, struct span name);
/* False: it is wanted, or has failed, which is told. */
WARN_UNUSED bool dns_check_get(
	struct check *check, enum dns_fact_kind kind, struct span name, const struct dns_fact **fact_out);
/* Tells that it has failed. */
void dns_check_tell_failed(
	struct check *check, enum dns_fact_kind kind, struct span name, const struct dns_fact *fact);
/* Texts of the finding are in the report's arena, or constant. */
void dns_check_tell(struct check *check, const struct dns_finding *finding);
/* "all is well". */
void dns_check_tell_ok(struct check *check, struct span where, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* In the report's arena. */
struct span dns_check_text(struct check *check, const char *fmt, ...) PRINTF_LIKE(2, 3);
struct span dns_check_keep(struct check *check, struct buf *text); /* frees the buffer */
/* NAME. IN TXT "..." */
struct span dns_check_zone_txt(struct check *check, struct span name, struct span text);
/* NAME. IN A 192.0.2.1, or AAAA */
struct span dns_check_zone_ip(struct check *check, struct span name, const struct dns_ip *ip);
/* All records, one a line. */
struct span dns_check_list(struct check *check, const struct dns_fact *fact);
/* Those of the TXT records that are of this kind, and how many. */
size_t dns_check_filter(
	const struct dns_fact *fact, bool (*is_one)(struct span text), struct span *first_out);
struct span dns_check_list_filtered(
	struct check *check, const struct dns_fact *fact, bool (*is_one)(struct span text));
/* Whether a name has addresses, or one of them: `ip` NULL for any. False: not known yet, or failed. */
WARN_UNUSED bool dns_check_addresses(
	struct check *check, struct span name, const struct dns_ip *ip, bool *has_out);

/* One topic each. */
void dns_check_spf(struct check *check);
void dns_check_dkim(struct check *check);
void dns_check_dmarc(struct check *check);
void dns_check_reverse(struct check *check);
void dns_check_helo(struct check *check);
void dns_check_mx(struct check *check);
void dns_check_mta_sts(struct check *check);
void dns_check_tls_rpt(struct check *check);
void dns_check_dane(struct check *check);

#endif
