/* Whether there is a DMARC policy, and our mail passes it. */
#include "dnscheck/dns_check_internal.h"

#include "skein/proto/dmarc/dmarc.h"
#include "skein/proto/dmarc/org_domain.h"
#include "skein/proto/dns/name.h"

static struct span name_of(struct check *check, struct span domain)
{
	return dns_check_text(check, "_dmarc.%.*s", SPAN_ARGS(domain));
}

static bool is_version_only(struct span text)
{
	return span_starts_with(text, SPAN_LIT("v=DMARC1"));
}

/* --- the record as it should be ------------------------------------------------------------------- */

static const char failure_letters[] = "01ds";

static void append_failures(struct buf *text, unsigned failures)
{
	const char *separator = "; fo=";

	for (unsigned i = 0; failures != DMARC_FAILURE_ALL && i < 4; i++) {
		if (!(failures & (1u << i)))
			continue;
		buf_printf(text, "%s%c", separator, failure_letters[i]);
		separator = ":";
	}
}

static void append_uris(struct buf *text, const char *tag, struct span list)
{
	struct dmarc_uri uri;
	const char *separator = tag;

	while (dmarc_uri_next(&list, &uri)) {
		if (!uri.is_valid)
			continue;
		buf_append_str(text, separator);
		buf_append(text, uri.text);
		separator = ",";
	}
}

/* What was understood of a record, written well. */
static struct span written_well(struct check *check, struct span domain, const struct dmarc_record *record)
{
	struct buf text = { 0 };
	struct span kept;

	buf_printf(&text, "v=DMARC1; p=%s", dmarc_policy_name(record->policy));
	if (record->subdomain_policy != record->policy)
		buf_printf(&text, "; sp=%s", dmarc_policy_name(record->subdomain_policy));
	if (record->dkim_alignment == DMARC_STRICT)
		buf_append_str(&text, "; adkim=s");
	if (record->spf_alignment == DMARC_STRICT)
		buf_append_str(&text, "; aspf=s");
	if (record->percent != 100)
		buf_printf(&text, "; pct=%u", record->percent);
	append_failures(&text, record->failures);
	append_uris(&text, "; rua=", record->reports);
	append_uris(&text, "; ruf=", record->failure_reports);
	kept = dns_check_keep(check, &text);
	return dns_check_zone_txt(check, name_of(check, domain), kept);
}

static struct span new_record(struct check *check)
{
	struct span domain = check->request->domain;

	return dns_check_zone_txt(check, name_of(check, domain),
		dns_check_text(check, "v=DMARC1; p=none; rua=mailto:postmaster@%.*s", SPAN_ARGS(domain)));
}

/* --- findings ------------------------------------------------------------------------------------ */

struct policy {
	struct span domain; /* whose it is */
	struct span where, found;
	struct dmarc_record record;
};

static void tell(struct check *check, enum dns_severity severity, const struct policy *policy,
	struct span what, struct span publish)
{
	dns_check_tell(check, &(struct dns_finding){ .severity = severity,
				      .where = policy->where,
				      .what = what,
				      .found = policy->found,
				      .publish = publish });
}

static void tell_problems(struct check *check, enum dns_severity severity, const struct policy *policy)
{
	struct buf what = { 0 };

	for (size_t i = 0; i < policy->record.problem_count; i++) {
		const struct dmarc_problem *problem = &policy->record.problems[i];

		buf_append_str(&what, i ? "; " : "");
		if (problem->tag.len)
			buf_printf(&what, "\"%.*s\": ", SPAN_ARGS(problem->tag));
		buf_append_str(&what, problem->what);
	}
	if (severity == DNS_CHECK_FAIL)
		buf_append_str(&what, ": it counts as no policy");
	tell(check, severity, policy, dns_check_keep(check, &what),
		written_well(check, policy->domain, &policy->record));
}

static void tell_alignment(struct check *check, const struct policy *policy)
{
	const struct dns_check_key *first = &check->request->keys[0];
	struct dmarc_record relaxed = policy->record;
	bool would_align = false;

	relaxed.dkim_alignment = DMARC_RELAXED;
	for (size_t i = 0; i < check->request->key_count; i++)
		would_align |= dmarc_is_same_org(check->request->keys[i].domain, check->request->domain);
	tell(check, DNS_CHECK_WARN, policy,
		dns_check_text(check,
			"no signature counts for it: d=%.*s does not align with %.*s (adkim=%s)",
			SPAN_ARGS(first->domain), SPAN_ARGS(check->request->domain),
			policy->record.dkim_alignment == DMARC_STRICT ? "s" : "r"),
		would_align ? written_well(check, policy->domain, &relaxed) : span_of("", 0));
}

static void tell_none(struct check *check, const struct policy *policy, bool is_subdomain)
{
	struct dmarc_record stronger = policy->record;

	if (is_subdomain)
		stronger.subdomain_policy = DMARC_POLICY_QUARANTINE;
	else
		stronger.policy = DMARC_POLICY_QUARANTINE;
	if (!is_subdomain && policy->record.subdomain_policy == DMARC_POLICY_NONE)
		stronger.subdomain_policy = DMARC_POLICY_QUARANTINE;
	tell(check, DNS_CHECK_WARN, policy,
		dns_check_text(check,
			"the policy is none: it protects nobody. When reports show that all of your mail "
			"passes, say quarantine"),
		written_well(check, policy->domain, &stronger));
}

/* RFC 7489 7.1: who is of another organization has to agree to get reports. */
static void check_report_host(struct check *check, const struct policy *policy, struct span host)
{
	struct span where =
		dns_check_text(check, "%.*s._report._dmarc.%.*s", SPAN_ARGS(policy->domain), SPAN_ARGS(host));
	const struct dns_fact *fact;
	struct span agreed;

	if (!dns_check_get(check, DNS_FACT_TXT, where, &fact) ||
		dns_check_filter(fact, is_version_only, &agreed))
		return;
	dns_check_tell(
		check, &(struct dns_finding){ .severity = DNS_CHECK_WARN,
			       .where = where,
			       .what = dns_check_text(check,
				       "%.*s has not agreed to get reports about %.*s, so none are sent "
				       "there: it has to publish this",
				       SPAN_ARGS(host), SPAN_ARGS(policy->domain)),
			       .publish = dns_check_zone_txt(check, where, SPAN_LIT("v=DMARC1")) });
}

static void check_reports(struct check *check, const struct policy *policy, struct span list)
{
	struct dmarc_uri uri;

	while (dmarc_uri_next(&list, &uri))
		if (uri.is_valid && dns_name_is_host(uri.host) &&
			!dmarc_is_same_org(uri.host, policy->domain))
			check_report_host(check, policy, uri.host);
}

static void judge(struct check *check, const struct dmarc_verdict *verdict, const struct policy *policy)
{
	if (policy->record.problem_count)
		tell_problems(check, DNS_CHECK_WARN, policy);
	if (check->request->key_count && !verdict->aligned_dkim.len)
		tell_alignment(check, policy);
	if (verdict->policy == DMARC_POLICY_NONE)
		tell_none(check, policy, verdict->is_subdomain);
	check_reports(check, policy, policy->record.reports);
	check_reports(check, policy, policy->record.failure_reports);
	if (!check->told)
		dns_check_tell_ok(
			check, policy->where, "the policy is %s", dmarc_policy_name(verdict->policy));
}

/* --- the evaluation ------------------------------------------------------------------------------ */

/* Of mail that SPF passes for the domain itself and that all keys have signed. `last`: the last answer. */
static struct dmarc_check *evaluate(struct check *check, const struct dns_fact **last)
{
	struct span domains[DNS_CHECK_KEYS_MAX], name;
	struct dmarc_request request = { .from_domain = check->request->domain,
		.spf_domain = check->request->domain,
		.dkim_domains = domains,
		.dkim_count = check->request->key_count };
	struct dmarc_check *dmarc;

	for (size_t i = 0; i < check->request->key_count; i++)
		domains[i] = check->request->keys[i].domain;
	dmarc = dmarc_check_new(&request);
	while (dmarc_check_question(dmarc, &name)) {
		struct dmarc_answer answer = { .status = DMARC_ANSWER_RECORDS };

		if (!dns_check_get(check, DNS_FACT_TXT, name, last)) {
			dmarc_check_free(&dmarc);
			return NULL;
		}
		answer.records = (*last)->records;
		answer.count = (*last)->count;
		dmarc_check_answer(dmarc, &answer);
	}
	return dmarc;
}

void dns_check_dmarc(struct check *check)
{
	struct span own = name_of(check, check->request->domain);
	const struct dns_fact *last = NULL;
	struct dmarc_check *dmarc = evaluate(check, &last);
	const struct dmarc_verdict *verdict;
	struct policy policy;

	if (!dmarc)
		return;
	verdict = dmarc_check_verdict(dmarc);
	policy = (struct policy){ .domain = verdict->policy_domain, .where = own, .record = verdict->record };
	if (verdict->policy_domain.len)
		policy.where = name_of(check, verdict->policy_domain);
	if (last)
		policy.found = dns_check_list_filtered(check, last, dmarc_record_is_one);
	if (verdict->result == DMARC_PASS || verdict->result == DMARC_FAIL)
		judge(check, verdict, &policy);
	else if (verdict->result == DMARC_PERMERROR && policy.domain.len)
		tell_problems(check, DNS_CHECK_FAIL, &policy);
	else if (policy.found.len)
		tell(check, DNS_CHECK_FAIL, &policy, dns_check_text(check, "%s", verdict->problem),
			new_record(check));
	else
		tell(check, DNS_CHECK_WARN, &policy, dns_check_text(check, "%s", verdict->problem),
			new_record(check));
	dmarc_check_free(&dmarc);
}
