#include "cmocka_all.h"

#include "policy_rows.h"

#include "skein/cluster/policy.h"

#include <stdio.h>

#define RULE "clients:\n  - effect: allow\n"

static void what_is_wrong_is_told_with_place_and_cure(void **state)
{
	static const struct policy_row rows[] = {
		{ "client: []\n", "p.yaml:1:1: unknown key \"client\", did you mean \"clients\"?\n" },
		{ "clients: {}\n", "p.yaml:1:10: $.clients: expected a list, got a section\n" },
		{ "clients:\n  - name: a\n", "p.yaml:2:5: $.clients[0]: \"effect\" is missing\n" },
		{ "clients:\n  - effect: permit\n", "p.yaml:2:13: $.clients[0].effect: \"permit\" is not one "
						    "of allow, deny, require-auth, "
						    "require-tls\n" },
		{ RULE "    match: {netwrok: 10.0.0.0/8}\n", "p.yaml:3:13: $.clients[0].match: unknown key "
							     "\"netwrok\", did you mean \"network\"?\n" },
		{ RULE "    match:\n      network: [10.0.0.0/8, 10.0.0.1/8]\n",
			"p.yaml:4:29: $.clients[0].match.network[1]: \"10.0.0.1/8\" has bits set beyond its "
			"prefix: write the first address of the network\n" },
		{ RULE "    match:\n      network: printers\n",
			"p.yaml:4:16: $.clients[0].match.network[0]: \"printers\" is not a network such as "
			"10.0.0.0/8 or 2001:db8::/32\n" },
		{ RULE "    match: {network: []}\n", "p.yaml:3:22: $.clients[0].match.network: is empty: "
						     "leave the key out, or say what it may "
						     "be\n" },
		{ "lists: {offices: {networks: [10.0.0.0/8]}}\n" RULE "    match: {network: 'list:ofices'}\n",
			"p.yaml:4:22: $.clients[0].match.network[0]: there is no list \"ofices\", did you "
			"mean "
			"\"offices\"?\n" },
		{ "lists: {offices: {networks: [10.0.0.0/8]}}\n" RULE "    senders: list:offices\n",
			"p.yaml:4:14: $.clients[0].senders[0]: the list \"offices\" has no addresses\n" },
		{ "lists:\n  bad: {networks: [10.0.0.0/8, x], addresses: [y, 'list:z']}\n",
			"p.yaml:2:32: $.lists.bad.networks[1]: \"x\" is not a network such as 10.0.0.0/8 or "
			"2001:db8::/32\n"
			"p.yaml:2:48: $.lists.bad.addresses[0]: \"y\" is no address, domain or pattern such "
			"as "
			"*@example.org\n"
			"p.yaml:2:51: $.lists.bad.addresses[1]: a list cannot name another list\n" },
		{ "lists: {a: {}}\n", "p.yaml:1:9: $.lists.a: has neither networks nor addresses\n" },
		{ "lists:\n  a: {networks: ['::1']}\n  a: {networks: ['::1']}\n",
			"p.yaml:3:3: $.lists: key \"a\" is there twice\n" },
		{ "lists:\n  'a b': {networks: ['::1']}\n",
			"p.yaml:2:3: $.lists: \"a b\" may only have letters, digits, '.', '-' and '_'\n" },
		{ "lists: [a]\n", "p.yaml:1:8: $.lists: expected a section, got a list\n" },
		{ "clients:\n  - {name: a, effect: allow, match: {helo: x}}\n  - {name: a, effect: deny}\n",
			"p.yaml:3:12: $.clients[1].name: \"a\" is also the name of clients[0]\n" },
		{ RULE "    limits: [bulk]\n",
			"p.yaml:3:14: $.clients[0].limits[0]: there is no limit \"bulk\"\n" },
		{ "limits: {bulk: {key: client, rate: 1/s}}\n" RULE "    limits: [bluk]\n",
			"p.yaml:4:14: $.clients[0].limits[0]: there is no limit \"bluk\", did you mean "
			"\"bulk\"?\n" },
		{ "limits:\n  a: {key: clients, rate: 1/s}\n",
			"p.yaml:2:12: $.limits.a.key: \"clients\" is not one of client, user, sender, "
			"sender_domain, recipient_domain, route, cluster\n" },
		{ "limits:\n  a: {rate: 1/s}\n", "p.yaml:2:6: $.limits.a: \"key\" is missing\n" },
		{ "limits:\n  a: {key: client, rate: 100}\n", "p.yaml:2:26: $.limits.a.rate: expected a rate "
							      "such as 100/min, 14/s or 10GiB/day, got "
							      "\"100\"\n" },
		{ "limits:\n  a: {key: client, rate: 1GiB/day}\n",
			"p.yaml:2:26: $.limits.a.rate: expected an integer, got \"1GiB\"\n" },
		{ "limits:\n  a: {key: client, rate: 0/s}\n",
			"p.yaml:2:26: $.limits.a.rate: 0 is outside 1..1000000000000\n" },
		{ "limits:\n  a: {key: client, rate: 1/fortnight}\n",
			"p.yaml:2:26: $.limits.a.rate: the period \"fortnight\" is not s, min, h, day or a "
			"duration "
			"such as 10m\n" },
		{ "limits:\n  a: {key: client, rate: 1/s, burst: many}\n",
			"p.yaml:2:38: $.limits.a.burst: expected an integer, got \"many\"\n" },
		{ "limits:\n  a: {key: client, rate: 1/day, burst: 1000000000000}\n",
			"p.yaml:2:40: $.limits.a.burst: the burst takes more than 95 years to come again: a "
			"smaller burst or a higher rate is wanted\n" },
		{ "limits:\n  a: {key: client, rate: 10000000/s, burst: 1}\n",
			"p.yaml:2:45: $.limits.a.burst: the rate is above what can be counted: one per "
			"microsecond, or a burst that takes longer\n" },
		{ "limits:\n  a: {key: user, rate: 1/s, count: connections}\n",
			"p.yaml:2:36: $.limits.a.count: connections are counted by client or cluster, not by "
			"user\n" },
		{ "limits:\n  a: {key: sender, count: connections, rate: 1/s}\n  b: {key: route, count: "
		  "auth_failures, rate: 1/s}\n",
			"p.yaml:2:27: $.limits.a.count: connections are counted by client or cluster, not by "
			"sender\n"
			"p.yaml:3:26: $.limits.b.count: auth_failures are counted by client or cluster, "
			"not by route\n" },
		{ RULE "    senders: [own, 'a@b@c']\n", "p.yaml:3:20: $.clients[0].senders[1]: \"a@b@c\" is "
							"no address, domain or pattern such as "
							"*@example.org\n" },
		{ RULE "    recipients: [own]\n", "p.yaml:3:18: $.clients[0].recipients[0]: \"own\" is no "
						  "address, domain or pattern such as "
						  "*@example.org\n" },
		{ RULE "    match: {group: ['Mail*']}\n", "p.yaml:3:21: $.clients[0].match.group[0]: "
							  "\"Mail*\" is no name of a group: a name without "
							  "\"/[]:;|,+*?<>, or a distinguished name\n" },
		{ RULE "    match: {certificate: 'sha256:abc'}\n",
			"p.yaml:3:26: $.clients[0].match.certificate[0]: expected sha256: and 64 hexadecimal "
			"digits, got \"sha256:abc\"\n" },
		{ "clients:\n  - {effect: deny, senders: own}\n",
			"p.yaml:2:5: $.clients[0]: denies, so senders, recipients and size have no effect: "
			"match "
			"on them is not possible\n" },
		{ "clients:\n  - {effect: require-tls, match: {tls: none}}\n",
			"p.yaml:2:5: $.clients[0]: matches without TLS only, and requires it: leave "
			"match.tls "
			"out\n" },
		{ "abuse: {exempt: [10.0.0.1/8], ban: forever}\n",
			"p.yaml:1:36: $.abuse.ban: expected a duration such as 500ms, 5s, 3m, 2h or 1d, got "
			"\"forever\"\n" },
		{ "abuse: {exempt: [10.0.0.1/8]}\n",
			"p.yaml:1:18: $.abuse.exempt[0]: \"10.0.0.1/8\" has bits set beyond its prefix: "
			"write the first address of the network\n" },
		{ "clients: [\n", "p.yaml:2:1: did not find expected node content\n" },
		{ "a: &x 1\n", "p.yaml:1:4: anchors and aliases are not supported\n" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), false);
}

static void rules_that_can_never_match_are_warned_of(void **state)
{
#define NEVER(line, number, name)                                                                            \
	"p.yaml:" line ":5: $.clients[" number "]: warning: can never match: \"" name                        \
	"\" before it matches all that it does\n"
	static const struct policy_row rows[] = {
		{ "clients:\n  - {name: all, effect: deny}\n  - {effect: allow, match: {network: "
		  "10.0.0.0/8}}\n",
			NEVER("3", "1", "all") },
		{ "clients:\n  - {name: ten, effect: deny, match: {network: 10.0.0.0/8}}\n"
		  "  - {effect: allow, match: {network: [10.1.0.0/16, 10.2.0.0/16]}}\n",
			NEVER("3", "1", "ten") },
		{ "clients:\n  - {name: ten, effect: deny, match: {network: 10.0.0.0/8}}\n"
		  "  - {effect: allow, match: {network: [10.1.0.0/16, 192.0.2.0/24]}}\n",
			"" },
		{ "clients:\n  - {name: ten, effect: deny, match: {network: 10.0.0.0/8, helo: x}}\n"
		  "  - {effect: allow, match: {network: 10.1.0.0/16}}\n",
			"" },
		{ "clients:\n  - {name: u, effect: deny, match: {user: '*'}}\n"
		  "  - {effect: allow, match: {user: [a, b], tls: any}}\n",
			NEVER("3", "1", "u") },
		{ "clients:\n  - {name: t, effect: deny, match: {tls: any}}\n"
		  "  - {effect: deny, match: {tls: '1.3'}}\n  - {effect: deny, match: {tls: none}}\n",
			NEVER("3", "1", "t") },
		{ "clients:\n  - {name: g, effect: allow, match: {group: [A, B]}}\n"
		  "  - {effect: allow, match: {group: [b, c]}}\n  - {effect: allow, match: {group: [b]}}\n",
			NEVER("4", "2", "g") },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), true);
}

static void a_rule_for_anybody_is_warned_of(void **state)
{
#define OPEN                                                                                                 \
	"p.yaml:2:5: $.clients[0]: warning: anybody may send anywhere (an open relay): say under match who " \
	"(network, user, group, certificate, listener), or name recipients\n"
	static const struct policy_row rows[] = {
		{ "clients:\n  - {effect: allow}\n", OPEN },
		{ "clients:\n  - {effect: require-tls}\n", OPEN },
		{ "clients:\n  - {effect: allow, senders: ['*@a.example'], match: {helo: x, tls: any}}\n",
			OPEN },
		{ "clients:\n  - {effect: allow, match: {network: [10.0.0.0/8, 0.0.0.0/0]}}\n", OPEN },
		{ "clients:\n  - {effect: allow, match: {network: '::/0'}}\n", OPEN },
		{ "clients:\n  - {effect: allow, match: {network: 10.0.0.0/8}}\n", "" },
		{ "clients:\n  - {effect: allow, match: {network: 0.0.0.0/0, user: a}}\n", "" },
		{ "clients:\n  - {effect: allow, match: {listener: inside}}\n", "" },
		{ "clients:\n  - {effect: allow, recipients: ['*@a.example']}\n", "" },
		{ "clients:\n  - {effect: require-auth}\n", "" },
		{ "clients:\n  - {effect: deny}\n", "" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), true);
}

static void a_limit_that_counts_nothing_is_warned_of(void **state)
{
	static const struct policy_row rows[] = {
		{ "limits:\n  a: {key: user, count: auth_failures, rate: 1/s}\n",
			"p.yaml:2:25: $.limits.a.count: warning: counts nothing: who fails to log in is no "
			"user "
			"yet. abuse.failures.account counts by account\n" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), true);
}

static void rates_become_numbers(void **state)
{
	static const struct {
		const char *text;
		struct limit_rule limit;
	} rows[] = {
		{ "{key: client, rate: 100/min}",
			{ "a", LIMIT_PER_CLIENT, LIMIT_MESSAGES, 100, 60000000, 100, 0 } },
		{ "{key: user, count: recipients, rate: 14/s, burst: 50, action: reject}",
			{ "a", LIMIT_PER_USER, LIMIT_RECIPIENTS, 14, 1000000, 50, LIMIT_REJECT } },
		{ "{key: cluster, count: bytes, rate: 10GiB/day, burst: 1GiB}",
			{ "a", LIMIT_PER_CLUSTER, LIMIT_BYTES, 10ull << 30, 86400000000, 1ull << 30, 0 } },
		{ "{key: client, count: connections, rate: 5/10m}",
			{ "a", LIMIT_PER_CLIENT, LIMIT_CONNECTIONS, 5, 600000000, 5, 0 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report report = { 0 };
		char text[200];
		const struct limit_rule *limit;
		struct policy *policy;
		size_t count;

		snprintf(text, sizeof(text), "limits: {a: %s}\n", rows[i].text);
		policy = policy_parse(span_of_str(text), "p.yaml", &report);
		assert_non_null(policy);
		limit = policy_limits(policy, &count);
		assert_int_equal(count, 1);
		assert_string_equal(limit->name, rows[i].limit.name);
		assert_int_equal(limit->key, rows[i].limit.key);
		assert_int_equal(limit->unit, rows[i].limit.unit);
		assert_int_equal(limit->rate, rows[i].limit.rate);
		assert_int_equal(limit->period_us, rows[i].limit.period_us);
		assert_int_equal(limit->burst, rows[i].limit.burst);
		assert_int_equal(limit->action, rows[i].limit.action);
		policy_free(&policy);
		report_fini(&report);
	}
}

/* All that can be said is taken, but for what nobody could count. */
static void a_limit_counts_what_its_key_has(void **state)
{
	static const unsigned of_connections = 1u << LIMIT_PER_CLIENT | 1u << LIMIT_PER_CLUSTER;
	static const unsigned of_failures = of_connections | 1u << LIMIT_PER_USER;

	(void)state;
	for (enum limit_key key = 0; key < LIMIT_KEYS; key++)
		for (enum limit_unit unit = 0; unit < LIMIT_UNITS; unit++) {
			unsigned fits = unit == LIMIT_CONNECTIONS     ? of_connections
					: unit == LIMIT_AUTH_FAILURES ? of_failures
								      : ~0u;
			struct report report = { 0 };
			struct policy *policy;
			char text[200];

			snprintf(text, sizeof(text), "limits: {a: {key: %s, count: %s, rate: 1/s}}\n",
				limit_key_names[key], limit_unit_names[unit]);
			policy = policy_parse(span_of_str(text), "p.yaml", &report);
			if (!policy != !(fits & 1u << key))
				fail_msg("%s: %.*s", text, SPAN_ARGS(buf_span(&report.text)));
			policy_free(&policy);
			report_fini(&report);
		}
}

/* A list of 1000 in 1000 rules is as much as there may be, and one more is told of where it stands. */
static void lists_are_not_written_out_without_end(void **state)
{
	static const char *const tails[] = { "",
		"- {effect: allow, senders: x.org}\n"
		"- {effect: allow, match: {network: 10.0.0.1}}\n"
		"routes: [{to: [{direct: true}], match: {recipient: x.org}}]\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(tails); i++) {
		struct buf text = { 0 };
		struct report report = { 0 };
		struct policy *policy;

		buf_append_str(&text, "lists: {l: {addresses: [a@b.org");
		for (int k = 1; k < 1000; k++)
			buf_printf(&text, ", a%d@b.org", k);
		buf_append_str(&text, "]}}\nclients:\n");
		for (int k = 0; k < 1000; k++)
			buf_append_str(&text, "- {effect: allow, match: {helo: a}, recipients: list:l}\n");
		buf_append_str(&text, tails[i]);
		policy = policy_parse(buf_span(&text), "p.yaml", &report);
		assert_int_equal(policy != NULL, i == 0);
		assert_int_equal(report.errors, i > 0 ? 3 : 0);
		buf_append_byte(&report.text, '\0');
		assert_int_equal(
			strstr(buf_span(&report.text).ptr, "1 entries, lists written out") != NULL, i > 0);
		policy_free(&policy);
		report_fini(&report);
		buf_fini(&text);
	}
}

static void an_empty_document_is_a_policy_that_lets_nobody_in(void **state)
{
	static const char *const texts[] = { "", "# only a comment\n", "clients:\n", "clients: []\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct report report = { 0 };
		struct policy *policy = policy_parse(span_of_str(texts[i]), "p.yaml", &report);

		assert_non_null(policy);
		assert_int_equal(policy_rule_count(policy), 0);
		assert_int_equal(policy_abuse(policy)->failures_address, 10);
		policy_free(&policy);
		report_fini(&report);
	}
}

/* Every beginning of a document either parses or is told of, and nothing else happens. */
static void a_document_cut_anywhere_does_no_harm(void **state)
{
	static const char text[] =
		"lists: {a: {networks: [10.0.0.0/8], addresses: ['*@x.org', own]}}\n"
		"limits:\n  l: {key: user, count: bytes, rate: 1GiB/h, global: true}\n"
		"abuse: {failures: {address: 3}, exempt: list:a}\n"
		"clients:\n  - name: r\n    match: {network: list:a, certificate: ['CN=*'], group: [G]}\n"
		"    effect: require-auth\n    senders: [own, '<>', list:a]\n    limits: [l]\n";

	(void)state;
	for (size_t len = 0; len < sizeof(text); len++) {
		struct report report = { 0 };
		struct policy *policy = policy_parse(span_of(text, len), "p.yaml", &report);

		assert_int_equal(policy == NULL, report.errors > 0);
		policy_free(&policy);
		report_fini(&report);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told_with_place_and_cure),
		cmocka_unit_test(rules_that_can_never_match_are_warned_of),
		cmocka_unit_test(a_rule_for_anybody_is_warned_of),
		cmocka_unit_test(a_limit_that_counts_nothing_is_warned_of),
		cmocka_unit_test(rates_become_numbers),
		cmocka_unit_test(a_limit_counts_what_its_key_has),
		cmocka_unit_test(lists_are_not_written_out_without_end),
		cmocka_unit_test(an_empty_document_is_a_policy_that_lets_nobody_in),
		cmocka_unit_test(a_document_cut_anywhere_does_no_harm),
	};

	return cmocka_run_group_tests_name("policy_parse", tests, NULL, NULL);
}
