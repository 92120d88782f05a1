/* What the domain says about TLS on the way to it: MTA-STS, TLS-RPT, DANE. All are optional, and must fit. */
#include "dnscheck/dns_check_internal.h"

#include "skein/proto/dns/name.h"
#include "skein/proto/wire/mta_sts.h"
#include "skein/proto/wire/tls_rpt.h"

enum { AGE_MIN_S = 86400 };

static void tell(struct check *check, enum dns_severity severity, struct span where, struct span what,
	struct dns_finding texts)
{
	texts.severity = severity;
	texts.where = where;
	texts.what = what;
	texts.found = arena_dup(&check->report->arena, texts.found);
	dns_check_tell(check, &texts);
}

/* The hosts of the domain. NULL: wanted, failed (which another topic tells), or there are none. */
static const struct dns_fact *get_hosts(struct check *check)
{
	const struct dns_fact *hosts = dns_check_ask(check, DNS_FACT_MX, check->request->domain);

	return hosts && hosts->status == DNS_FACT_RECORDS ? hosts : NULL;
}

/* --- MTA-STS ------------------------------------------------------------------------------------- */

static struct span policy_url(struct check *check)
{
	return dns_check_text(
		check, "https://mta-sts.%.*s/.well-known/mta-sts.txt", SPAN_ARGS(check->request->domain));
}

static struct span policy_text(struct check *check, enum mta_sts_mode mode, uint32_t max_age_s)
{
	const struct dns_fact *hosts = get_hosts(check);
	struct buf text = { 0 };

	buf_printf(&text, "version: STSv1\nmode: %s\n", mta_sts_mode_name(mode));
	for (size_t i = 0; hosts && i < hosts->count && i < DNS_CHECK_MX_MAX; i++)
		if (dns_name_is_host(hosts->records[i]))
			buf_printf(&text, "mx: %.*s\n", SPAN_ARGS(dns_name_without_dot(hosts->records[i])));
	buf_printf(&text, "max_age: %u\n", max_age_s);
	return dns_check_keep(check, &text);
}

static void tell_policy(struct check *check, enum dns_severity severity, struct span what, struct span found,
	struct span publish)
{
	tell(check, severity, policy_url(check), what,
		(struct dns_finding){ .found = found, .publish = publish });
}

/* Hosts that mail may not go to, by the policy. */
static void check_hosts(struct check *check, const struct mta_sts_policy *policy, struct span text)
{
	const struct dns_fact *hosts = get_hosts(check);
	struct buf missing = { 0 };

	for (size_t i = 0; hosts && i < hosts->count && i < DNS_CHECK_MX_MAX; i++)
		if (dns_name_is_host(hosts->records[i]) && !mta_sts_policy_has(policy, hosts->records[i]))
			buf_printf(&missing, "%s%.*s", buf_len(&missing) ? ", " : "",
				SPAN_ARGS(dns_name_without_dot(hosts->records[i])));
	if (buf_len(&missing))
		tell_policy(check, policy->mode == MTA_STS_ENFORCE ? DNS_CHECK_FAIL : DNS_CHECK_WARN,
			dns_check_text(check,
				"the policy has no mx for %.*s: mail is not sent there. Give the record "
				"another id "
				"too",
				SPAN_ARGS(buf_span(&missing))),
			text, policy_text(check, policy->mode, policy->max_age_s));
	buf_fini(&missing);
}

static void judge_policy(struct check *check, const struct mta_sts_policy *policy, struct span text)
{
	if (policy->mode != MTA_STS_NONE)
		check_hosts(check, policy, text);
	if (policy->mode == MTA_STS_TESTING)
		tell_policy(check, DNS_CHECK_WARN,
			SPAN_LIT("the mode is testing: it protects nothing. When reports show that TLS "
				 "works, say "
				 "enforce, and give the record another id"),
			text, policy_text(check, MTA_STS_ENFORCE, policy->max_age_s));
	if (policy->mode != MTA_STS_NONE && policy->max_age_s < AGE_MIN_S)
		tell_policy(check, DNS_CHECK_WARN,
			dns_check_text(check,
				"it counts for %u seconds only (max_age): weeks are wanted, or who blocks "
				"one fetch "
				"ends it",
				policy->max_age_s),
			text, policy_text(check, policy->mode, 7 * 86400));
	if (!check->told)
		dns_check_tell_ok(check, policy_url(check), "the policy is %s and fits the MX",
			mta_sts_mode_name(policy->mode));
}

static void check_policy(struct check *check)
{
	struct span host = dns_check_text(check, "mta-sts.%.*s", SPAN_ARGS(check->request->domain));
	const struct dns_fact *fact;
	struct mta_sts_policy policy;
	struct mta_sts_problem problem;
	bool has_address;

	if (!dns_check_addresses(check, host, NULL, &has_address))
		return;
	if (!has_address) {
		tell(check, DNS_CHECK_FAIL, host,
			SPAN_LIT("the record tells of a policy, and the host that should have it has no "
				 "address: "
				 "give it one, or take the record away"),
			(struct dns_finding){ .found = span_of("", 0) });
		return;
	}
	fact = dns_check_ask(check, DNS_FACT_POLICY, check->request->domain);
	/* For the text to publish. */
	(void)get_hosts(check);
	if (!fact)
		return;
	if (fact->status != DNS_FACT_RECORDS)
		tell_policy(check, DNS_CHECK_FAIL,
			dns_check_text(check, "the record tells of a policy that cannot be fetched: %s",
				fact->why ? fact->why : "there is none"),
			span_of("", 0), policy_text(check, MTA_STS_TESTING, 7 * 86400));
	else if (mta_sts_policy_parse(fact->records[0], &check->report->arena, &policy, &problem))
		judge_policy(check, &policy, fact->records[0]);
	else
		tell_policy(check, DNS_CHECK_FAIL,
			dns_check_text(check, "senders cannot read the policy: line %u: %s", problem.line,
				problem.what),
			fact->records[0], policy_text(check, MTA_STS_ENFORCE, 7 * 86400));
}

void dns_check_mta_sts(struct check *check)
{
	struct span where = dns_check_text(check, "_mta-sts.%.*s", SPAN_ARGS(check->request->domain));
	struct span good = dns_check_zone_txt(check, where, SPAN_LIT("v=STSv1; id=1")), record, id;
	const struct dns_fact *fact;
	const char *wrong;
	size_t count;

	if (!dns_check_get(check, DNS_FACT_TXT, where, &fact))
		return;
	count = dns_check_filter(fact, mta_sts_record_is_one, &record);
	if (!count && !fact->count) {
		dns_check_tell_ok(check, where, "there is none; it is optional");
		return;
	}
	if (count > 1) {
		tell(check, DNS_CHECK_FAIL, where,
			SPAN_LIT("there is more than one record, so that none counts (RFC 8461 3.1)"),
			(struct dns_finding){ .found = dns_check_list(check, fact), .publish = good });
		return;
	}
	wrong = mta_sts_record_parse(count ? record : fact->records[0], &id);
	if (wrong)
		tell(check, DNS_CHECK_FAIL, where, dns_check_text(check, "senders ignore it: %s", wrong),
			(struct dns_finding){ .found = fact->records[0], .publish = good });
	else
		check_policy(check);
}

/* --- TLS-RPT ------------------------------------------------------------------------------------- */

void dns_check_tls_rpt(struct check *check)
{
	struct span domain = check->request->domain, record, uris;
	struct span where = dns_check_text(check, "_smtp._tls.%.*s", SPAN_ARGS(domain));
	struct span good = dns_check_zone_txt(check, where,
		dns_check_text(check, "v=TLSRPTv1; rua=mailto:postmaster@%.*s", SPAN_ARGS(domain)));
	const struct dns_fact *fact;
	const char *wrong;

	if (!dns_check_get(check, DNS_FACT_TXT, where, &fact))
		return;
	if (!fact->count) {
		dns_check_tell_ok(check, where, "there is none; it is optional");
		return;
	}
	if (dns_check_filter(fact, tls_rpt_record_is_one, &record) > 1) {
		tell(check, DNS_CHECK_FAIL, where,
			SPAN_LIT("there is more than one record, so that none counts (RFC 8460 3)"),
			(struct dns_finding){ .found = dns_check_list(check, fact), .publish = good });
		return;
	}
	wrong = tls_rpt_record_parse(record.len ? record : fact->records[0], &uris);
	if (wrong)
		tell(check, DNS_CHECK_FAIL, where, dns_check_text(check, "nobody sends reports: %s", wrong),
			(struct dns_finding){ .found = fact->records[0], .publish = good });
	else
		dns_check_tell_ok(check, where, "reports go to %.*s", SPAN_ARGS(uris));
}

/* --- DANE ---------------------------------------------------------------------------------------- */

/* RFC 7672 3.1: of the usages only 2 (DANE-TA) and 3 (DANE-EE). */
static const char *tlsa_fault(struct span rdata)
{
	static const size_t lens[] = { 0, 32, 64 };
	struct dns_tlsa tlsa;

	if (!dns_tlsa_parse(rdata, &tlsa))
		return "it has no data";
	if (tlsa.usage != 2 && tlsa.usage != 3)
		return "its usage is not 2 (DANE-TA) or 3 (DANE-EE)";
	if (tlsa.selector > 1)
		return "its selector is not 0 or 1";
	if (tlsa.matching > 2)
		return "its matching type is not 0, 1 or 2";
	if (lens[tlsa.matching] && tlsa.association.len != lens[tlsa.matching])
		return "its data is not as long as the hash";
	return NULL;
}

static struct span show_tlsa(struct check *check, const struct dns_fact *fact)
{
	struct buf text = { 0 };

	for (size_t i = 0; i < fact->count; i++) {
		struct span rdata = fact->records[i];

		buf_append_str(&text, i ? "\n" : "");
		for (size_t k = 0; k < rdata.len && k < 3 + 64; k++)
			buf_printf(&text, k < 3 ? "%u " : "%02x", (unsigned)(uint8_t)rdata.ptr[k]);
	}
	return dns_check_keep(check, &text);
}

static void judge_tlsa(struct check *check, struct span where, const struct dns_fact *fact, bool is_mx_secure)
{
	struct dns_finding texts = { .found = show_tlsa(check, fact) };
	const char *fault = NULL;

	for (size_t i = 0; i < fact->count && !fault; i++)
		fault = tlsa_fault(fact->records[i]);
	if (fault)
		tell(check, DNS_CHECK_WARN, where,
			dns_check_text(check, "a record cannot be used: %s", fault), texts);
	else if (!check->request->can_validate)
		dns_check_tell_ok(check, where,
			"it is there; whether it is signed is not known without a trust anchor");
	else if (!fact->is_secure || !is_mx_secure)
		tell(check, DNS_CHECK_WARN, where,
			dns_check_text(check, "senders ignore it: %s is not signed by DNSSEC",
				fact->is_secure ? "the MX of the domain" : "the zone of the host"),
			texts);
	else
		dns_check_tell_ok(check, where, "it is there and signed");
}

void dns_check_dane(struct check *check)
{
	const struct dns_fact *hosts = get_hosts(check);

	for (size_t i = 0; hosts && i < hosts->count && i < DNS_CHECK_MX_MAX; i++) {
		struct span host = dns_name_without_dot(hosts->records[i]), where;
		const struct dns_fact *fact;

		if (!dns_name_is_host(host))
			continue;
		where = dns_check_text(check, "_25._tcp.%.*s", SPAN_ARGS(host));
		if (!dns_check_get(check, DNS_FACT_TLSA, where, &fact))
			continue;
		if (fact->count)
			judge_tlsa(check, where, fact, hosts->is_secure);
		else
			dns_check_tell_ok(check, where, "there is none; it is optional");
	}
}
