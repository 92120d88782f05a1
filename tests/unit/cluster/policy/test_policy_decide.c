#include "cmocka_all.h"

#include "skein/cluster/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static struct policy *parse(const char *text)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(span_of_str(text), "p.yaml", &report);

	if (!policy)
		fail_msg("%.*s", SPAN_ARGS(buf_span(&report.text)));
	report_fini(&report);
	return policy;
}

static struct sockaddr_in address(const char *text)
{
	struct sockaddr_in addr = { .sin_family = AF_INET };

	assert_int_equal(inet_pton(AF_INET, text, &addr.sin_addr), 1);
	return addr;
}

static const char document[] =
	"lists: {partners: {addresses: ['*@partner.example', boss@corp.example, '<>']}}\n"
	"limits:\n"
	"  all: {key: cluster, rate: 10/s, global: true}\n"
	"  few: {key: client, rate: 1/s}\n"
	"clients:\n"
	"  - {name: banned, match: {network: 10.9.0.0/16}, effect: deny}\n"
	"  - {name: tls13, match: {network: 10.8.0.0/16, tls: '1.3'}, effect: allow}\n"
	"  - {name: print, match: {network: [10.1.0.0/16, '2001:db8::/32']}, effect: allow, limits: [few, "
	"all]}\n"
	"  - {name: mtls, match: {certificate: ['CN=app-*', "
	"'sha256:AA00000000000000000000000000000000000000000000000000000000000000']}, effect: allow}\n"
	"  - {name: staff, match: {listener: submission, user: '*@corp.example', group: [Staff]}, effect: "
	"allow,\n"
	"     senders: [own, list:partners], recipients: ['*@*.example', '?@x.org'], size: 1MiB}\n"
	"  - {name: named, match: {helo: '*.lab'}, effect: allow}\n"
	"  - {name: secure, match: {network: 10.7.0.0/16}, effect: require-tls}\n"
	"  - {name: rest, match: {network: 10.0.0.0/8, listener: submission}, effect: require-auth}\n";

struct decide_row {
	const char *address, *listener, *user, *group, *helo, *subject, *sha;
	enum policy_tls tls;
	unsigned later;
	enum policy_verdict verdict;
	const char *rule, *hope; /* NULL: none */
	unsigned open;
};

enum { T = POLICY_LATER_TLS, A = POLICY_LATER_AUTH, H = POLICY_LATER_HELO };

static const struct decide_row rows[] = {
	{ .address = "10.9.1.1", .later = T | A, .verdict = POLICY_DENY, .rule = "banned" },
	{ .address = "10.1.1.1", .verdict = POLICY_ALLOW, .rule = "print" },
	/* It has no certificate yet, but a rule before it is not needed to let it in. */
	{ .address = "10.1.1.1", .later = T | A | H, .verdict = POLICY_ALLOW, .rule = "print" },
	{ .address = "10.8.0.1", .later = T, .verdict = POLICY_NEEDS_TLS, .hope = "tls13", .open = T },
	{ .address = "10.8.0.1", .tls = POLICY_TLS_1_2, .later = A, .verdict = POLICY_DENY },
	{ .address = "10.8.0.1", .tls = POLICY_TLS_1_3, .verdict = POLICY_ALLOW, .rule = "tls13" },
	{ .address = "192.0.2.1", .verdict = POLICY_DENY },
	{ .address = "192.0.2.1", .later = T, .verdict = POLICY_NEEDS_TLS, .hope = "mtls", .open = T },
	{ .address = "192.0.2.1", .later = H, .verdict = POLICY_DENY, .hope = "named", .open = H },
	{ .address = "192.0.2.1", .helo = "HOST.LAB", .verdict = POLICY_ALLOW, .rule = "named" },
	{ .address = "192.0.2.1",
		.tls = POLICY_TLS_1_2,
		.subject = "cn=APP-7",
		.verdict = POLICY_ALLOW,
		.rule = "mtls" },
	{ .address = "192.0.2.1",
		.tls = POLICY_TLS_1_2,
		.subject = "CN=x",
		.sha = "aa00000000000000000000000000000000000000000000000000000000000000",
		.verdict = POLICY_ALLOW,
		.rule = "mtls" },
	{ .address = "192.0.2.1",
		.listener = "submission",
		.later = A,
		.verdict = POLICY_NEEDS_AUTH,
		.hope = "staff",
		.open = A },
	{ .address = "192.0.2.1",
		.listener = "submission",
		.user = "j@corp.example",
		.group = "staff",
		.verdict = POLICY_ALLOW,
		.rule = "staff" },
	{ .address = "192.0.2.1",
		.listener = "submission",
		.user = "j@corp.example",
		.group = "guests",
		.verdict = POLICY_DENY },
	{ .address = "192.0.2.1", .listener = "smtp", .later = A, .verdict = POLICY_DENY },
	{ .address = "10.7.0.1", .verdict = POLICY_DENY, .rule = "secure" },
	{ .address = "10.7.0.1",
		.later = T,
		.verdict = POLICY_NEEDS_TLS,
		.rule = "secure",
		.hope = "mtls",
		.open = T },
	{ .address = "10.7.0.1", .tls = POLICY_TLS_1_2, .verdict = POLICY_ALLOW, .rule = "secure" },
	{ .address = "10.2.0.1",
		.listener = "Submission",
		.later = A,
		.verdict = POLICY_NEEDS_AUTH,
		.rule = "rest",
		.hope = "staff",
		.open = A },
	{ .address = "10.2.0.1",
		.listener = "submission",
		.user = "x",
		.later = 0,
		.verdict = POLICY_ALLOW,
		.rule = "rest" },
	/* AUTH is not offered. */
	{ .address = "10.2.0.1", .listener = "submission", .verdict = POLICY_DENY, .rule = "rest" },
};

static void check_name(const struct policy_rule *rule, const char *name, size_t row)
{
	if ((rule == NULL) != (name == NULL) || (rule && strcmp(rule->name, name) != 0))
		fail_msg("row %zu: %s instead of %s", row, rule ? rule->name : "nothing",
			name ? name : "nothing");
}

static void the_first_rule_that_matches_decides(void **state)
{
	struct policy *policy = parse(document);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct decide_row *row = &rows[i];
		struct sockaddr_in addr = address(row->address);
		struct span group = span_of_str(row->group);
		struct policy_subject subject = {
			.address = (struct sockaddr *)(void *)&addr,
			.listener = span_of_str(row->listener),
			.tls = row->tls,
			.cert_subject = span_of_str(row->subject),
			.cert_sha256 = span_of_str(row->sha),
			.user = span_of_str(row->user),
			.groups = &group,
			.group_count = row->group != NULL,
			.helo = span_of_str(row->helo),
			.later = row->later,
		};
		struct policy_decision decision;

		policy_decide(policy, &subject, &decision);
		check_name(decision.rule, row->rule, i);
		if (decision.verdict != row->verdict)
			fail_msg("row %zu: verdict %d", i, decision.verdict);
		if (row->verdict != POLICY_ALLOW) {
			check_name(decision.hope, row->hope, i);
			assert_int_equal(decision.open, row->open);
		}
	}
	policy_free(&policy);
}

static void a_rule_brings_its_limits_and_the_global_ones_each_once(void **state)
{
	struct policy *policy = parse(document);
	struct sockaddr_in addr = address("10.1.1.1");
	struct policy_subject subject = { .address = (struct sockaddr *)(void *)&addr };
	struct policy_decision decision;

	(void)state;
	policy_decide(policy, &subject, &decision);
	assert_int_equal(decision.limit_count, 2);
	assert_string_equal(decision.limits[0]->name, "few");
	assert_string_equal(decision.limits[1]->name, "all");
	addr = address("192.0.2.1");
	policy_decide(policy, &subject, &decision);
	assert_int_equal(decision.limit_count, 1);
	assert_string_equal(decision.limits[0]->name, "all");
	policy_free(&policy);
}

static void senders_and_recipients_are_those_of_the_rule(void **state)
{
	static const struct {
		const char *sender, *recipient, *entry; /* NULL: not allowed */
	} addresses[] = {
		{ "J@Corp.Example", NULL, "own" },
		{ "boss@corp.example", NULL, "boss@corp.example" },
		{ "x@PARTNER.example", NULL, "*@partner.example" },
		{ "x@sub.partner.example", NULL, NULL },
		{ "someone@corp.example", NULL, NULL },
		{ "", NULL, "<>" },
		{ NULL, "a@b.example", "*@*.example" },
		{ NULL, "a@x.org", "?@x.org" },
		{ NULL, "ab@x.org", NULL },
		{ NULL, "a@example", NULL },
		{ NULL, "a%other.org@b.example", NULL },
		{ NULL, "other.org!a@b.example", NULL },
		{ NULL, "\"a@other.org\"@b.example", NULL },
		{ NULL, "%@x.org", NULL },
		{ NULL, "\"a.b\"@b.example", "*@*.example" },
	};
	struct policy *policy = parse(document);
	struct sockaddr_in addr = address("192.0.2.1");
	struct span group = SPAN_LIT("Staff"), own = SPAN_LIT("j@corp.example");
	struct policy_subject subject = { .address = (struct sockaddr *)(void *)&addr,
		.listener = SPAN_LIT("submission"),
		.user = SPAN_LIT("j@corp.example"),
		.groups = &group,
		.group_count = 1,
		.addresses = &own,
		.address_count = 1 };
	struct policy_decision decision;
	const char *entry;

	(void)state;
	policy_decide(policy, &subject, &decision);
	assert_string_equal(decision.rule->name, "staff");
	assert_int_equal(decision.rule->size_max, 1 << 20);
	for (size_t i = 0; i < ARRAY_LEN(addresses); i++) {
		bool is_allowed = addresses[i].sender ? policy_sender_allowed(policy, &decision, &subject,
								span_of_str(addresses[i].sender), &entry)
						      : policy_recipient_allowed(policy, &decision,
								span_of_str(addresses[i].recipient), &entry);

		if (is_allowed != (addresses[i].entry != NULL) ||
			(is_allowed && strcmp(entry, addresses[i].entry) != 0))
			fail_msg("address %zu: %s", i, entry ? entry : "not allowed");
	}
	addr = address("10.1.1.1");
	subject.listener = SPAN_LIT("");
	subject.user = SPAN_LIT("");
	policy_decide(policy, &subject, &decision);
	assert_true(policy_sender_allowed(policy, &decision, &subject, SPAN_LIT("any@where"), &entry));
	assert_string_equal(entry, "");
	assert_true(policy_recipient_allowed(policy, &decision, SPAN_LIT("a%other.org@where"), &entry));
	assert_string_equal(entry, "");
	policy_free(&policy);
}

static void without_a_document_the_networks_of_the_settings_may_relay(void **state)
{
	struct cidr cidr;
	struct cidr_list networks = { &cidr, 1 }, none = { NULL, 0 };
	struct policy *policy;
	struct sockaddr_in addr = address("10.1.1.1");
	struct policy_subject subject = { .address = (struct sockaddr *)(void *)&addr };
	struct policy_decision decision;

	(void)state;
	assert_null(cidr_parse(SPAN_LIT("10.0.0.0/8"), &cidr));
	policy = policy_of_networks(&networks);
	policy_decide(policy, &subject, &decision);
	assert_int_equal(decision.verdict, POLICY_ALLOW);
	assert_string_equal(decision.rule->name, "relay.allow");
	addr = address("192.0.2.1");
	policy_decide(policy, &subject, &decision);
	assert_int_equal(decision.verdict, POLICY_DENY);
	policy_free(&policy);
	policy = policy_of_networks(&none);
	policy_decide(policy, &subject, &decision);
	assert_int_equal(decision.verdict, POLICY_DENY);
	policy_free(&policy);
}

/* --- against an evaluator that knows nothing of trees and sets ------------------------------------ */

enum { CASES = 1000, RULES_MAX = 30, WORDS = 4 };

static uint64_t seed = 0x5eed0002;

static unsigned draw(unsigned below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (unsigned)(seed >> 20) % below;
}

static const char *const networks[] = { "10.0.0.0/8", "10.1.0.0/16", "10.1.1.0/24", "192.0.2.0/25",
	"10.1.1.7/32", "0.0.0.0/0" };
static const char *const clients[] = { "10.1.1.7", "10.1.1.8", "10.1.2.1", "10.2.0.1", "192.0.2.5",
	"192.0.2.200", "198.51.100.1" };
static const char *const words[WORDS] = { "alpha", "beta", "gamma", "delta" };
static const char *const effects[] = { "allow", "deny", "require-auth", "require-tls" };

/* -1: not asked. */
struct naive_rule {
	int networks[2], listener, tls, user, group, helo;
	int effect;
};

struct naive_facts {
	const char *client;
	int listener, tls, user, group, helo; /* -1: none */
	unsigned later;
};

static int maybe(unsigned choices)
{
	return draw(3) ? -1 : (int)draw(choices);
}

static struct naive_rule draw_rule(void)
{
	struct naive_rule rule = { { maybe(ARRAY_LEN(networks)), -1 }, maybe(WORDS), maybe(3), maybe(WORDS),
		maybe(WORDS), maybe(WORDS), (int)draw(4) };

	if (rule.networks[0] >= 0)
		rule.networks[1] = maybe(ARRAY_LEN(networks));
	if (rule.effect == POLICY_EFFECT_REQUIRE_TLS)
		rule.tls = -1;
	return rule;
}

static void print_rule(const struct naive_rule *rule, struct buf *out)
{
	static const char *const tls_words[] = { "none", "any", "'1.3'" };

	buf_printf(out, "  - effect: %s\n    match:\n", effects[rule->effect]);
	if (rule->networks[0] >= 0)
		buf_printf(out, "      network: [%s%s%s]\n", networks[rule->networks[0]],
			rule->networks[1] >= 0 ? ", " : "",
			rule->networks[1] >= 0 ? networks[rule->networks[1]] : "");
	if (rule->listener >= 0)
		buf_printf(out, "      listener: %s\n", words[rule->listener]);
	if (rule->tls >= 0)
		buf_printf(out, "      tls: %s\n", tls_words[rule->tls]);
	if (rule->user >= 0)
		buf_printf(out, "      user: '%c*'\n", words[rule->user][0]);
	if (rule->group >= 0)
		buf_printf(out, "      group: [%s]\n", words[rule->group]);
	if (rule->helo >= 0)
		buf_printf(out, "      helo: '*%s'\n", words[rule->helo] + 1);
}

static bool naive_lies_in(const char *network, const char *client)
{
	struct sockaddr_in addr = address(client);
	struct cidr cidr;

	assert_null(cidr_parse(span_of_str(network), &cidr));
	return cidr_contains(&cidr, (struct sockaddr *)(void *)&addr);
}

/* 1 matches, 0 differs, -1 open with `open` added to. */
static int naive_match(const struct naive_rule *rule, const struct naive_facts *facts, unsigned *open)
{
	unsigned waits = 0;

	if (rule->networks[0] >= 0 && !naive_lies_in(networks[rule->networks[0]], facts->client) &&
		!(rule->networks[1] >= 0 && naive_lies_in(networks[rule->networks[1]], facts->client)))
		return 0;
	if (rule->listener >= 0 && rule->listener != facts->listener)
		return 0;
	if ((rule->tls == 0 && facts->tls != POLICY_TLS_NONE) ||
		(rule->tls == 2 && facts->tls == POLICY_TLS_1_2))
		return 0;
	if (rule->tls > 0 && facts->tls == POLICY_TLS_NONE)
		waits |= T;
	if ((rule->user >= 0 && facts->user >= 0 && rule->user != facts->user) ||
		(rule->group >= 0 && facts->user >= 0 && rule->group != facts->group) ||
		(rule->helo >= 0 && facts->helo >= 0 && rule->helo != facts->helo))
		return 0;
	if ((rule->user >= 0 || rule->group >= 0) && facts->user < 0)
		waits |= A;
	if (rule->helo >= 0 && facts->helo < 0)
		waits |= H;
	if (waits & ~facts->later)
		return 0;
	*open |= waits;
	return waits ? -1 : 1;
}

static enum policy_verdict naive_verdict(const struct naive_rule *rules, size_t count,
	const struct naive_facts *facts, int *rule_out, unsigned *open_out)
{
	unsigned hope = 0;
	bool has_hope = false;

	*rule_out = -1;
	*open_out = 0;
	for (size_t i = 0; i < count; i++) {
		unsigned open = 0;
		int match = naive_match(&rules[i], facts, &open);

		*open_out |= open;
		if (match < 0 && !has_hope && rules[i].effect != POLICY_EFFECT_DENY) {
			has_hope = true;
			hope = open;
		}
		if (match <= 0)
			continue;
		*rule_out = (int)i;
		if (rules[i].effect == POLICY_EFFECT_ALLOW ||
			(rules[i].effect == POLICY_EFFECT_REQUIRE_AUTH && facts->user >= 0) ||
			(rules[i].effect == POLICY_EFFECT_REQUIRE_TLS && facts->tls != POLICY_TLS_NONE))
			return POLICY_ALLOW;
		if (rules[i].effect == POLICY_EFFECT_REQUIRE_AUTH && facts->later & A) {
			*open_out |= A;
			return POLICY_NEEDS_AUTH;
		}
		if (rules[i].effect == POLICY_EFFECT_REQUIRE_TLS && facts->later & T) {
			*open_out |= T;
			return POLICY_NEEDS_TLS;
		}
		break;
	}
	return hope & T ? POLICY_NEEDS_TLS : hope & A ? POLICY_NEEDS_AUTH : POLICY_DENY;
}

static struct naive_facts draw_facts(void)
{
	struct naive_facts facts = { clients[draw(ARRAY_LEN(clients))], maybe(WORDS), (int)draw(3),
		maybe(WORDS), -1, maybe(WORDS), draw(8) };

	if (facts.user >= 0)
		facts.group = maybe(WORDS);
	if (facts.tls != POLICY_TLS_NONE)
		facts.later &= ~(unsigned)T;
	if (facts.user >= 0)
		facts.later &= ~(unsigned)A;
	if (facts.helo >= 0)
		facts.later &= ~(unsigned)H;
	return facts;
}

static struct span word(int index)
{
	return index < 0 ? (struct span){ 0 } : span_of_str(words[index]);
}

struct told {
	size_t steps, matches;
	const struct policy_rule *last;
};

static void on_step(void *arg, const struct policy_step *step)
{
	struct told *told = arg;

	assert_int_equal(step->rule->number, told->steps);
	told->steps++;
	told->matches += step->match == POLICY_MATCHES;
	told->last = step->rule;
}

static void check_case(const struct policy *policy, const struct naive_rule *rules, size_t count)
{
	struct naive_facts facts = draw_facts();
	struct sockaddr_in addr = address(facts.client);
	struct span group = word(facts.group);
	struct policy_subject subject = {
		.address = (struct sockaddr *)(void *)&addr,
		.listener = word(facts.listener),
		.tls = (enum policy_tls)facts.tls,
		.user = word(facts.user),
		.groups = &group,
		.group_count = facts.group >= 0,
		.helo = word(facts.helo),
		.later = facts.later,
	};
	struct policy_decision decided, explained;
	struct told told = { 0 };
	unsigned open;
	int rule;
	enum policy_verdict verdict = naive_verdict(rules, count, &facts, &rule, &open);

	policy_decide(policy, &subject, &decided);
	assert_int_equal(decided.verdict, verdict);
	assert_int_equal(decided.rule ? (int)decided.rule->number : -1, rule);
	assert_int_equal(decided.open, open);
	policy_explain(policy, &subject, on_step, &told, &explained);
	assert_memory_equal(&decided, &explained, sizeof(decided));
	assert_int_equal(told.steps, rule < 0 ? count : (size_t)rule + 1);
	assert_int_equal(told.matches, rule >= 0);
	if (rule >= 0)
		assert_ptr_equal(told.last, decided.rule);
}

static void decisions_are_those_of_a_naive_evaluator(void **state)
{
	(void)state;
	for (size_t i = 0; i < CASES / 10; i++) {
		struct naive_rule rules[RULES_MAX];
		size_t count = draw(RULES_MAX);
		struct buf text = { 0 };
		struct policy *policy;

		buf_append_str(&text, "clients:\n");
		for (size_t k = 0; k < count; k++) {
			rules[k] = draw_rule();
			print_rule(&rules[k], &text);
		}
		buf_append_byte(&text, '\0');
		policy = parse(buf_span(&text).ptr);
		for (size_t k = 0; k < 100; k++)
			check_case(policy, rules, count);
		policy_free(&policy);
		buf_fini(&text);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_rule_that_matches_decides),
		cmocka_unit_test(a_rule_brings_its_limits_and_the_global_ones_each_once),
		cmocka_unit_test(senders_and_recipients_are_those_of_the_rule),
		cmocka_unit_test(without_a_document_the_networks_of_the_settings_may_relay),
		cmocka_unit_test(decisions_are_those_of_a_naive_evaluator),
	};

	return cmocka_run_group_tests_name("policy_decide", tests, NULL, NULL);
}
