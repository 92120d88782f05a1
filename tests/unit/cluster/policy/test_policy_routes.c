#include "cmocka_all.h"

#include "policy_rows.h"

#include "skein/cluster/policy.h"

#include <stdio.h>

/* --- what is told -------------------------------------------------------------------------------- */

#define LOGIN  "credentials: {m365: {user: u, secret: s}}\n"
#define TO(t)  "routes:\n  - to:\n      - {" t "}\n"
#define KEY(k) "routes:\n  - name: r\n    to: [{host: a.example}]\n    " k "\n"
/* A key of the credentials, of the third line; of the only target; of the fourth line of the route. */
#define OF_LOGIN(place, why)  "p.yaml:" place ": $.credentials.c." why "\n"
#define OF_TARGET(place, why) "p.yaml:" place ": $.routes[0].to[0]" why "\n"
#define OF_ROUTE(place, why)  "p.yaml:4:" place ": $.routes[0]." why "\n"

static void what_is_wrong_with_credentials_is_told(void **state)
{
#define CREDENTIALS(more) "credentials:\n  c: {user: u, secret: s, " more "}\n"
	static const struct policy_row rows[] = {
		{ "credentials:\n  c: {}\n", "p.yaml:2:6: $.credentials.c: \"user\" is missing\n"
					     "p.yaml:2:6: $.credentials.c: \"secret\" is missing\n" },
		{ CREDENTIALS("mechanism: ntlm"), OF_LOGIN("2:38", "mechanism: \"ntlm\" is not one of auto, "
								   "plain, login, xoauth2") },
		{ CREDENTIALS("mechanism: xoauth2"),
			OF_LOGIN("2:38", "mechanism: xoauth2 needs token_url, where its tokens come from") },
		{ CREDENTIALS("mechanism: login, client_id: c, token_url: 'https://a/'"),
			OF_LOGIN("2:70", "token_url: has no effect: login logs in with a password, xoauth2 "
					 "with a token") },
		{ CREDENTIALS("token_url: 'https://login.example/t'"),
			OF_LOGIN("2:38", "token_url: needs client_id too") },
		{ CREDENTIALS("client_id: c"), OF_LOGIN("2:38", "client_id: needs token_url too") },
		{ CREDENTIALS("scope: c"), OF_LOGIN("2:34", "scope: needs token_url too") },
		{ "credentials:\n  c: {user: u, secret: -s}\n",
			OF_LOGIN("2:24", "secret: \"-s\" is no name of a secret: the first character is a "
					 "letter or a digit") },
		{ "credentials:\n  c: {user: u, secret: s/1}\n",
			OF_LOGIN("2:24", "secret: \"s/1\" may only have letters, digits, '.', '-' and '_'") },
	};
	static const char *const bad_urls[] = { "http://a/", "https:///t", "https://:443/", "https://u@a/",
		"https://a?x", "https://a/#x", "login.example/t" };

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), false);
	for (size_t i = 0; i < ARRAY_LEN(bad_urls); i++) {
		char text[200], told[200];

		snprintf(text, sizeof(text), CREDENTIALS("client_id: c, token_url: '%s'"), bad_urls[i]);
		snprintf(told, sizeof(told),
			OF_LOGIN("2:52", "token_url: expected a URL such as https://login.example.org/token, "
					 "got \"%s\""),
			bad_urls[i]);
		check_rows(&(struct policy_row){ text, told }, 1, false);
	}
}

static void what_is_wrong_with_a_target_is_told(void **state)
{
#define ONE_OF     ": expected one of host, mx, srv and direct: true; several are several targets"
#define CLEAR(tls) ".tls: a password never goes in clear, as " tls " would let it: say tls: verify"
#define SRV_FORM   ".srv: expected a name such as _submission._tcp.example.com, got "
	static const struct policy_row rows[] = {
		{ "routes: [{}]\n",
			"p.yaml:1:10: $.routes[0].to: where to? At least one target is wanted\n" },
		{ "routes: [{to: []}]\n",
			"p.yaml:1:15: $.routes[0].to: where to? At least one target is wanted\n" },
		{ TO("port: 25"), OF_TARGET("3:9", ONE_OF) },
		{ TO("direct: false"), OF_TARGET("3:9", ONE_OF) },
		{ TO("host: a.example, mx: b.example"), OF_TARGET("3:9", ONE_OF) },
		{ TO("srv: _a._tcp.b, direct: true"), OF_TARGET("3:9", ONE_OF) },
		{ TO("host: a b"),
			OF_TARGET("3:16", ".host: \"a b\" is not a domain name or an IP address") },
		{ TO("mx: 192.0.2.1"), OF_TARGET("3:14", ".mx: \"192.0.2.1\" is not a domain name") },
		{ TO("srv: submission._tcp.example.com"),
			OF_TARGET("3:15", SRV_FORM "\"submission._tcp.example.com\"") },
		{ TO("srv: _submission._udp.example.com"),
			OF_TARGET("3:15", SRV_FORM "\"_submission._udp.example.com\"") },
		{ TO("srv: _submission._tcp"), OF_TARGET("3:15", SRV_FORM "\"_submission._tcp\"") },
		{ TO("srv: _submission"), OF_TARGET("3:15", SRV_FORM "\"_submission\"") },
		{ TO("srv: _._tcp.example.com"), OF_TARGET("3:15", SRV_FORM "\"_._tcp.example.com\"") },
		{ TO("srv: _a_b._tcp.example.com"), OF_TARGET("3:15", SRV_FORM "\"_a_b._tcp.example.com\"") },
		{ TO("srv: _a._tcp.exa_mple.com"), OF_TARGET("3:15", SRV_FORM "\"_a._tcp.exa_mple.com\"") },
		{ TO("srv: _a._tcp.b, port: 25"),
			OF_TARGET("3:32", ".port: has no effect: an SRV record says the port itself") },
		{ TO("host: a.example, port: 0"), OF_TARGET("3:33", ".port: 0 is outside 1..65535") },
		{ TO("direct: true, tls_name: a.example"),
			OF_TARGET("3:34",
				".tls_name: cannot be the name of each domain's hosts: leave it out") },
		{ TO("host: a.example, tls: starttls"),
			OF_TARGET("3:32", ".tls: \"starttls\" is not one of none, may, encrypt, verify, "
					  "dane, dane-only, mta-sts, auto") },
		{ TO("host: a.example, tls_first: true"),
			OF_TARGET("3:38", ".tls_first: is TLS always, and tls: may is not: say verify, "
					  "encrypt or dane-only") },
		{ TO("host: 192.0.2.1, tls: dane"),
			OF_TARGET("3:32", ".tls: dane goes by a name, and 192.0.2.1 is an address: give the "
					  "host's name, or say tls: verify with tls_name") },
		{ TO("host: '2001:db8::1', tls: mta-sts"),
			OF_TARGET("3:36", ".tls: mta-sts goes by a name, and 2001:db8::1 is an address: give "
					  "the host's name, or say tls: verify with tls_name") },
		{ LOGIN TO("host: a.example, tls: verify, credentials: m356"),
			OF_TARGET("4:53",
				".credentials: there are no credentials \"m356\", did you mean \"m365\"?") },
		{ TO("host: a.example, credentials: m365"),
			OF_TARGET("3:40", ".credentials: there are no credentials \"m365\"") },
		{ LOGIN TO("host: a.example, credentials: m365"), OF_TARGET("4:9", CLEAR("may")) },
		{ LOGIN TO("host: a.example, tls: none, credentials: m365"),
			OF_TARGET("4:32", CLEAR("none")) },
		{ LOGIN TO("host: a.example, tls: dane, credentials: m365"),
			OF_TARGET("4:32", CLEAR("dane")) },
		{ LOGIN TO("direct: true, tls: verify, credentials: m365"),
			OF_TARGET("4:50", ".credentials: would be given to the hosts of any domain: they are "
					  "for host, mx and srv") },
		{ TO("host: a.example, weight: 0"), OF_TARGET("3:35", ".weight: 0 is outside 1..1000") },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), false);
}

static void what_is_wrong_with_a_route_is_told(void **state)
{
	static const struct policy_row rows[] = {
		{ "routes:\n  - {name: a, to: [{direct: true}], match: {recipient: x.org}}\n"
		  "  - {name: a, to: [{direct: true}]}\n",
			"p.yaml:3:12: $.routes[1].name: \"a\" is also the name of routes[0]\n" },
		{ KEY("match: {recipient: []}"),
			OF_ROUTE("24",
				"match.recipient: is empty: leave the key out, or say what it may be") },
		{ KEY("match: {recipient: ['<>']}"),
			OF_ROUTE("25", "match.recipient[0]: \"<>\" is no address, domain or pattern such as "
				       "*@example.org") },
		{ KEY("match: {sender: own}"), OF_ROUTE("21", "match.sender[0]: \"own\" is no address, "
							      "domain or pattern such as "
							      "*@example.org") },
		{ KEY("match: {sender: list:a}"), OF_ROUTE("21", "match.sender[0]: there is no list \"a\"") },
		{ "clients: [{name: printers, effect: allow}]\n"
		  "routes:\n  - {to: [{direct: true}], match: {client: [printers, printer]}}\n",
			"p.yaml:3:55: $.routes[0].match.client[1]: there is no rule \"printer\", did you "
			"mean \"printers\"?\n" },
		{ KEY("match: {client: []}"),
			OF_ROUTE("21", "match.client: is empty: leave the key out, or say what it may be") },
		{ KEY("order: random"), OF_ROUTE("12", "order: \"random\" is not one of listed, weighted") },
		{ KEY("rate: fast"), OF_ROUTE("11", "rate: expected a rate such as 100/min, 14/s or "
						    "10GiB/day, got \"fast\"") },
		{ KEY("burst: 5"), OF_ROUTE("12", "burst: needs rate too") },
		{ "routes:\n  - {to: [{direct: true}], rate: 1/s}\n",
			"p.yaml:2:34: $.routes[0].rate: all nodes count it by the route's name: give it "
			"one\n" },
		{ "routes:\n  - {to: [{direct: true}], cluster_connections: 5}\n",
			"p.yaml:2:49: $.routes[0].cluster_connections: all nodes count it by the route's "
			"name: give it one\n" },
		{ KEY("retry: {first: 2h}"),
			OF_ROUTE("20", "retry.first: must not be larger than retry.max") },
		{ KEY("retry: {max: 10m, expire: 5m, warn: 1m}"),
			OF_ROUTE("18", "retry.max: must not be larger than retry.expire") },
		{ KEY("retry: {warn: 6d}"),
			OF_ROUTE("19", "retry.warn: must not be larger than retry.expire") },
		{ KEY("breaker: {pause_first: 1h}"),
			OF_ROUTE("28", "breaker.pause_first: must not be larger than breaker.pause_max") },
		{ KEY("priority: 10"), OF_ROUTE("15", "priority: 10 is outside 0..9") },
		{ KEY("timout: {connect: 1s}"),
			"p.yaml:4:5: $.routes[0]: unknown key \"timout\", did you mean \"timeout\"?\n" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), false);
}

static void what_is_wrong_with_rewriting_is_told(void **state)
{
#define REWRITE(keys) KEY("rewrite: {" keys "}")
	static const struct policy_row rows[] = {
		{ REWRITE("remove: 'X Y'"),
			OF_ROUTE("23", "rewrite.remove[0]: \"X Y\" is no name of a header field, such as "
				       "X-Mailer") },
		{ REWRITE("remove: []"), OF_ROUTE("23", "rewrite.remove: is empty: leave the key out, or say "
							"what it may be") },
		{ REWRITE("add: [{name: 'X:', value: a}]"),
			OF_ROUTE("28", "rewrite.add[0].name: \"X:\" is no name of a header field, such as "
				       "X-Mailer") },
		{ REWRITE("add: [{name: X, value: \"a\\r\\nBcc: b\"}]"),
			OF_ROUTE("38", "rewrite.add[0].value: \"a??Bcc: b\" has a control character") },
		{ REWRITE("add: [{name: X, value: \xc3\xa4}]"),
			OF_ROUTE("38", "rewrite.add[0].value: is not all ASCII: write it as an encoded word "
				       "(RFC 2047)") },
		{ REWRITE("from_domain: a..b"),
			OF_ROUTE("28", "rewrite.from_domain: \"a..b\" is not a domain name") },
		{ REWRITE("return_path: srs"),
			OF_ROUTE("28", "rewrite.return_path: srs needs return_domain, whose mail comes here")
				OF_ROUTE("28", "rewrite.return_path: srs needs return_secret, the secret "
					       "that it signs with") },
		{ REWRITE("return_path: srs, return_domain: a.example, return_secret: s, sender_domain: b"),
			OF_ROUTE("92",
				"rewrite.sender_domain: has no effect: srs gives the sender return_domain") },
		{ REWRITE("return_secret: s"),
			OF_ROUTE("30", "rewrite.return_secret: has no effect without return_path: srs") },
		{ REWRITE("return_domain: a.example"),
			OF_ROUTE("30",
				"rewrite.return_domain: has no effect without return_path: srs or verp") },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), false);
}

static void routes_on_one_return_domain_sign_with_one_secret(void **state)
{
#define SRS(match, domain, secret)                                                                           \
	"  - {to: [{direct: true}], match: {recipient: " match "}, rewrite: {return_path: srs, "             \
	"return_domain: " domain ", return_secret: " secret "}}\n"
	static const struct policy_row wrong[] = {
		{ "routes:\n" SRS("a.org", "back.org", "one") SRS("b.org", "BACK.org", "two"),
			"p.yaml:3:123: $.routes[1].rewrite.return_secret: \"two\" is another than \"one\", "
			"with "
			"which routes[0] signs for BACK.org: what comes back to a domain is opened with one "
			"secret\n" },
	};
	static const struct policy_row fine[] = {
		{ "routes:\n" SRS("a.org", "back.org", "one") SRS("b.org", "back.org", "one"), "" },
		{ "routes:\n" SRS("a.org", "back.org", "one") SRS("b.org", "other.org", "two"), "" },
		{ "routes:\n  - {to: [{direct: true}], match: {recipient: a.org}, rewrite: {return_path: "
		  "verp, "
		  "return_domain: back.org}}\n" SRS("b.org", "back.org", "two"),
			"" },
	};
#undef SRS

	(void)state;
	check_rows(wrong, ARRAY_LEN(wrong), false);
	check_rows(fine, ARRAY_LEN(fine), true);
}

static void what_cannot_be_meant_is_warned_of(void **state)
{
#define NEVER(line, number, name)                                                                            \
	"p.yaml:" line ":5: $.routes[" number "]: warning: never gets mail: \"" name                         \
	"\" before it takes all that it would\n"
#define D "to: [{direct: true}]"
	static const struct policy_row rows[] = {
		{ TO("host: a.example, weight: 2"),
			OF_TARGET("3:35", ".weight: warning: has no effect without order: weighted") },
		{ LOGIN TO("host: a.example, tls: encrypt, credentials: m365"),
			OF_TARGET("4:32", ".tls: warning: encrypt takes any certificate, so whoever gets in "
					  "between has the password: tls: verify keeps it safe") },
		{ REWRITE("remove: received"),
			OF_ROUTE("23", "rewrite.remove[0]: warning: without Received nobody sees that mail "
				       "goes in a circle") },
		{ "routes:\n  - {name: all, " D "}\n  - {" D ", match: {recipient: a.org}}\n",
			NEVER("3", "1", "all") },
		{ "routes:\n  - {name: a, " D ", match: {recipient: ['*@a.org', b.org]}}\n"
		  "  - {" D ", match: {recipient: [x@a.org, '@b.org'], sender: c.org}}\n",
			NEVER("3", "1", "a") },
		{ "routes:\n  - {" D ", match: {recipient: a.org}}\n  - {" D
		  ", match: {recipient: [a.org, b.org]}}\n  - {" D "}\n",
			"" },
		{ "routes:\n  - {" D ", match: {sender: a.org}}\n  - {" D
		  ", match: {sender: [a.org, '<>']}}\n",
			"" },
		{ "routes:\n  - {name: n, " D ", match: {sender: [a.org, '<>']}}\n  - {" D
		  ", match: {sender: '<>'}}\n",
			NEVER("3", "1", "n") },
		{ "clients: [{name: p, effect: deny}]\nroutes:\n  - {" D ", match: {client: p}}\n  - {" D
		  "}\n",
			"" },
		{ "clients: [{name: p, effect: deny}]\nroutes:\n  - {name: q, " D
		  ", match: {client: p}}\n  - {" D ", match: {client: p, sender: a.org}}\n",
			NEVER("4", "1", "q") },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), true);
}

static void there_are_no_more_routes_than_there_may_be(void **state)
{
	(void)state;
	for (size_t count = POLICY_ROUTES_MAX; count <= POLICY_ROUTES_MAX + 1; count++) {
		struct buf text = { 0 };
		struct report report = { 0 };
		struct policy *policy;

		buf_append_str(&text, "routes:\n");
		for (size_t i = 0; i < count; i++)
			buf_printf(&text, "- {to: [{direct: true}], match: {recipient: d%zu.org}}\n", i);
		policy = policy_parse(buf_span(&text), "p.yaml", &report);
		assert_int_equal(policy != NULL, count == POLICY_ROUTES_MAX);
		policy_free(&policy);
		report_fini(&report);
		buf_fini(&text);
	}
}

/* --- what becomes of it -------------------------------------------------------------------------- */

static struct policy *parse(const char *text)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(span_of_str(text), "p.yaml", &report);

	if (!policy)
		fail_msg("%.*s", SPAN_ARGS(buf_span(&report.text)));
	report_fini(&report);
	return policy;
}

static void what_is_left_out_has_the_defaults_of_the_node(void **state)
{
	struct policy *policy = parse("routes:\n  - to: [{host: a.example}, {mx: b.example}, {srv: "
				      "_smtp._tcp.c.example}, {direct: true}]\n");
	const struct route *route = policy_route(policy, 0);

	(void)state;
	assert_int_equal(policy_route_count(policy), 1);
	assert_string_equal(route->name, "routes[0]");
	assert_string_equal(route->comment, "");
	assert_int_equal(route->target_count, 4);
	for (size_t i = 0; i < 4; i++) {
		const struct route_target *target = &route->targets[i];

		assert_int_equal(target->place, i);
		assert_int_equal(target->port, 0);
		assert_int_equal(target->weight, 1);
		assert_int_equal(target->tls, i == 3 ? ROUTE_TLS_AUTO : ROUTE_TLS_MAY);
		assert_false(target->tls_first);
		assert_string_equal(target->tls_name, "");
		assert_null(target->credentials);
	}
	assert_string_equal(route->targets[2].name, "_smtp._tcp.c.example");
	assert_string_equal(route->targets[3].name, "");
	assert_int_equal(route->order, ROUTE_LISTED);
	assert_int_equal(route->connections, 4);
	assert_int_equal(route->cluster_connections, 0);
	assert_null(route->rate);
	assert_int_equal(route->messages_per_connection, 1000);
	assert_int_equal(route->recipients_max, 100);
	assert_int_equal(route->priority, 5);
	assert_true(route->chunking);
	assert_false(route->cut_through);
	assert_int_equal(route->timeout.connect_ms, 30000);
	assert_int_equal(route->timeout.greeting_ms, 300000);
	assert_int_equal(route->timeout.command_ms, 300000);
	assert_int_equal(route->timeout.data_ms, 120000);
	assert_int_equal(route->timeout.body_ms, 180000);
	assert_int_equal(route->timeout.dot_ms, 600000);
	assert_int_equal(route->timeout.quit_ms, 10000);
	assert_int_equal(route->retry.first_ms, 60000);
	assert_int_equal(route->retry.max_ms, 3600000);
	assert_int_equal(route->retry.expire_ms, 432000000);
	assert_int_equal(route->retry.warn_ms, 14400000);
	assert_int_equal(route->breaker.failures, 5);
	assert_int_equal(route->breaker.pause_first_ms, 5000);
	assert_int_equal(route->breaker.pause_max_ms, 300000);
	assert_int_equal(route->rewrite.remove_count, 0);
	assert_int_equal(route->rewrite.add_count, 0);
	assert_int_equal(route->rewrite.return_path, ROUTE_RETURN_KEEP);
	assert_string_equal(route->rewrite.from_domain, "");
	assert_string_equal(route->rewrite.return_secret, "");
	policy_free(&policy);
}

#define RETURN "      return_path: srs\n      return_domain: bounce.example\n      return_secret: srs-key\n"

static const char full[] =
	"credentials:\n"
	"  office: {mechanism: xoauth2, user: relay@acme.example, secret: office-client,\n"
	"           token_url: 'https://login.example/t', client_id: c1, scope: 'a b'}\n"
	"routes:\n"
	"  - name: office\n"
	"    comment: To the cloud\n"
	"    to:\n"
	"      - {host: smtp.example, port: 587, tls: verify, credentials: office, weight: 3,\n"
	"         tls_name: mail.example}\n"
	"      - {host: backup.example, tls_first: true, tls: verify}\n"
	"    order: weighted\n"
	"    connections: 2\n"
	"    cluster_connections: 10\n"
	"    rate: 14/s\n"
	"    burst: 30\n"
	"    messages_per_connection: 50\n"
	"    recipients_max: 20\n"
	"    priority: 9\n"
	"    chunking: false\n"
	"    cut_through: true\n"
	"    timeout: {connect: 1s, greeting: 2s, command: 3s, data: 4s, body: 5s, dot: 6s, quit: 7s}\n"
	"    retry: {first: 2m, max: 3m, expire: 4h, warn: 5m}\n"
	"    breaker: {failures: 1, pause_first: 2s, pause_max: 3s}\n"
	"    rewrite:\n"
	"      remove: [X-Mailer, User-Agent]\n"
	"      add: [{name: X-Relay, value: acme relay}]\n"
	"      from_domain: public.example\n" RETURN;

static void all_that_is_said_is_there(void **state)
{
	struct policy *policy = parse(full);
	const struct route *route = policy_route(policy, 0);
	const struct route_target *target = &route->targets[0];

	(void)state;
	assert_string_equal(route->name, "office");
	assert_string_equal(route->comment, "To the cloud");
	assert_string_equal(target->name, "smtp.example");
	assert_int_equal(target->port, 587);
	assert_int_equal(target->weight, 3);
	assert_int_equal(target->tls, ROUTE_TLS_VERIFY);
	assert_string_equal(target->tls_name, "mail.example");
	assert_non_null(target->credentials);
	assert_string_equal(target->credentials->name, "office");
	assert_int_equal(target->credentials->mechanism, ROUTE_AUTH_XOAUTH2);
	assert_string_equal(target->credentials->user, "relay@acme.example");
	assert_string_equal(target->credentials->secret, "office-client");
	assert_string_equal(target->credentials->token_url, "https://login.example/t");
	assert_string_equal(target->credentials->client_id, "c1");
	assert_string_equal(target->credentials->scope, "a b");
	assert_true(route->targets[1].tls_first);
	assert_int_equal(route->order, ROUTE_WEIGHTED);
	assert_int_equal(route->connections, 2);
	assert_int_equal(route->cluster_connections, 10);
	assert_string_equal(route->rate->name, "route:office");
	assert_int_equal(route->rate->key, LIMIT_PER_ROUTE);
	assert_int_equal(route->rate->unit, LIMIT_MESSAGES);
	assert_int_equal(route->rate->rate, 14);
	assert_int_equal(route->rate->period_us, 1000000);
	assert_int_equal(route->rate->burst, 30);
	assert_int_equal(route->messages_per_connection, 50);
	assert_int_equal(route->recipients_max, 20);
	assert_int_equal(route->priority, 9);
	assert_false(route->chunking);
	assert_true(route->cut_through);
	assert_int_equal(route->timeout.connect_ms, 1000);
	assert_int_equal(route->timeout.greeting_ms, 2000);
	assert_int_equal(route->timeout.command_ms, 3000);
	assert_int_equal(route->timeout.data_ms, 4000);
	assert_int_equal(route->timeout.body_ms, 5000);
	assert_int_equal(route->timeout.dot_ms, 6000);
	assert_int_equal(route->timeout.quit_ms, 7000);
	assert_int_equal(route->retry.first_ms, 120000);
	assert_int_equal(route->retry.max_ms, 180000);
	assert_int_equal(route->retry.expire_ms, 14400000);
	assert_int_equal(route->retry.warn_ms, 300000);
	assert_int_equal(route->breaker.failures, 1);
	assert_int_equal(route->breaker.pause_first_ms, 2000);
	assert_int_equal(route->breaker.pause_max_ms, 3000);
	assert_int_equal(route->rewrite.remove_count, 2);
	assert_string_equal(route->rewrite.remove[1], "User-Agent");
	assert_int_equal(route->rewrite.add_count, 1);
	assert_string_equal(route->rewrite.add[0].name, "X-Relay");
	assert_string_equal(route->rewrite.add[0].value, "acme relay");
	assert_string_equal(route->rewrite.from_domain, "public.example");
	assert_string_equal(route->rewrite.sender_domain, "");
	assert_int_equal(route->rewrite.return_path, ROUTE_RETURN_SRS);
	assert_string_equal(route->rewrite.return_domain, "bounce.example");
	assert_string_equal(route->rewrite.return_secret, "srs-key");
	policy_free(&policy);
}

/* The longest name is one that the counters take. */
static void the_limit_of_a_route_fits_the_names_of_limits(void **state)
{
	char text[200], name[ROUTE_NAME_MAX + 2];

	(void)state;
	for (size_t len = ROUTE_NAME_MAX; len <= ROUTE_NAME_MAX + 1; len++) {
		struct report report = { 0 };
		struct policy *policy;

		memset(name, 'n', len);
		name[len] = '\0';
		snprintf(text, sizeof(text), "routes: [{name: %s, rate: 1/s, to: [{direct: true}]}]\n", name);
		policy = policy_parse(span_of_str(text), "p.yaml", &report);
		assert_int_equal(policy != NULL, len == ROUTE_NAME_MAX);
		if (policy)
			assert_int_equal(strlen(policy_route(policy, 0)->rate->name), LIMIT_NAME_MAX);
		policy_free(&policy);
		report_fini(&report);
	}
}

/* --- which one ----------------------------------------------------------------------------------- */

static void the_first_route_that_matches_takes_the_recipient(void **state)
{
	struct policy *policy =
		parse("lists: {vip: {addresses: [boss@vip.example, vip.org]}}\n"
		      "clients:\n  - {name: printers, effect: allow}\n"
		      "  - {name: Apps, effect: allow}\n"
		      "routes:\n"
		      "  - {name: paper, " D ", match: {client: printers, recipient: a.org}}\n"
		      "  - {name: bounces, " D ", match: {sender: '<>', recipient: a.org}}\n"
		      "  - {name: ours, " D ", match: {sender: '@acme.example', client: "
		      "[printers, Apps]}}\n"
		      "  - {name: partner, " D ", match: {recipient: ['*.partner.example', "
		      "'@acme.example', list:vip]}}\n"
		      "  - {name: any, " D ", match: {sender: '*', recipient: c.org}}\n");
	static const struct {
		const char *recipient, *sender, *client, *route; /* NULL: none */
	} rows[] = {
		{ "x@a.org", "s@s.org", "printers", "paper" },
		{ "X@A.ORG", "s@s.org", "Printers", "paper" },
		{ "x@a.org", "s@s.org", "printer", NULL },
		{ "x@a.org", "s@s.org", "", NULL },
		{ "x@a.org", "", "printers", "paper" },
		{ "x@a.org", "", "", "bounces" },
		{ "x@sub.a.org", "", "", NULL },
		{ "x@b.org", "s@ACME.example", "Apps", "ours" },
		{ "x@b.org", "s@acme.example", "other", NULL },
		{ "x@b.org", "s@sub.acme.example", "Apps", NULL },
		{ "x@eu.partner.example", "", "", "partner" },
		{ "x@partner.example", "", "", NULL },
		{ "x@acme.example", "", "", "partner" },
		{ "boss@vip.example", "", "", "partner" },
		{ "other@vip.example", "", "", NULL },
		{ "x@vip.org", "", "", "partner" },
		{ "x@c.org", "s@s.org", "", "any" },
		/* As among the senders of a rule: the null sender is "<>" and nothing else. */
		{ "x@c.org", "", "", NULL },
		{ "postmaster", "s@s.org", "", NULL },
		{ "x@[192.0.2.1]", "s@s.org", "", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct route_question question = { span_of_str(rows[i].recipient),
			span_of_str(rows[i].sender), span_of_str(rows[i].client) };
		const struct route *route = policy_find_route(policy, &question);

		if (!route != !rows[i].route || (route && strcmp(route->name, rows[i].route) != 0))
			fail_msg("row %zu: %s", i, route ? route->name : "none");
		if (route)
			assert_ptr_equal(route, policy_route(policy, route->number));
	}
	policy_free(&policy);
}

/* --- the digest ---------------------------------------------------------------------------------- */

static struct policy_routes_digest digest_of(const char *text)
{
	struct policy *policy = parse(text);
	struct policy_routes_digest digest = policy_routes_digest(policy);

	policy_free(&policy);
	return digest;
}

static bool is_same(struct policy_routes_digest a, struct policy_routes_digest b)
{
	return a.words[0] == b.words[0] && a.words[1] == b.words[1];
}

static void texts_that_say_the_same_have_one_digest(void **state)
{
	static const char *const pairs[][2] = {
		{ "", "abuse: {ban: 2h}\nclients: [{effect: allow}]\n" },
		{ TO("host: a.example"), "# the same\nroutes: [{comment: x, to: [{weight: 1, tls: may, host: "
					 "a.example}], retry: {first: 60s}}]\n" },
		{ "routes: [{" D ", match: {recipient: [a.org, 'b@c.org', 'x*@d.org', '?@e.org']}}]\n",
			"routes: [{" D ", match: {recipient: ['?@e.org', 'X*@d.org', '*@a.org', "
			"'b@c.org']}}]\n" },
		{ "credentials: {a: {user: u, secret: s}, b: {user: v, secret: t}}\n",
			"credentials: {b: {user: v, secret: t}, a: {user: u, secret: s}}\n" },
	};
	struct policy *policy = policy_of_networks(&(struct cidr_list){ NULL, 0 });

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(pairs); i++)
		if (!is_same(digest_of(pairs[i][0]), digest_of(pairs[i][1])))
			fail_msg("%s%s", pairs[i][0], pairs[i][1]);
	assert_true(is_same(policy_routes_digest(policy), digest_of("")));
	assert_int_equal(policy_route_count(policy), 0);
	policy_free(&policy);
}

/* Each word of the full document counts. */
static void whatever_changes_changes_the_digest(void **state)
{
	static const struct {
		const char *old, *new;
	} rows[] = {
		{ "xoauth2", "auto" },
		{ "user: relay@", "user: other@" },
		{ "secret: office-client", "secret: other" },
		{ "login.example", "other.example" },
		{ "c1", "c2" },
		{ "'a b'", "'a c'" },
		{ "name: office", "name: other" },
		{ "    to:", "    match: {recipient: a.org}\n    to:" },
		{ "    to:", "    match: {sender: a.org}\n    to:" },
		{ "    to:", "    match: {sender: [a.org, '<>']}\n    to:" },
		{ "smtp.example", "smtp2.example" },
		{ "{host: backup", "{mx: backup" },
		{ "587", "588" },
		{ "tls: verify, credentials", "tls: dane-only, credentials" },
		{ ", credentials: office", "" },
		{ "weight: 3", "weight: 4" },
		{ "tls_name: mail.", "tls_name: m." },
		{ "tls_first: true", "tls_first: false" },
		{ "      - {host: backup.example, tls_first: true, tls: verify}\n", "" },
		{ "weighted", "listed" },
		{ " connections: 2", " connections: 3" },
		{ "cluster_connections: 10", "cluster_connections: 11" },
		{ "14/s", "14/min" },
		{ "14/s", "15/s" },
		{ "burst: 30", "burst: 31" },
		{ "connection: 50", "connection: 51" },
		{ "recipients_max: 20", "recipients_max: 21" },
		{ "priority: 9", "priority: 8" },
		{ "chunking: false", "chunking: true" },
		{ "cut_through: true", "cut_through: false" },
		{ "connect: 1s", "connect: 8s" },
		{ "greeting: 2s", "greeting: 8s" },
		{ "command: 3s", "command: 8s" },
		{ "data: 4s", "data: 8s" },
		{ "body: 5s", "body: 8s" },
		{ "dot: 6s", "dot: 8s" },
		{ "quit: 7s", "quit: 8s" },
		{ "first: 2m", "first: 1m" },
		{ "max: 3m", "max: 4m" },
		{ "expire: 4h", "expire: 5h" },
		{ "warn: 5m", "warn: 6m" },
		{ "failures: 1", "failures: 2" },
		{ "pause_first: 2s", "pause_first: 1s" },
		{ "pause_max: 3s", "pause_max: 4s" },
		{ "X-Mailer", "X-Other" },
		{ "[X-Mailer, User-Agent]", "[X-Mailer]" },
		{ "X-Relay", "X-Other" },
		{ "acme relay", "acme" },
		{ "from_domain: public.example", "from_domain: other.example" },
		{ RETURN, "      sender_domain: public.example\n" },
		{ RETURN, "      return_path: verp\n" },
		{ RETURN, "      return_path: verp\n      return_domain: bounce.example\n" },
		{ "bounce.example", "b.example" },
		{ "srs-key", "other" },
	};
	struct policy_routes_digest seen[ARRAY_LEN(rows) + 1];
	size_t count = 0;

	(void)state;
	seen[count++] = digest_of(full);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *at = strstr(full, rows[i].old);
		struct buf text = { 0 };

		assert_non_null(at);
		buf_printf(&text, "%.*s%s%s%c", (int)(at - full), full, rows[i].new, at + strlen(rows[i].old),
			'\0');
		seen[count] = digest_of(buf_span(&text).ptr);
		buf_fini(&text);
		for (size_t k = 0; k < count; k++)
			if (is_same(seen[k], seen[count]))
				fail_msg("\"%s\" for \"%s\" has a digest that was there", rows[i].new,
					rows[i].old);
		count++;
	}
}

/* Every beginning of a document either parses or is told of, and nothing else happens. */
static void a_document_cut_anywhere_does_no_harm(void **state)
{
	(void)state;
	for (size_t len = 0; len < sizeof(full); len++) {
		struct report report = { 0 };
		struct policy *policy = policy_parse(span_of(full, len), "p.yaml", &report);

		assert_int_equal(policy == NULL, report.errors > 0);
		policy_free(&policy);
		report_fini(&report);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_with_credentials_is_told),
		cmocka_unit_test(what_is_wrong_with_a_target_is_told),
		cmocka_unit_test(what_is_wrong_with_a_route_is_told),
		cmocka_unit_test(what_is_wrong_with_rewriting_is_told),
		cmocka_unit_test(routes_on_one_return_domain_sign_with_one_secret),
		cmocka_unit_test(what_cannot_be_meant_is_warned_of),
		cmocka_unit_test(there_are_no_more_routes_than_there_may_be),
		cmocka_unit_test(what_is_left_out_has_the_defaults_of_the_node),
		cmocka_unit_test(all_that_is_said_is_there),
		cmocka_unit_test(the_limit_of_a_route_fits_the_names_of_limits),
		cmocka_unit_test(the_first_route_that_matches_takes_the_recipient),
		cmocka_unit_test(texts_that_say_the_same_have_one_digest),
		cmocka_unit_test(whatever_changes_changes_the_digest),
		cmocka_unit_test(a_document_cut_anywhere_does_no_harm),
	};

	return cmocka_run_group_tests_name("policy_routes", tests, NULL, NULL);
}
