/* Whether SPF authorises what the cluster sends from, by our own evaluation of RFC 7208. */
#include "dnscheck/dns_check_internal.h"

#include "skein/proto/spf/spf.h"

/* Of 10: who uses a service more, or a service that uses one more, is over it. */
enum { TERMS_NEAR = 8 };

/* What a verdict says, in the report's arena. */
struct outcome {
	enum spf_result result;
	struct span problem, domain, term, matched;
	unsigned dns_terms;
};

/* An address that nobody sends from (RFC 919 7): evaluated for it, a record shows all of itself. */
static const struct dns_ip nobody = { .bytes = { 255, 255, 255, 255 }, .len = 4 };

/* --- one evaluation ------------------------------------------------------------------------------ */

static const enum dns_fact_kind kinds[] = {
	[SPF_QUERY_TXT] = DNS_FACT_TXT,
	[SPF_QUERY_A] = DNS_FACT_A,
	[SPF_QUERY_AAAA] = DNS_FACT_AAAA,
	[SPF_QUERY_MX] = DNS_FACT_MX,
	[SPF_QUERY_PTR] = DNS_FACT_PTR,
};
static const enum spf_answer_status statuses[] = {
	[DNS_FACT_RECORDS] = SPF_ANSWER_RECORDS,
	[DNS_FACT_NO_DATA] = SPF_ANSWER_NO_DATA,
	[DNS_FACT_NXDOMAIN] = SPF_ANSWER_NXDOMAIN,
	[DNS_FACT_FAILED] = SPF_ANSWER_TEMPERROR,
};

/* False: a fact is wanted. */
static bool answer_all(struct check *check, struct spf_check *spf)
{
	struct spf_question question;

	while (spf_check_question(spf, &question)) {
		const struct dns_fact *fact = dns_check_ask(check, kinds[question.type], question.name);
		struct spf_answer answer;

		if (!fact)
			return false;
		answer = (struct spf_answer){ statuses[fact->status], fact->records, fact->count };
		spf_check_answer(spf, &answer);
	}
	return true;
}

static void take(struct check *check, const struct spf_verdict *verdict, struct outcome *out)
{
	struct arena *arena = &check->report->arena;

	*out = (struct outcome){
		.result = verdict->result,
		.problem = arena_dup(arena, verdict->problem),
		.domain = arena_dup(arena, verdict->where.domain),
		.term = arena_dup(arena, verdict->where.term),
		.matched = arena_dup(arena, verdict->matched.term),
		.dns_terms = verdict->dns_terms,
	};
}

static bool evaluate(struct check *check, const struct dns_ip *ip, struct outcome *out)
{
	struct span sender = dns_check_text(check, "postmaster@%.*s", SPAN_ARGS(check->request->domain));
	struct spf_request request = {
		.client_len = ip->len,
		.helo = check->request->helo.len ? check->request->helo : check->request->domain,
		.mail_from = sender,
	};
	struct spf_check *spf;
	bool is_done;

	memcpy(request.client, ip->bytes, ip->len);
	spf = spf_check_new(&request);
	is_done = answer_all(check, spf);
	if (is_done)
		take(check, spf_check_verdict(spf), out);
	spf_check_free(&spf);
	return is_done;
}

/* --- records to publish -------------------------------------------------------------------------- */

static bool take_term(struct span *rest, struct span *term_out)
{
	while (rest->len && rest->ptr[0] == ' ')
		*rest = span_drop(*rest, 1);
	*term_out = span_take(*rest, span_find(*rest, ' '));
	*rest = span_drop(*rest, term_out->len);
	return term_out->len > 0;
}

static void append_ip(struct buf *text, const struct dns_ip *ip)
{
	buf_append_str(text, ip->len == 4 ? " ip4:" : " ip6:");
	dns_check_append_ip(ip, text);
}

static bool is_all(struct span term)
{
	if (term.len == 4 && term.ptr[0] != 'a' && term.ptr[0] != 'A')
		term = span_drop(term, 1);
	return span_eq_nocase(term, SPAN_LIT("all"));
}

static bool has_term(struct span text, struct span wanted)
{
	struct span term;

	while (take_term(&text, &term))
		if (span_eq_nocase(term, wanted))
			return true;
	return false;
}

/* Of a record's terms all but the version, what is there already, and `without`. */
static void append_terms(struct buf *text, struct span record, struct span without)
{
	struct span term;

	(void)take_term(&record, &term);
	while (take_term(&record, &term)) {
		if ((without.len && span_eq(term, without)) || has_term(buf_span(text), term))
			continue;
		buf_append_byte(text, ' ');
		buf_append(text, term);
	}
}

static struct span zone(struct check *check, struct buf *text)
{
	struct span record = dns_check_keep(check, text);

	return dns_check_zone_txt(check, check->request->domain, record);
}

/* A first record: what the cluster sends from, and nobody else. */
static struct span new_record(struct check *check)
{
	struct buf text = { 0 };

	buf_append_str(&text, "v=spf1");
	for (size_t i = 0; i < check->request->egress_count; i++)
		append_ip(&text, &check->request->egress[i]);
	buf_append_str(&text, check->request->egress_count ? " -all" : " mx -all");
	return zone(check, &text);
}

/* The terms of all records, each once; the last "all" ends it. */
static struct span one_of_many(struct check *check, const struct dns_fact *fact)
{
	struct span all = SPAN_LIT("~all"), term;
	struct buf text = { 0 };

	buf_append_str(&text, "v=spf1");
	for (size_t i = 0; i < fact->count; i++) {
		struct span rest = fact->records[i];

		if (!spf_record_is_one(rest))
			continue;
		while (take_term(&rest, &term)) {
			if (is_all(term))
				all = term;
			else if (!has_term(buf_span(&text), term)) {
				buf_append_byte(&text, ' ');
				buf_append(&text, term);
			}
		}
	}
	buf_append_byte(&text, ' ');
	buf_append(&text, all);
	return zone(check, &text);
}

/* The record with another "all" at its end. */
static struct span with_end(struct check *check, struct span record, const char *end)
{
	struct buf text = { 0 };
	struct span term;

	buf_append_str(&text, "v=spf1");
	(void)take_term(&record, &term);
	while (take_term(&record, &term)) {
		if (is_all(term))
			continue;
		buf_append_byte(&text, ' ');
		buf_append(&text, term);
	}
	buf_append_str(&text, end);
	return zone(check, &text);
}

/* --- findings ------------------------------------------------------------------------------------ */

static void tell(struct check *check, enum dns_severity severity, struct span what, struct span found,
	struct span publish)
{
	dns_check_tell(check, &(struct dns_finding){ .severity = severity,
				      .where = check->request->domain,
				      .what = what,
				      .found = arena_dup(&check->report->arena, found),
				      .publish = publish });
}

/* Not in itself an error for us: our addresses may match before it is reached. */
static void tell_error(struct check *check, const struct outcome *bad, struct span record, bool is_ours)
{
	bool is_own = span_eq_nocase(bad->domain, check->request->domain);
	bool is_too_many = bad->dns_terms > SPF_DNS_TERMS_MAX;
	struct buf what = { 0 }, text = { 0 };

	buf_printf(&what, "receivers cannot evaluate the record (permerror): %.*s", SPAN_ARGS(bad->problem));
	if (bad->term.len)
		buf_printf(&what, ", at \"%.*s\"", SPAN_ARGS(bad->term));
	if (!is_own && bad->domain.len)
		buf_printf(&what, " in the record of %.*s", SPAN_ARGS(bad->domain));
	if (is_too_many)
		buf_append_str(&what, "; drop what is not used, our own addresses come first below");
	buf_append_str(&text, "v=spf1");
	for (size_t i = 0; is_too_many && i < check->request->egress_count; i++)
		append_ip(&text, &check->request->egress[i]);
	append_terms(&text, record, is_own && !is_too_many ? bad->term : span_of("", 0));
	tell(check, is_ours ? DNS_CHECK_FAIL : DNS_CHECK_WARN, dns_check_keep(check, &what), record,
		is_own || is_too_many ? zone(check, &text) : span_of("", 0));
	buf_fini(&text);
}

static void tell_missing(struct check *check, const struct outcome outcomes[], struct span record)
{
	struct buf what = { 0 }, text = { 0 };
	size_t count = 0;

	buf_append_str(&text, "v=spf1");
	for (size_t i = 0; i < check->request->egress_count; i++) {
		if (outcomes[i].result == SPF_PASS)
			continue;
		buf_append_str(&what, count++ ? ", " : "mail from ");
		dns_check_append_ip(&check->request->egress[i], &what);
		buf_printf(&what, " (%s)", spf_result_name(outcomes[i].result));
		append_ip(&text, &check->request->egress[i]);
	}
	if (count) {
		buf_append_str(&what, " is not authorised");
		append_terms(&text, record, span_of("", 0));
		tell(check, DNS_CHECK_FAIL, dns_check_keep(check, &what), record, zone(check, &text));
	}
	buf_fini(&what);
	buf_fini(&text);
}

/* What the record says of those that it does not name. */
static void tell_end(struct check *check, const struct outcome *probe, struct span record)
{
	if (probe->result == SPF_PASS)
		tell(check, DNS_CHECK_WARN,
			dns_check_text(
				check, "everybody is authorised, by \"%.*s\"", SPAN_ARGS(probe->matched)),
			record, is_all(probe->matched) ? with_end(check, record, " -all") : span_of("", 0));
	else if (probe->result == SPF_NEUTRAL)
		tell(check, DNS_CHECK_WARN,
			SPAN_LIT("nothing is said of those that it does not name: end it so"), record,
			with_end(check, record, " ~all"));
	if (probe->result != SPF_PERMERROR && probe->dns_terms >= TERMS_NEAR)
		tell(check, DNS_CHECK_WARN,
			dns_check_text(check,
				"it costs %u of %d DNS look-ups; one more than %d and nothing counts: drop "
				"what is "
				"not used",
				probe->dns_terms, SPF_DNS_TERMS_MAX, SPF_DNS_TERMS_MAX),
			record, span_of("", 0));
}

/* Outcomes: of each address of ours, then of nobody's. False: told, there is no more to say. */
static bool tell_errors(struct check *check, const struct outcome outcomes[], struct span record)
{
	for (size_t i = 0; i <= check->request->egress_count; i++) {
		bool is_ours = i < check->request->egress_count || !check->request->egress_count;

		if (outcomes[i].result == SPF_PERMERROR) {
			tell_error(check, &outcomes[i], record, is_ours);
			return !is_ours;
		}
		if (outcomes[i].result == SPF_TEMPERROR) {
			tell(check, DNS_CHECK_UNKNOWN,
				dns_check_text(check, "it could not be evaluated: %.*s",
					SPAN_ARGS(outcomes[i].problem)),
				record, span_of("", 0));
			return false;
		}
	}
	return true;
}

static void judge(struct check *check, struct span record)
{
	struct outcome outcomes[DNS_CHECK_EGRESS_MAX + 1];
	size_t count = check->request->egress_count;
	bool is_waiting = !evaluate(check, &nobody, &outcomes[count]);

	for (size_t i = 0; i < count; i++)
		is_waiting |= !evaluate(check, &check->request->egress[i], &outcomes[i]);
	if (is_waiting || !tell_errors(check, outcomes, record))
		return;
	tell_missing(check, outcomes, record);
	tell_end(check, &outcomes[count], record);
	if (!check->told)
		dns_check_tell_ok(check, check->request->domain,
			"%zu of %zu addresses are authorised; %u of %d DNS look-ups", count, count,
			outcomes[count].dns_terms, SPF_DNS_TERMS_MAX);
}

void dns_check_spf(struct check *check)
{
	const struct dns_fact *fact;
	struct span record;
	size_t count;

	if (!dns_check_get(check, DNS_FACT_TXT, check->request->domain, &fact))
		return;
	count = dns_check_filter(fact, spf_record_is_one, &record);
	if (count == 1)
		judge(check, record);
	else if (count > 1)
		tell(check, DNS_CHECK_FAIL,
			SPAN_LIT("there is more than one SPF record, so that none counts"),
			dns_check_list_filtered(check, fact, spf_record_is_one), one_of_many(check, fact));
	else
		tell(check, DNS_CHECK_FAIL, SPAN_LIT("there is no SPF record"), span_of("", 0),
			new_record(check));
}
