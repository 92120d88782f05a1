#include "cmocka_all.h"

#include "skein/cluster/policy.h"

static struct policy *parse(const char *text)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(span_of_str(text), "p.yaml", &report);

	if (!policy)
		fail_msg("%.*s", SPAN_ARGS(buf_span(&report.text)));
	report_fini(&report);
	return policy;
}

static void what_is_wrong_is_told_with_place_and_cure(void **state)
{
	static const struct {
		const char *text, *told;
	} rows[] = {
		{ "sign:\n  - subdomains: true\n", "p.yaml:2:5: $.sign[0]: \"domain\" is missing\n" },
		{ "sign:\n  - domain: -x\n", "p.yaml:2:13: $.sign[0].domain: \"-x\" is not a domain name\n" },
		{ "sign: [{domain: a.example}, {domain: A.example}]\n",
			"p.yaml:1:38: $.sign[1].domain: \"A.example\" is also the domain of sign[0]\n" },
		{ "sign: [{domain: a.example, selectors: [s1, 's 2']}]\n",
			"p.yaml:1:44: $.sign[0].selectors[1]: \"s 2\" is no selector: up to 63 letters, "
			"digits, "
			"'-' and '.'\n" },
		{ "sign: [{domain: a.example, headers: [To, to, Received, 'x:', From]}]\n",
			"p.yaml:1:42: $.sign[0].headers[1]: \"to\" is named twice\n"
			"p.yaml:1:46: $.sign[0].headers[2]: \"Received\" changes on its way: it cannot be "
			"signed\n"
			"p.yaml:1:56: $.sign[0].headers[3]: \"x:\" is no name of a header field\n" },
		{ "sign: [{domain: a.example, headers: To}]\n",
			"p.yaml:1:37: $.sign[0].headers: From is not among them; it must be signed (RFC 6376 "
			"5.4)\n" },
		{ "sign: [{domain: a.example, identity: me@b.example}]\n",
			"p.yaml:1:38: $.sign[0].identity: \"me@b.example\" is no address of a.example or of "
			"a "
			"domain below it\n" },
		{ "sign: [{domain: a.example, identity: me@xa.example}]\n",
			"p.yaml:1:38: $.sign[0].identity: \"me@xa.example\" is no address of a.example or of "
			"a "
			"domain below it\n" },
		{ "sign: [{domain: a.example, expire: 5m}]\n", "p.yaml:1:36: $.sign[0].expire: is less than "
							       "an hour: mail waits longer on its way; 7d is "
							       "usual, 0s is for ever\n" },
		{ "sign: [{domain: a.example, canonicalization: relaxed}]\n",
			"p.yaml:1:46: $.sign[0].canonicalization: \"relaxed\" is not one of relaxed/relaxed, "
			"relaxed/simple, simple/relaxed, simple/simple\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report report = { 0 };
		struct policy *policy = policy_parse(span_of_str(rows[i].text), "p.yaml", &report);

		assert_null(policy);
		if (!span_eq(buf_span(&report.text), span_of_str(rows[i].told)))
			fail_msg("%s\ntells:\n%.*s\nnot:\n%s", rows[i].text,
				SPAN_ARGS(buf_span(&report.text)), rows[i].told);
		report_fini(&report);
	}
}

static void what_is_said_is_there_and_what_is_not_is_usual(void **state)
{
	struct policy *policy =
		parse("sign:\n"
		      "  - domain: Example.COM\n"
		      "  - {domain: b.example, subdomains: true, by: sender, selectors: [s1, s2],\n"
		      "     headers: [From, X-Y], identity: me@x.B.example, expire: 7d,\n"
		      "     canonicalization: simple/relaxed}\n");
	const struct policy_signing *signings;
	size_t count;

	(void)state;
	signings = policy_signings(policy, &count);
	assert_int_equal(count, 2);
	assert_string_equal(signings[0].domain, "example.com");
	assert_false(
		signings[0].has_subdomains || signings[0].is_header_simple || signings[0].is_body_simple);
	assert_int_equal(signings[0].by, POLICY_SIGN_BY_AUTHOR);
	assert_int_equal(signings[0].selectors.count + signings[0].headers.count, 0);
	assert_string_equal(signings[0].identity, "");
	assert_int_equal(signings[0].lifetime_s, 0);
	assert_true(
		signings[1].has_subdomains && signings[1].is_header_simple && !signings[1].is_body_simple);
	assert_int_equal(signings[1].by, POLICY_SIGN_BY_SENDER);
	assert_string_equal(signings[1].selectors.items[1], "s2");
	assert_string_equal(signings[1].headers.items[1], "X-Y");
	assert_string_equal(signings[1].identity, "me@x.B.example");
	assert_int_equal(signings[1].lifetime_s, 7 * 86400);
	assert_int_equal(signings[1].number, 1);
	policy_free(&policy);
}

static void the_nearest_domain_of_the_first_author_signs(void **state)
{
	static const struct {
		const char *authors[3];
		const char *sender, *domain; /* domain NULL: nobody signs */
	} rows[] = {
		{ { "a.example" }, "", "a.example" },
		{ { "x.a.example" }, "", NULL },
		{ { "b.example" }, "", "b.example" },
		{ { "x.b.example" }, "", "b.example" },
		{ { "xb.example" }, "", NULL },
		{ { "example" }, "", NULL },
		{ { "near.b.example" }, "", "near.b.example" },
		{ { "x.near.b.example" }, "", "b.example" },
		{ { "a.example", "b.example" }, "", "a.example" },
		{ { "other.example", "b.example" }, "", "b.example" },
		{ { "other.example" }, "a.example", NULL },
		{ { "other.example" }, "c.example", "c.example" },
		{ { "c.example" }, "", "c.example" },
		{ { "a.example" }, "c.example", "a.example" },
		{ { NULL }, "c.example", "c.example" },
		{ { NULL }, "", NULL },
	};
	struct policy *policy = parse("sign:\n"
				      "  - domain: a.example\n"
				      "  - {domain: b.example, subdomains: true}\n"
				      "  - domain: near.b.example\n"
				      "  - {domain: c.example, by: sender}\n");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct policy_signing *signing;
		struct span authors[3];
		size_t count = 0;

		for (; rows[i].authors[count]; count++)
			authors[count] = span_of_str(rows[i].authors[count]);
		signing = policy_signing_for(policy, authors, count, span_of_str(rows[i].sender));
		assert_int_equal(signing != NULL, rows[i].domain != NULL);
		if (signing)
			assert_string_equal(signing->domain, rows[i].domain);
	}
	policy_free(&policy);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told_with_place_and_cure),
		cmocka_unit_test(what_is_said_is_there_and_what_is_not_is_usual),
		cmocka_unit_test(the_nearest_domain_of_the_first_author_signs),
	};

	return cmocka_run_group_tests_name("policy_sign", tests, NULL, NULL);
}
