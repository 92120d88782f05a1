#include "cmocka_all.h"

#include "policy_rows.h"

#include "skein/cluster/policy.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#define FILTER "filters: {rspamd: {host: 127.0.0.1, port: 11332}}\n"
#define CLIENT "clients: [{name: printers, effect: deny}]\n"
#define ENTRY  "inspect:\n  - "

static struct policy *parse(const char *text)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(span_of_str(text), "p.yaml", &report);

	if (!policy || report.warnings)
		fail_msg("%.*s", SPAN_ARGS(buf_span(&report.text)));
	report_fini(&report);
	return policy;
}

static void what_is_wrong_is_told_with_place_and_cure(void **state)
{
	static const struct policy_row rows[] = {
		{ ENTRY "{spf: yes}\n",
			"p.yaml:2:11: $.inspect[0].spf: \"yes\" is not one of off, tag, reject\n" },
		{ ENTRY "{dkmi: tag}\n",
			"p.yaml:2:6: $.inspect[0]: unknown key \"dkmi\", did you mean \"dkim\"?\n" },
		{ ENTRY "{dkim: reject}\n",
			"p.yaml:2:12: $.inspect[0].dkim: cannot be reject: a bad signature is as good as "
			"none (RFC "
			"6376 6.1). Say tag; dmarc: reject refuses where the domain wishes it\n" },
		{ ENTRY "{dmarc: tag, spf: off}\n", "p.yaml:2:23: $.inspect[0].spf: is off, and dmarc goes "
						    "by what it finds: leave the key "
						    "out, or say tag\n" },
		{ ENTRY "{dmarc: reject, spf: reject, dkim: off}\n",
			"p.yaml:2:40: $.inspect[0].dkim: is off, and dmarc goes by what it finds: leave the "
			"key "
			"out, or say tag\n" },
		{ ENTRY "{spf: tag, on_error: reject}\n",
			"p.yaml:2:26: $.inspect[0].on_error: \"reject\" is not one of accept, defer\n" },
		{ FILTER ENTRY "{on_error: defer, filters: rspamd}\n",
			"p.yaml:3:16: $.inspect[0].on_error: has no effect: neither spf, dkim nor dmarc is "
			"on, and "
			"each filter has its own\n" },
		{ FILTER ENTRY "{filters: [rspam]}\n",
			"p.yaml:3:16: $.inspect[0].filters[0]: there is no filter \"rspam\", did you mean "
			"\"rspamd\"?\n" },
		{ FILTER ENTRY "{filters: [rspamd, rspamd]}\n",
			"p.yaml:3:24: $.inspect[0].filters[1]: \"rspamd\" is named twice\n" },
		{ FILTER ENTRY "{filters: []}\n", "p.yaml:3:15: $.inspect[0].filters: is empty: leave the "
						  "key out, or say what it may be\n" },
		{ CLIENT ENTRY "{spf: tag, match: {client: [printer]}}\n",
			"p.yaml:3:33: $.inspect[0].match.client[0]: there is no rule \"printer\", did you "
			"mean "
			"\"printers\"?\n" },
		{ CLIENT ENTRY "{spf: tag, match: {client: []}}\n",
			"p.yaml:3:32: $.inspect[0].match.client: is empty: leave the key out, or say what it "
			"may "
			"be\n" },
		{ ENTRY "{spf: tag, match: {listener: []}}\n", "p.yaml:2:34: $.inspect[0].match.listener: is "
							       "empty: leave the key out, or say what it may "
							       "be\n" },
		{ ENTRY "{spf: tag, match: {network: [10.0.0.1/8]}}\n",
			"p.yaml:2:34: $.inspect[0].match.network[0]: \"10.0.0.1/8\" has bits set beyond its "
			"prefix: write the first address of the network\n" },
		{ ENTRY "{spf: tag, match: {network: 'list:mx'}}\n",
			"p.yaml:2:33: $.inspect[0].match.network[0]: there is no list \"mx\"\n" },
		{ ENTRY "{spf: tag, match: {group: 'a*'}}\n", "p.yaml:2:31: $.inspect[0].match.group[0]: "
							      "\"a*\" is no name of a group: a name without "
							      "\"/[]:;|,+*?<>, or a distinguished name\n" },
		{ ENTRY "{name: a, match: {listener: x}}\n  - {name: a}\n",
			"p.yaml:3:12: $.inspect[1].name: \"a\" is also the name of inspect[0]\n" },
		{ "filters: [a]\n", "p.yaml:1:10: $.filters: expected a section, got a list\n" },
		{ "filters:\n  a: {}\n",
			"p.yaml:2:3: $.filters.a: has no place: host and port are wanted, or the path of a "
			"socket\n" },
		{ "filters:\n  a: {host: h.example}\n", "p.yaml:2:13: $.filters.a.host: needs port too: that "
							"on which the filter listens, such as "
							"11332 of rspamd\n" },
		{ "filters:\n  a: {host: h.example, port: 1, socket: /x}\n",
			"p.yaml:2:41: $.filters.a.socket: is a second place beside host: one of them has to "
			"go\n" },
		{ "filters:\n  a: {socket: /x, port: 1}\n",
			"p.yaml:2:25: $.filters.a.port: has no effect without host\n" },
		{ "filters:\n  a: {socket: run/x}\n",
			"p.yaml:2:15: $.filters.a.socket: \"run/x\" is no path from the root, such as "
			"/run/milter.sock\n" },
		{ "filters:\n  a: {host: 'a b', port: 1}\n",
			"p.yaml:2:13: $.filters.a.host: \"a b\" is not a domain name or an IP address\n" },
		{ "filters:\n  a: {socket: /x, connect: 2s, answer: 3s, total: 1s}\n",
			"p.yaml:2:28: $.filters.a.connect: must not be larger than total\n"
			"p.yaml:2:40: $.filters.a.answer: must not be larger than total\n" },
		{ "filters:\n  a: {socket: /x, total: 11m}\n",
			"p.yaml:2:26: $.filters.a.total: 11m is outside 100ms..10m\n" },
		{ "filters:\n  a: {socket: /x, on_error: ignore}\n",
			"p.yaml:2:29: $.filters.a.on_error: \"ignore\" is not one of accept, defer, "
			"reject\n" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), false);
}

static void entries_that_nothing_comes_to_are_warned_of(void **state)
{
#define NEVER(line, number, name)                                                                            \
	"p.yaml:" line ":5: $.inspect[" number "]: warning: never counts: \"" name                           \
	"\" before it takes all that it would\n"
	static const struct policy_row rows[] = {
		{ ENTRY "{name: all}\n  - {spf: tag, match: {network: 10.0.0.0/8}}\n",
			NEVER("3", "1", "all") },
		{ ENTRY "{name: all, match: {network: 10.0.0.0/8}}\n  - {spf: tag}\n", "" },
		{ ENTRY "{name: ten, match: {network: [10.0.0.0/8, '::/0']}}\n"
			"  - {spf: tag, match: {network: [10.1.0.0/16, '2001:db8::/32']}}\n",
			NEVER("3", "1", "ten") },
		{ ENTRY "{name: ten, match: {network: 10.0.0.0/8}}\n"
			"  - {spf: tag, match: {network: [10.1.0.0/16, 192.0.2.0/24]}}\n",
			"" },
		{ ENTRY "{name: mx, match: {listener: 'mx*'}}\n  - {spf: tag, match: {listener: mx1}}\n",
			NEVER("3", "1", "mx") },
		{ CLIENT ENTRY "{name: p, match: {client: printers}}\n"
			       "  - {spf: tag, match: {client: printers, helo: x}}\n",
			NEVER("4", "1", "p") },
		{ CLIENT ENTRY "{name: p, match: {client: printers}}\n  - {spf: tag, match: {helo: x}}\n",
			"" },
	};
#undef NEVER

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), true);
}

static void filters_that_outlast_a_client_are_warned_of(void **state)
{
	static const struct policy_row rows[] = {
		{ "filters: {a: {socket: /a, total: 5m}, b: {socket: /b, total: 5m}}\n" ENTRY
		  "{filters: [a, b]}\n",
			"" },
		{ "filters: {a: {socket: /a, total: 5m}, b: {socket: /b, total: 301s}}\n" ENTRY
		  "{filters: [a, b]}\n",
			"p.yaml:3:15: $.inspect[0].filters: warning: may take 11 minutes together, and "
			"clients "
			"wait for no more than 10 (RFC 5321 4.5.3.2.6)\n" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), true);
}

static void what_is_said_is_there_and_what_is_not_is_usual(void **state)
{
	struct policy *policy =
		parse("inspect:\n"
		      "  - {match: {listener: inside}}\n"
		      "  - {name: strict, comment: Ticket 7, spf: reject, dkim: tag, dmarc: reject,\n"
		      "     on_error: defer, filters: [local, rspamd]}\n"
		      "filters:\n"
		      "  rspamd: {host: 127.0.0.1, port: 11332, connect: 2s, answer: 10s, total: 1m,\n"
		      "    on_error: reject}\n"
		      "  local: {socket: /run/milter.sock}\n"
		      "  quick: {socket: /run/quick.sock, total: 1s}\n");
	const struct inspection *inside = policy_inspection(policy, 0),
				*strict = policy_inspection(policy, 1);
	const struct inspection_filter *filters;
	size_t count;

	(void)state;
	assert_int_equal(policy_inspection_count(policy), 2);
	assert_string_equal(inside->name, "inspect[0]");
	assert_string_equal(inside->comment, "");
	for (enum inspection_check check = 0; check < INSPECTION_CHECKS; check++)
		assert_int_equal(inside->actions[check], INSPECTION_OFF);
	assert_int_equal(inside->on_error, INSPECTION_TROUBLE_ACCEPT);
	assert_int_equal(inside->filter_count, 0);
	assert_string_equal(strict->name, "strict");
	assert_string_equal(strict->comment, "Ticket 7");
	assert_int_equal(strict->number, 1);
	assert_int_equal(strict->actions[INSPECTION_SPF], INSPECTION_REJECT);
	assert_int_equal(strict->actions[INSPECTION_DKIM], INSPECTION_TAG);
	assert_int_equal(strict->actions[INSPECTION_DMARC], INSPECTION_REJECT);
	assert_int_equal(strict->on_error, INSPECTION_TROUBLE_DEFER);

	filters = policy_filters(policy, &count);
	assert_int_equal(count, 3);
	assert_int_equal(strict->filter_count, 2);
	assert_ptr_equal(strict->filters[0], &filters[1]);
	assert_ptr_equal(strict->filters[1], &filters[0]);
	assert_string_equal(filters[0].name, "rspamd");
	assert_string_equal(filters[0].host, "127.0.0.1");
	assert_int_equal(filters[0].port, 11332);
	assert_string_equal(filters[0].path, "");
	assert_int_equal(filters[0].connect_ms, 2000);
	assert_int_equal(filters[0].answer_ms, 10000);
	assert_int_equal(filters[0].total_ms, 60000);
	assert_int_equal(filters[0].on_error, INSPECTION_TROUBLE_REJECT);
	assert_string_equal(filters[1].host, "");
	assert_string_equal(filters[1].path, "/run/milter.sock");
	assert_int_equal(filters[1].connect_ms, 5000);
	assert_int_equal(filters[1].answer_ms, 30000);
	assert_int_equal(filters[1].total_ms, 120000);
	assert_int_equal(filters[1].on_error, INSPECTION_TROUBLE_DEFER);
	assert_int_equal(filters[2].connect_ms, 1000);
	assert_int_equal(filters[2].answer_ms, 1000);
	policy_free(&policy);
}

static void dmarc_has_spf_and_dkim_looked_at(void **state)
{
	static const struct {
		const char *checks;
		enum inspection_action spf, dkim, dmarc;
	} rows[] = {
		{ "dmarc: tag", INSPECTION_TAG, INSPECTION_TAG, INSPECTION_TAG },
		{ "dmarc: reject", INSPECTION_TAG, INSPECTION_TAG, INSPECTION_REJECT },
		{ "dmarc: tag, spf: reject", INSPECTION_REJECT, INSPECTION_TAG, INSPECTION_TAG },
		{ "dmarc: off, dkim: tag", INSPECTION_OFF, INSPECTION_TAG, INSPECTION_OFF },
		{ "spf: off, dkim: off", INSPECTION_OFF, INSPECTION_OFF, INSPECTION_OFF },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char text[128];
		struct policy *policy;
		const struct inspection *inspection;

		snprintf(text, sizeof(text), "inspect: [{%s}]\n", rows[i].checks);
		policy = parse(text);
		inspection = policy_inspection(policy, 0);
		assert_int_equal(inspection->actions[INSPECTION_SPF], rows[i].spf);
		assert_int_equal(inspection->actions[INSPECTION_DKIM], rows[i].dkim);
		assert_int_equal(inspection->actions[INSPECTION_DMARC], rows[i].dmarc);
		policy_free(&policy);
	}
}

static void the_first_entry_that_matches_counts(void **state)
{
	static const struct {
		const char *address, *listener, *user, *group, *helo, *rule, *name; /* NULL: none */
		enum policy_tls tls;
	} rows[] = {
		{ .address = "10.1.2.3", .name = "inside" },
		{ .address = "10.66.0.1", .name = "inside" },
		{ .address = "10.66.0.1", .listener = "mx2", .name = "quarantine" },
		{ .address = "192.0.2.1", .name = NULL },
		{ .address = "192.0.2.1", .listener = "MX1", .name = "outside" },
		{ .address = "192.0.2.1", .listener = "mx1", .rule = "Partners", .name = "partners" },
		{ .address = "192.0.2.1", .rule = "partners", .name = "partners" },
		{ .address = "192.0.2.1", .rule = "staff", .name = NULL },
		{ .address = "2001:db8::1", .name = "v6" },
		{ .address = "2001:db9::1", .name = NULL },
		{ .address = "2001:db9::1", .user = "bob", .name = "bob" },
		{ .address = "2001:db9::1", .user = "eve", .name = NULL },
		{ .address = "2001:db9::1", .user = "eve", .group = "bulk", .name = NULL },
		{ .address = "2001:db9::1",
			.user = "eve",
			.group = "bulk",
			.tls = POLICY_TLS_1_3,
			.name = "bulk" },
		{ .address = "192.0.2.1", .helo = "scanner-1.example", .name = "scanners" },
	};
	struct policy *policy =
		parse("clients:\n"
		      "  - {name: partners, effect: deny, match: {helo: p}}\n"
		      "  - {name: staff, effect: deny}\n"
		      "inspect:\n"
		      "  - {name: quarantine, match: {network: 10.66.0.0/16, listener: 'mx*'}}\n"
		      "  - {name: inside, match: {network: [10.0.0.0/8, 172.16.0.0/12]}}\n"
		      "  - {name: partners, match: {client: partners}}\n"
		      "  - {name: outside, match: {listener: 'mx*'}}\n"
		      "  - {name: v6, match: {network: '2001:db8::/32'}}\n"
		      "  - {name: bob, match: {user: bob}}\n"
		      "  - {name: bulk, match: {group: bulk, tls: any}}\n"
		      "  - {name: scanners, match: {helo: 'scanner-*'}}\n");

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct sockaddr_storage address = { .ss_family = AF_INET };
		const struct span group = span_of_str(rows[i].group);
		const struct policy_subject subject = {
			.address = (const struct sockaddr *)&address,
			.listener = span_of_str(rows[i].listener),
			.user = span_of_str(rows[i].user),
			.groups = &group,
			.group_count = rows[i].group != NULL,
			.helo = span_of_str(rows[i].helo),
			.tls = rows[i].tls,
		};
		const struct inspection *found;

		if (inet_pton(AF_INET, rows[i].address, &((struct sockaddr_in *)&address)->sin_addr) != 1) {
			address.ss_family = AF_INET6;
			assert_int_equal(inet_pton(AF_INET6, rows[i].address,
						 &((struct sockaddr_in6 *)&address)->sin6_addr),
				1);
		}
		found = policy_find_inspection(policy, &subject, span_of_str(rows[i].rule));
		if (found ? !rows[i].name || strcmp(found->name, rows[i].name) != 0 : rows[i].name != NULL)
			fail_msg("row %zu: %s", i, found ? found->name : "none");
	}
	policy_free(&policy);
}

static void groups_that_only_an_inspection_asks_about_are_told(void **state)
{
	struct policy *policy = parse("clients: [{effect: allow, match: {group: [Staff]}}]\n"
				      "inspect: [{match: {group: [Bulk, Staff]}}]\n");
	struct text_list groups = policy_groups(policy);

	(void)state;
	assert_int_equal(groups.count, 2);
	assert_string_equal(groups.items[0], "Staff");
	assert_string_equal(groups.items[1], "Bulk");
	policy_free(&policy);
}

static void without_a_document_nothing_is_looked_at(void **state)
{
	const struct cidr network = { { 10 }, 8, false };
	const struct cidr_list networks = { &network, 1 };
	struct policy *policy = policy_of_networks(&networks);
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(0x0a000001) };
	const struct policy_subject subject = { .address = (const struct sockaddr *)&address };

	(void)state;
	assert_null(policy_find_inspection(policy, &subject, SPAN_LIT("relay.allow")));
	policy_free(&policy);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told_with_place_and_cure),
		cmocka_unit_test(entries_that_nothing_comes_to_are_warned_of),
		cmocka_unit_test(filters_that_outlast_a_client_are_warned_of),
		cmocka_unit_test(what_is_said_is_there_and_what_is_not_is_usual),
		cmocka_unit_test(dmarc_has_spf_and_dkim_looked_at),
		cmocka_unit_test(the_first_entry_that_matches_counts),
		cmocka_unit_test(groups_that_only_an_inspection_asks_about_are_told),
		cmocka_unit_test(without_a_document_nothing_is_looked_at),
	};

	return cmocka_run_group_tests_name("policy_inspect", tests, NULL, NULL);
}
