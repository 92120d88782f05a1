/* Whether each key that signs for the domain can be found by who verifies. */
#include "dnscheck/dns_check_internal.h"

#include "skein/proto/dkim/published.h"

static void tell(struct check *check, enum dns_severity severity, struct span where, struct span what,
	struct span found)
{
	dns_check_tell(check, &(struct dns_finding){ .severity = severity,
				      .where = where,
				      .what = what,
				      .found = arena_dup(&check->report->arena, found) });
}

/* The record of the key itself, where that is known. */
static void tell_key(struct check *check, enum dns_severity severity, struct span where,
	const struct dns_check_key *key, struct dns_finding finding)
{
	struct buf record = { 0 };

	if (key->key) {
		dkim_key_append_record(key->key, &record);
		finding.publish = dns_check_zone_txt(check, where, buf_span(&record));
		buf_fini(&record);
	}
	finding.severity = severity;
	finding.where = where;
	finding.found = arena_dup(&check->report->arena, finding.found);
	dns_check_tell(check, &finding);
}

static void judge(struct check *check, struct span where, const struct dns_check_key *key, struct span record)
{
	struct dkim_published published;

	dkim_published_judge(record, key->key, &published);
	if (published.is_revoked)
		tell_key(check, DNS_CHECK_FAIL, where, key,
			(struct dns_finding){
				.what = SPAN_LIT(
					"the key is revoked (p= is empty), and mail is signed with it"),
				.found = record });
	else if (published.fault)
		tell_key(check, DNS_CHECK_FAIL, where, key,
			(struct dns_finding){
				.what = dns_check_text(check, "verifiers cannot use it: %s", published.fault),
				.found = record });
	else if (published.is_other)
		tell_key(check, DNS_CHECK_FAIL, where, key,
			(struct dns_finding){ .what = SPAN_LIT("it is not the key that mail is signed with"),
				.found = record });
	else if (published.is_weak)
		tell(check, DNS_CHECK_WARN, where,
			dns_check_text(check,
				"the key has %u bits, and %d are wanted: make another under a new selector",
				published.bits, DKIM_RSA_BITS_GOOD),
			record);
	else if (published.is_testing)
		tell_key(check, DNS_CHECK_WARN, where, key,
			(struct dns_finding){
				.what = SPAN_LIT(
					"it says that signing is being tested (t=y): verifiers may act "
					"as if nothing was signed"),
				.found = record });
	else
		dns_check_tell_ok(check, where, key->key ? "it is the key that signs" : "it can be used");
}

static void check_key(struct check *check, const struct dns_check_key *key)
{
	struct span where = dns_check_text(
		check, "%.*s._domainkey.%.*s", SPAN_ARGS(key->selector), SPAN_ARGS(key->domain));
	const struct dns_fact *fact;

	if (!dns_check_get(check, DNS_FACT_TXT, where, &fact))
		return;
	if (!fact->count)
		tell_key(check, DNS_CHECK_FAIL, where, key,
			(struct dns_finding){ .what = SPAN_LIT("there is no key record") });
	else if (fact->count > 1)
		tell_key(check, DNS_CHECK_FAIL, where, key,
			(struct dns_finding){
				.what = SPAN_LIT(
					"there is more than one TXT record: which one verifiers take is "
					"chance"),
				.found = dns_check_list(check, fact) });
	else
		judge(check, where, key, fact->records[0]);
}

void dns_check_dkim(struct check *check)
{
	for (size_t i = 0; i < check->request->key_count; i++)
		check_key(check, &check->request->keys[i]);
	if (!check->request->key_count)
		tell(check, DNS_CHECK_WARN, check->request->domain,
			SPAN_LIT("no key is known that signs for it: what is forwarded fails DMARC"),
			span_of("", 0));
}
