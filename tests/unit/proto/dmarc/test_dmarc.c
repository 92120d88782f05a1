#include "cmocka_all.h"

#include "skein/proto/dmarc/dmarc.h"
#include "skein/proto/dmarc/org_domain.h"

static void the_organization_is_below_a_public_suffix(void **state)
{
	static const struct {
		const char *domain, *organization;
	} rows[] = {
		{ "example.org", "example.org" },
		{ "a.b.Example.ORG", "Example.ORG" },
		{ "a.b.example.org.", "example.org" },
		{ "mail.example.co.uk", "example.co.uk" },
		{ "co.uk", "co.uk" },
		{ "org", "org" },
		/* A suffix that is not in the list is one of one label. */
		{ "x.corp.local", "corp.local" },
		{ "xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn" },
		{ "a.xn--85x722f.xn--55qx5d.cn", "xn--85x722f.xn--55qx5d.cn" },
		{ "", "" },
		{ ".", "" },
		{ "a b.example.org", "a b.example.org" },
		{ "\xc3\xa9.example.org", "\xc3\xa9.example.org" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_span_equal(dmarc_org_domain(span_of_str(rows[i].domain)), rows[i].organization);
	assert_true(dmarc_is_same_org(SPAN_LIT("a.example.org"), SPAN_LIT("b.EXAMPLE.org.")));
	assert_false(dmarc_is_same_org(SPAN_LIT("a.co.uk"), SPAN_LIT("b.co.uk")));
}

static void alignment_is_as_strict_as_asked(void **state)
{
	static const struct {
		const char *identity, *from;
		bool is_relaxed, is_strict;
	} rows[] = {
		{ "example.org", "example.org", true, true },
		{ "EXAMPLE.org.", "example.org", true, true },
		{ "mail.example.org", "example.org", true, false },
		{ "example.org", "mail.example.org", true, false },
		{ "a.example.org", "b.example.org", true, false },
		{ "example.net", "example.org", false, false },
		{ "badexample.org", "example.org", false, false },
		{ "org", "example.org", false, false },
		{ "", "example.org", false, false },
		{ "example.org", "", false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span identity = span_of_str(rows[i].identity), from = span_of_str(rows[i].from);

		if (dmarc_is_aligned(identity, from, DMARC_RELAXED) != rows[i].is_relaxed ||
			dmarc_is_aligned(identity, from, DMARC_STRICT) != rows[i].is_strict)
			fail_msg("row %zu", i);
	}
}

/* NULL: no such record; "!": the DNS fails. Two records are parted by a tab. */
static struct dmarc_answer answer_of(const char *text, struct span records[2])
{
	struct dmarc_answer answer = { DMARC_ANSWER_RECORDS, records, 1 };
	struct span all = span_of_str(text);
	size_t tab = span_find(all, '\t');

	if (!text)
		return (struct dmarc_answer){ DMARC_ANSWER_NONE, NULL, 0 };
	if (strcmp(text, "!") == 0)
		return (struct dmarc_answer){ DMARC_ANSWER_TEMPERROR, NULL, 0 };
	records[0] = span_take(all, tab);
	if (tab < all.len) {
		records[1] = span_drop(all, tab + 1);
		answer.count = 2;
	}
	return answer;
}

struct row {
	const char *from, *spf, *dkim;
	const char *own, *organization; /* answers */
	const char *asked[2];
	enum dmarc_result result;
	const char *policy_domain;
	enum dmarc_policy policy;
	bool has_problem;
};

static void play(const struct row *row)
{
	struct span dkim[2] = { SPAN_LIT("other.example"), span_of_str(row->dkim) };
	struct dmarc_request request = { span_of_str(row->from), span_of_str(row->spf), dkim, 2 };
	struct dmarc_check *check = dmarc_check_new(&request);
	const struct dmarc_verdict *verdict;
	struct span name;
	size_t asked = 0;

	while (dmarc_check_question(check, &name)) {
		struct span records[2];
		struct dmarc_answer answer = answer_of(asked ? row->organization : row->own, records);

		assert_true(asked < 2 && row->asked[asked]);
		assert_span_equal(name, row->asked[asked]);
		asked++;
		dmarc_check_answer(check, &answer);
	}
	assert_true(asked == 2 || !row->asked[asked]);
	verdict = dmarc_check_verdict(check);
	assert_string_equal(dmarc_result_name(verdict->result), dmarc_result_name(row->result));
	assert_span_equal(verdict->policy_domain, row->policy_domain);
	assert_int_equal(verdict->policy, row->policy);
	assert_int_equal(verdict->problem != NULL, row->has_problem);
	dmarc_check_free(&check);
	dmarc_check_free(&check);
}

static void courses_of_an_evaluation(void **state)
{
	static const struct row rows[] = {
		/* The domain's own record. */
		{ "example.org", "example.org", "", "v=DMARC1; p=reject", NULL, { "_dmarc.example.org" },
			DMARC_PASS, "example.org", DMARC_POLICY_REJECT, false },
		{ "example.org", "", "mail.example.org", "v=DMARC1; p=reject", NULL, { "_dmarc.example.org" },
			DMARC_PASS, "example.org", DMARC_POLICY_REJECT, false },
		{ "example.org", "", "mail.example.org", "v=DMARC1; p=reject; adkim=s", NULL,
			{ "_dmarc.example.org" }, DMARC_FAIL, "example.org", DMARC_POLICY_REJECT, false },
		{ "example.org", "mail.example.org", "", "v=DMARC1; p=reject; aspf=s", NULL,
			{ "_dmarc.example.org" }, DMARC_FAIL, "example.org", DMARC_POLICY_REJECT, false },
		/* A subdomain with its own record takes p=, without it the organization's sp=. */
		{ "a.b.example.org.", "", "", "v=DMARC1; p=none; sp=reject", "v=DMARC1; p=reject",
			{ "_dmarc.a.b.example.org" }, DMARC_FAIL, "a.b.example.org", DMARC_POLICY_NONE,
			false },
		{ "a.b.example.org", "", "", NULL, "v=DMARC1; p=none; sp=reject",
			{ "_dmarc.a.b.example.org", "_dmarc.example.org" }, DMARC_FAIL, "example.org",
			DMARC_POLICY_REJECT, false },
		{ "a.b.example.org", "", "", "v=spf1 -all", "v=DMARC1; p=quarantine",
			{ "_dmarc.a.b.example.org", "_dmarc.example.org" }, DMARC_FAIL, "example.org",
			DMARC_POLICY_QUARANTINE, false },
		/* No policy. */
		{ "example.org", "example.org", "", NULL, NULL, { "_dmarc.example.org" }, DMARC_NONE, "",
			DMARC_POLICY_NONE, true },
		{ "a.example.org", "", "", NULL, NULL, { "_dmarc.a.example.org", "_dmarc.example.org" },
			DMARC_NONE, "", DMARC_POLICY_NONE, true },
		{ "a.example.org", "", "", "v=DMARC1; p=none\tv=DMARC1; p=none", "v=DMARC1; p=reject",
			{ "_dmarc.a.example.org" }, DMARC_NONE, "", DMARC_POLICY_NONE, true },
		{ "example.org", "", "", "v=DMARC1; p=none\tgoogle-site-verification=1", NULL,
			{ "_dmarc.example.org" }, DMARC_FAIL, "example.org", DMARC_POLICY_NONE, false },
		/* Errors. */
		{ "a.example.org", "", "", "v=DMARC1; p=", NULL, { "_dmarc.a.example.org" }, DMARC_PERMERROR,
			"a.example.org", DMARC_POLICY_NONE, true },
		{ "a.example.org", "", "", "!", NULL, { "_dmarc.a.example.org" }, DMARC_TEMPERROR, "",
			DMARC_POLICY_NONE, true },
		{ "a.example.org", "", "", NULL, "!", { "_dmarc.a.example.org", "_dmarc.example.org" },
			DMARC_TEMPERROR, "", DMARC_POLICY_NONE, true },
		{ "", "", "", NULL, NULL, { NULL }, DMARC_PERMERROR, "", DMARC_POLICY_NONE, true },
		{ "a..example.org", "", "", NULL, NULL, { NULL }, DMARC_PERMERROR, "", DMARC_POLICY_NONE,
			true },
		{ "[192.0.2.1]", "", "", NULL, NULL, { NULL }, DMARC_PERMERROR, "", DMARC_POLICY_NONE, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		play(&rows[i]);
}

static unsigned count_of(const struct dmarc_verdict *verdict, enum dmarc_policy policy)
{
	unsigned count = 0;

	for (uint32_t random = 0; random < 1000; random++)
		count += dmarc_disposition(verdict, random) == policy;
	return count;
}

static void pct_spares_some(void **state)
{
	struct dmarc_verdict verdict = { .result = DMARC_FAIL, .policy = DMARC_POLICY_REJECT };

	(void)state;
	verdict.record.percent = 25;
	assert_int_equal(count_of(&verdict, DMARC_POLICY_REJECT), 250);
	assert_int_equal(count_of(&verdict, DMARC_POLICY_QUARANTINE), 750);
	verdict.policy = DMARC_POLICY_QUARANTINE;
	assert_int_equal(count_of(&verdict, DMARC_POLICY_QUARANTINE), 250);
	assert_int_equal(count_of(&verdict, DMARC_POLICY_NONE), 750);
	verdict.record.percent = 0;
	assert_int_equal(count_of(&verdict, DMARC_POLICY_NONE), 1000);
	verdict.record.percent = 100;
	assert_int_equal(count_of(&verdict, DMARC_POLICY_QUARANTINE), 1000);
	verdict.result = DMARC_PASS;
	assert_int_equal(count_of(&verdict, DMARC_POLICY_NONE), 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_organization_is_below_a_public_suffix),
		cmocka_unit_test(alignment_is_as_strict_as_asked),
		cmocka_unit_test(courses_of_an_evaluation),
		cmocka_unit_test(pct_spares_some),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
