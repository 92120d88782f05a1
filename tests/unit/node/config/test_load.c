#include "cmocka_all.h"

#include "config/load.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define BASE                                                                                                 \
	"listeners: [{address: '127.0.0.1:2525'}]\n"                                                         \
	"route: {next_hops: [{host: mail.example}]}\n"

static struct settings *load(const char *text, struct report *report)
{
	struct load_input input = { .file = "node.yaml", .text = span_of_str(text) };

	return settings_load(&input, report);
}

static void expect_report(const char *text, const char *wanted)
{
	struct report report = { 0 };
	struct settings *settings = load(text, &report);

	assert_null(settings);
	assert_span_equal(buf_span(&report.text), wanted);
	report_fini(&report);
}

static void a_whole_file_arrives(void **state)
{
	static const char text[] =
		"# A comment.\n"
		"node: {name: relay-1, hostname: relay-1.example, workers: 3, spool: /var/spool/skein}\n"
		"listeners:\n"
		"  - address: 0.0.0.0:25\n"
		"    tls: starttls\n"
		"    proxy_from: [10.0.0.1, '2001:db8::/64']\n"
		"  - {address: '[::1]:465', tls: implicit, name: submissions}\n"
		"tls: {certificate: /etc/cert.pem, key: /etc/key.pem, minimum: 1.3}\n"
		"relay:\n"
		"  allow: [10.0.0.0/8]\n"
		"route:\n"
		"  next_hops:\n"
		"    - host: smtp.example\n"
		"    - {host: '2001:db8::1', port: 2525, tls: encrypt}\n"
		"  timeout: {dot: 2m}\n"
		"redundancy: required\n"
		"redis: {address: 'redis.example:6379', password_file: /etc/p, tls: {enabled: true}}\n"
		"memory: {body: 64KiB}\n"
		"retry:\n";
	struct report report = { 0 };
	struct settings *settings = load(text, &report);

	(void)state;
	assert_span_equal(buf_span(&report.text), "");
	assert_non_null(settings);
	assert_string_equal(settings->node.name, "relay-1");
	assert_string_equal(settings->node.hostname, "relay-1.example");
	assert_int_equal(settings->node.workers, 3);
	assert_int_equal(settings->listeners.count, 2);
	assert_string_equal(settings->listeners.items[0].name, "smtp-1");
	assert_string_equal(settings->listeners.items[0].address.host, "0.0.0.0");
	assert_int_equal(settings->listeners.items[0].address.port, 25);
	assert_int_equal(settings->listeners.items[0].tls, LISTENER_TLS_STARTTLS);
	assert_int_equal(settings->listeners.items[0].proxy_from.count, 2);
	assert_true(settings->listeners.items[0].proxy_from.items[1].is_v6);
	assert_string_equal(settings->listeners.items[1].name, "submissions");
	assert_string_equal(settings->listeners.items[1].address.host, "::1");
	assert_int_equal(settings->listeners.items[1].tls, LISTENER_TLS_IMPLICIT);
	assert_int_equal(settings->tls.minimum, TLS_MINIMUM_1_3);
	assert_int_equal(settings->relay.allow.count, 1);
	assert_int_equal(settings->route.next_hops.count, 2);
	assert_int_equal(settings->route.next_hops.items[0].port, 25);
	assert_int_equal(settings->route.next_hops.items[0].tls, HOP_TLS_MAY);
	assert_string_equal(settings->route.next_hops.items[1].host, "2001:db8::1");
	assert_int_equal(settings->route.next_hops.items[1].tls, HOP_TLS_ENCRYPT);
	assert_int_equal(settings->route.timeout.dot_ms, 120000);
	assert_int_equal(settings->route.timeout.body_ms, 180000);
	assert_int_equal(settings->redundancy, REDUNDANCY_REQUIRED);
	assert_string_equal(settings->redis.address.host, "redis.example");
	assert_true(settings->redis.tls.enabled);
	assert_int_equal(settings->memory.body, 65536);
	assert_int_equal(settings->retry.expire_ms, 432000000);
	settings_free(&settings);
	report_fini(&report);
}

static void all_errors_come_in_one_run_each_with_its_place(void **state)
{
	(void)state;
	expect_report("nodd: {}\n"
		      "listeners:\n"
		      "  - address: 127.0.0.1:smtp\n"
		      "    tls: sometimes\n"
		      "  - tls: none\n"
		      "    adress: 127.0.0.1:25\n"
		      "  - 127.0.0.1:25\n"
		      "route:\n"
		      "  next_hops: {host: mail.example}\n"
		      "  timeout: 5m\n"
		      "  connections: 0\n"
		      "  connections: 1\n"
		      "limits:\n"
		      "  errors: 010\n"
		      "  message_size: 64MB\n"
		      "  idle_timeout: 300\n"
		      "  recipients: [1]\n"
		      "  hops: -1\n"
		      "smtp: {utf8: yes, ? [a] : b}\n"
		      "message_size: 1MiB\n"
		      "relay: {allow: [10.0.0.1/8, {}, 10.0.0.0/8]}\n",
		"node.yaml:1:1: unknown key \"nodd\", did you mean \"node\"?\n"
		"node.yaml:3:14: $.listeners[0].address: the port in \"127.0.0.1:smtp\" is not 1..65535\n"
		"node.yaml:4:10: $.listeners[0].tls: \"sometimes\" is not one of none, starttls, implicit\n"
		"node.yaml:6:5: $.listeners[1]: unknown key \"adress\", did you mean \"address\"?\n"
		"node.yaml:5:5: $.listeners[1]: \"address\" is missing\n"
		"node.yaml:7:5: $.listeners[2]: expected a section, got a value\n"
		"node.yaml:7:5: $.listeners[2]: \"address\" is missing\n"
		"node.yaml:9:14: $.route.next_hops: expected a list, got a section\n"
		"node.yaml:10:12: $.route.timeout: expected a section, got a value\n"
		"node.yaml:11:16: $.route.connections: 0 is outside 1..100\n"
		"node.yaml:12:3: $.route: key \"connections\" is there twice\n"
		"node.yaml:14:11: $.limits.errors: \"010\" starts with a zero\n"
		"node.yaml:15:17: $.limits.message_size: expected a size such as 512B, 64KiB, 20MiB or 1GiB, "
		"got "
		"\"64MB\"\n"
		"node.yaml:16:17: $.limits.idle_timeout: expected a duration such as 500ms, 5s, 3m, 2h or "
		"1d, got "
		"\"300\"\n"
		"node.yaml:17:15: $.limits.recipients: expected a value, got a list\n"
		"node.yaml:18:9: $.limits.hops: expected an integer, got \"-1\"\n"
		"node.yaml:19:14: $.smtp.utf8: expected true or false, got \"yes\"\n"
		"node.yaml:19:21: $.smtp: a key must be a word\n"
		"node.yaml:20:1: unknown key \"message_size\", did you mean \"limits.message_size\"?\n"
		"node.yaml:21:17: $.relay.allow[0]: \"10.0.0.1/8\" has bits set beyond its prefix: write the "
		"first address of the network\n"
		"node.yaml:21:29: $.relay.allow[1]: expected a network, got a section\n");
}

static void what_is_not_one_plain_yaml_document_is_refused(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "node: {name: &n a}\n", "node.yaml:1:14: anchors and aliases are not supported\n" },
		{ "a: &n b\nc: *n\n", "node.yaml:1:4: anchors and aliases are not supported\n"
				      "node.yaml:2:4: anchors and aliases are not supported\n" },
		{ "a: &a [*a]\n", "node.yaml:1:4: anchors and aliases are not supported\n"
				  "node.yaml:1:8: anchors and aliases are not supported\n" },
		{ "node: {workers: !!int 3}\n", "node.yaml:1:17: tags are not supported\n" },
		{ BASE "---\nnode: {}\n",
			"node.yaml:3:1: a second document begins here; only one is read\n" },
		{ "node: {\n", "node.yaml:2:1: did not find expected node content\n" },
		{ "node:\n\tname: a\n", "node.yaml:2:1: a tab: lines are indented by blanks\n" },
		{ "node:\n  name: @a\n",
			"node.yaml:2:9: a text that begins with @, % or ` stands in quotes\n" },
		{ "node:\n  name: \xff\n", "node.yaml:2:9: invalid leading UTF-8 octet\n" },
		{ "[[[[[[[[[[[[[[[[[[[[[[", "node.yaml:1:16: nested too deeply\n" },
		{ "- a\n", "node.yaml:1:1: expected a section, got a list\n" },
		{ "text\n", "node.yaml:1:1: expected a section, got a value\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_report(rows[i].text, rows[i].wanted);
}

static void rules_over_several_settings_point_where_one_was_given(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ "", "node.yaml: $.listeners: nothing to listen on\n"
		      "node.yaml: $.route.next_hops: nowhere to send mail to\n" },
		{ BASE "tls: {key: /k}\n", "node.yaml:3:12: $.tls.key: needs tls.certificate too\n" },
		{ BASE "tracking: {redact: hashed}\n", "node.yaml: $.tracking.redact_key_file: is missing: "
						       "tracking.redact is hashed. Make one "
						       "line of random text: openssl rand -base64 32\n" },
		{ BASE "tls: {certificate: /c}\n", "node.yaml:3:20: $.tls.certificate: needs tls.key too\n" },
		{ "listeners: [{address: '127.0.0.1:25', tls: starttls}]\nroute: {next_hops: [{host: a}]}\n",
			"node.yaml:1:44: $.listeners[0].tls: needs tls.certificate and tls.key\n" },
		{ BASE "tls: {certificate: /c, key: /k, certificates: [{certificate: /d, key: /l}]}\n",
			"node.yaml:3:47: $.tls.certificates: is instead of tls.certificate and tls.key: give "
			"one or the other, not both\n" },
		{ BASE "tls: {certificates: [{certificate: /c}]}\n",
			"node.yaml:3:22: $.tls.certificates[0]: \"key\" is missing\n" },
		{ "listeners: [{address: '127.0.0.1:25', client_certificate: request}]\n"
		  "route: {next_hops: [{host: a}]}\n",
			"node.yaml:1:59: $.listeners[0].client_certificate: needs tls: starttls or tls: "
			"implicit\n" },
		{ "listeners: [{address: '127.0.0.1:25', tls: implicit, client_certificate: require}]\n"
		  "route: {next_hops: [{host: a}]}\ntls: {certificates: [{certificate: /c, key: /k}]}\n",
			"node.yaml:1:74: $.listeners[0].client_certificate: require needs client_ca too\n" },
		{ "listeners: [{address: '127.0.0.1:25', name: a}, {address: '127.0.0.1:25', name: a}]\n"
		  "route: {next_hops: [{host: a}]}\n",
			"node.yaml:1:59: $.listeners[1].address: is also the address of listeners[0]\n"
			"node.yaml:1:81: $.listeners[1].name: is also the name of listeners[0]\n" },
		{ BASE "admin: {listen: 127.0.0.1:2525}\n",
			"node.yaml:1:23: $.listeners[0].address: is also admin.listen\n" },
		{ "listeners: [{address: '127.0.0.1:25'}]\nroute: {next_hops: [{host: a}, {host: "
		  "127.0.0.1}]}\n",
			"node.yaml:2:32: $.route.next_hops[1]: is this node's listeners[0]\n" },
		{ BASE "retry: {first: 2h}\n",
			"node.yaml:3:16: $.retry.first: must not be larger than retry.max\n" },
		{ BASE "retry: {max: 1d, expire: 12h}\n",
			"node.yaml:3:14: $.retry.max: must not be larger than retry.expire\n" },
		{ BASE "retry: {warn: 6d}\n",
			"node.yaml:3:15: $.retry.warn: must not be larger than retry.expire\n" },
		{ BASE "lease: {renew: 2s}\n",
			"node.yaml:3:16: $.lease.renew: must not be larger than a third of lease.ttl\n" },
		/* Given is the one, wrong is the other: the section it is in is the nearest place. */
		{ BASE "lease: {ttl: 1s}\n",
			"node.yaml: $.lease.renew: must not be larger than a third of lease.ttl\n"
			"node.yaml: $.lease.margin: must not be larger than a quarter of lease.ttl\n" },
		{ BASE "memory: {body: 512KiB}\njournal: {segment_size: 1MiB}\n",
			"node.yaml:3:16: $.memory.body: must not be larger than a quarter of "
			"journal.segment_size\n" },
		{ BASE "memory: {budget: 8MiB, body: 1MiB}\n", "node.yaml:3:30: $.memory.body: must not be "
							       "larger than a sixteenth of memory.budget\n" },
		{ BASE "node: {workers: 4}\njournal: {size_max: 256MiB}\n",
			"node.yaml: $.journal.segment_size: must not be larger than journal.size_max / 2 / "
			"node.workers\n" },
		{ BASE "limits: {connections: 100}\n", "node.yaml: $.limits.connections_per_client: must not "
						       "be larger than limits.connections\n" },
		{ BASE "limits: {message_size: 64KiB}\n",
			"node.yaml: $.limits.header_size: must not be larger than limits.message_size\n" },
		{ BASE "limits: {data_timeout: 1m}\n",
			"node.yaml: $.limits.idle_timeout: must not be larger than limits.data_timeout\n" },
		{ BASE "route: {}\n", "node.yaml:3:1: key \"route\" is there twice\n" },
		{ BASE "redis: {user: u}\n",
			"node.yaml:3:15: $.redis.user: needs redis.password_file too\n" },
		{ BASE "redis: {address: 'r:6379', sentinels: ['s:26379'], wait_replicas: 1}\n",
			"node.yaml:3:39: $.redis.sentinels: is in place of redis.address: the Sentinels tell "
			"it. Give one of the two\n" },
		{ BASE "redis: {sentinels: ['s:26379', 's2'], wait_replicas: 1}\n",
			"node.yaml:3:20: $.redis.sentinels: expected host and port such as "
			"redis.example:6379, "
			"127.0.0.1:6379 or [::1]:6379, got \"s2\"\n" },
		{ BASE "redis: {sentinels: ['s:26379'], sentinel_user: u, wait_replicas: 1}\n",
			"node.yaml:3:48: $.redis.sentinel_user: needs redis.sentinel_password_file too\n" },
		{ BASE "redis: {sentinels: ['s:26379'], wait_replicas: 1}\npolicy: {file: /p}\n",
			"node.yaml:4:16: $.policy.file: is for a node without redis.address or "
			"redis.sentinels; a cluster has one policy: skeinctl policy apply\n" },
		{ BASE "redis: {wait_replicas: 1}\n",
			"node.yaml:3:24: $.redis.wait_replicas: needs redis.address or redis.sentinels\n" },
		{ BASE "redis: {address: 'r:6379'}\npolicy: {file: /p}\n",
			"node.yaml:4:16: $.policy.file: is for a node without redis.address or "
			"redis.sentinels; a cluster has "
			"one "
			"policy: skeinctl policy apply\n" },
		{ BASE "redundancy: required\n",
			"node.yaml:3:13: $.redundancy: required needs redis.address or redis.sentinels\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_report(rows[i].text, rows[i].wanted);
}

#define WITH_TLS                                                                                             \
	"listeners: [{address: '127.0.0.1:2525', tls: starttls}]\n"                                          \
	"route: {next_hops: [{host: mail.example}]}\ntls: {certificate: /c, key: /k}\n"

#define WITH_LDAP                                                                                            \
	"auth: {backends: ldap, ldap: {servers: ['ldaps://a'], ca: /c, bind_dn: CN=a, base: DC=a,\n"         \
	"  realm: a.example,\n"                                                                              \
	"  "

static void what_authentication_needs_is_told(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ WITH_TLS "auth: {backends: [ldpa]}\n",
			"node.yaml:4:18: $.auth.backends: \"ldpa\" is not one of ldap, file, winbind, "
			"kerberos\n" },
		{ WITH_TLS "auth: {mechanisms: [PLAIN, FOO]}\n",
			"node.yaml:4:20: $.auth.mechanisms: PLAIN needs ldap in auth.backends\n"
			"node.yaml:4:20: $.auth.mechanisms: \"FOO\" is not one that this node knows\n" },
		{ WITH_TLS "auth: {backends: [file], mechanisms: [plain, NTLM], file: {path: /u}}\n",
			"node.yaml:4:38: $.auth.mechanisms: NTLM needs winbind in auth.backends\n" },
		{ WITH_TLS "auth: {backends: [file, file]}\n",
			"node.yaml:4:18: $.auth.backends: file is there twice\n"
			"node.yaml: $.auth.file.path: is missing: auth.backends has file\n" },
		{ WITH_TLS "auth: {backends: [kerberos, winbind]}\n",
			"node.yaml: $.auth.kerberos.keytab: is missing: auth.backends has kerberos\n"
			"node.yaml:4:18: $.auth.backends: winbind and kerberos need ldap too\n" },
		{ WITH_TLS "auth: {backends: ldap, ldap: {servers: ['ldap://a', 'ldaps://b', 'ldaps://'], "
			   "ca: /c, timeout: 20s}}\n",
			"node.yaml: $.auth.ldap.bind_dn: is missing: auth.backends has ldap\n"
			"node.yaml: $.auth.ldap.password_file: is missing, or auth.ldap.bind_secret in its "
			"place: auth.backends has ldap\n"
			"node.yaml: $.auth.ldap.base: is missing: auth.backends has ldap\n"
			"node.yaml: $.auth.ldap.realm: is missing: auth.backends has ldap\n"
			"node.yaml:4:40: $.auth.ldap.servers: \"ldap://a\" is not a URI such as "
			"ldaps://dc1.example.com; ldap:// needs auth.ldap.start_tls\n"
			"node.yaml:4:40: $.auth.ldap.servers: \"ldaps://\" is not a URI such as "
			"ldaps://dc1.example.com; ldap:// needs auth.ldap.start_tls\n"
			"node.yaml:4:96: $.auth.ldap.timeout: must not be larger than auth.timeout\n" },
		{ WITH_TLS WITH_LDAP "password_file: /p, bind_secret: svc-relay}}\n",
			"node.yaml:6:35: $.auth.ldap.bind_secret: is instead of auth.ldap.password_file: "
			"give one or the other, not both\n"
			"node.yaml:6:35: $.auth.ldap.bind_secret: needs redis.address or redis.sentinels: "
			"secrets are a "
			"cluster's\n"
			"node.yaml:6:35: $.auth.ldap.bind_secret: needs cluster.key_file, which opens "
			"secrets\n" },
		{ BASE "dns: {servers: [192.0.2.1, '[2001:db8::1]:5353', ns.example]}\n",
			"node.yaml:3:16: $.dns.servers: \"ns.example\" is not an address such as "
			"192.0.2.1\n" },
		{ BASE "dns: {insecure_domains: [corp.example., 'a b']}\n",
			"node.yaml:3:25: $.dns.insecure_domains: \"a b\" is not a domain\n"
			"node.yaml:3:25: $.dns.insecure_domains: warning: has no effect: without "
			"dns.trust_anchor nothing is validated\n" },
		{ BASE "tls_reports: {from: tls@example.org, contact: '<tls@example.org>'}\n",
			"node.yaml:3:47: $.tls_reports.contact: \"<tls@example.org>\" is not an address such "
			"as "
			"tls-reports@example.com\n"
			"node.yaml:3:21: $.tls_reports.from: needs redis.address or redis.sentinels: a day "
			"is summed up there\n" },
		{ BASE "dns_watch: {egress: [192.0.2.1, 192.0.2.256], domains: [example.org, 'a b']}\n",
			"node.yaml:3:56: $.dns_watch.domains: \"a b\" is not a domain; one in other letters "
			"is "
			"wanted as xn--...\n"
			"node.yaml:3:21: $.dns_watch.egress: \"192.0.2.256\" is not an address such as "
			"192.0.2.1\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		expect_report(rows[i].text, rows[i].wanted);
}

static void what_is_allowed_but_doubtful_is_a_warning(void **state)
{
	static const struct {
		const char *text, *wanted;
	} rows[] = {
		{ BASE "relay: {allow: [0.0.0.0/0]}\n",
			"node.yaml:3:16: $.relay.allow: warning: lets the whole internet relay\n" },
		{ "listeners: [{address: '127.0.0.1:25', tls: starttls, tls_minimum: 1.0}]\n"
		  "route: {next_hops: [{host: a}]}\ntls: {certificate: /c, key: /k}\n",
			"node.yaml:1:67: $.listeners[0].tls_minimum: warning: TLS 1.0 and 1.1 are broken, "
			"and "
			"weak ciphers and signatures are allowed with them: only for old devices in a "
			"network "
			"of their own\n" },
		{ "listeners: [{address: '127.0.0.1:25', client_ca: /ca}]\n"
		  "route: {next_hops: [{host: a}]}\n",
			"node.yaml:1:50: $.listeners[0].client_ca: warning: has no effect: "
			"client_certificate is "
			"none\n" },
		{ BASE "auth: {backends: [file], file: {path: /u}}\n",
			"node.yaml:3:18: $.auth.backends: warning: has no effect: no listener has TLS, and "
			"AUTH needs it\n" },
		{ BASE "dns: {insecure_domains: [corp.example]}\n",
			"node.yaml:3:25: $.dns.insecure_domains: warning: has no effect: without "
			"dns.trust_anchor nothing is validated\n" },
		{ BASE "redis: {sentinels: ['s:26379']}\n",
			"node.yaml: $.redis.wait_replicas: warning: is 0: a failover loses the last writes, "
			"and a "
			"master that is cut off goes on renewing leases. Set it to 1\n" },
		{ BASE "redis: {tls: {ca: /c}}\n",
			"node.yaml: $.redis.tls: warning: has no effect: redis.tls.enabled is false\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct report report = { 0 };
		struct settings *settings = load(rows[i].text, &report);

		assert_non_null(settings);
		assert_int_equal(report.errors, 0);
		assert_int_equal(report.warnings, 1);
		assert_span_equal(buf_span(&report.text), rows[i].wanted);
		settings_free(&settings);
		report_fini(&report);
	}
}

static void a_key_far_from_all_gets_no_suggestion_and_cannot_harm_a_terminal(void **state)
{
	(void)state;
	expect_report(BASE "\"\\e[2J\\n\": 1\n", "node.yaml:3:1: unknown key \"?[2J?\"\n");
	expect_report(BASE "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
			   "aaaaaaa: 1\n",
		"node.yaml:3:1: unknown key "
		"\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...\"\n");
}

static void lists_and_mappings_have_a_greatest_size(void **state)
{
	struct report report = { 0 };
	struct buf text = { 0 };
	struct load_input input = { .file = "node.yaml" };
	struct settings *settings;

	(void)state;
	for (unsigned count = 1024; count <= 1025; count++) {
		buf_clear(&text);
		buf_append_str(&text, BASE "relay: {allow: [");
		for (unsigned i = 0; i < count; i++)
			buf_printf(&text, "10.%u.%u.0/24,", i / 256, i % 256);
		buf_append_str(&text, "]}\n");
		input.text = buf_span(&text);
		settings = settings_load(&input, &report);
		assert_int_equal(settings != NULL, count == 1024);
		if (settings)
			assert_int_equal(settings->relay.allow.count, 1024);
		settings_free(&settings);
	}
	assert_span_equal(
		buf_span(&report.text), "node.yaml:3:16: $.relay.allow: has more than 1024 items\n");
	report_fini(&report);
	buf_clear(&text);
	for (unsigned i = 0; i < 300; i++)
		buf_printf(&text, "k%u: 1\n", i);
	input.text = buf_span(&text);
	assert_null(settings_load(&input, &report));
	assert_span_equal(buf_span(&report.text), "node.yaml:1:1: has more than 256 keys\n");
	report_fini(&report);
	buf_fini(&text);
}

static void errors_past_the_first_hundred_are_counted_only(void **state)
{
	struct report report = { 0 };
	struct buf text = { 0 };
	struct load_input input = { .file = "node.yaml" };
	unsigned lines = 0;

	(void)state;
	for (unsigned i = 0; i < 150; i++)
		buf_printf(&text, "k%u: 1\n", i);
	input.text = buf_span(&text);
	assert_null(settings_load(&input, &report));
	assert_int_equal(report.errors, 150);
	for (size_t i = 0; i < buf_len(&report.text); i++)
		lines += buf_span(&report.text).ptr[i] == '\n';
	assert_int_equal(lines, REPORT_ERRORS_MAX);
	report_fini(&report);
	buf_fini(&text);
}

static void a_list_given_anew_forgets_what_the_file_said(void **state)
{
	static const struct setting_override overrides[] = {
		{ OVERRIDE_TEXT, "--set listeners", "listeners", "[{tls: none}]" },
	};
	struct load_input input = { "node.yaml", SPAN_LIT(BASE), overrides, 1 };
	struct report report = { 0 };

	(void)state;
	assert_null(settings_load(&input, &report));
	assert_span_equal(
		buf_span(&report.text), "--set listeners: $.listeners[0]: \"address\" is missing\n");
	report_fini(&report);
}

static void note_change(void *arg, const char *path, bool is_applied)
{
	buf_printf(arg, "%s %s\n", path, is_applied ? "applied" : "kept");
}

static void a_reload_takes_what_may_change_and_keeps_the_rest(void **state)
{
	static const char changed[] = "listeners: [{address: '127.0.0.1:26', proxy_from: [10.0.0.0/8]}]\n"
				      "route: {next_hops: [{host: other.example, port: 26}]}\n"
				      "redis: {address: '127.0.0.1:6379'}\n"
				      "node: {name: other}\n"
				      "relay: {allow: [10.0.0.0/8]}\n"
				      "limits: {errors: 7}\n";
	struct report report = { 0 };
	struct settings *running = load(BASE "node: {name: first}\n", &report);
	struct settings *loaded = load(changed, &report);
	struct buf changes = { 0 };

	(void)state;
	assert_non_null(running);
	assert_non_null(loaded);
	settings_reload(loaded, running, note_change, &changes);
	settings_free(&running);
	assert_span_equal(buf_span(&changes), "node.name kept\n"
					      "listeners kept\n"
					      "relay.allow applied\n"
					      "route.next_hops kept\n"
					      "redis.address kept\n"
					      "limits.errors applied\n");
	assert_string_equal(loaded->node.name, "first");
	assert_int_equal(loaded->listeners.count, 1);
	assert_int_equal(loaded->listeners.items[0].address.port, 2525);
	assert_string_equal(loaded->listeners.items[0].name, "smtp-1");
	assert_int_equal(loaded->listeners.items[0].proxy_from.count, 0);
	assert_string_equal(loaded->route.next_hops.items[0].host, "mail.example");
	assert_string_equal(loaded->redis.address.host, "");
	assert_int_equal(loaded->relay.allow.count, 1);
	assert_int_equal(loaded->limits.errors, 7);
	settings_free(&loaded);
	buf_fini(&changes);
	report_fini(&report);
}

static void files_must_be_there_and_secrets_hidden(void **state)
{
	char folder[] = "/tmp/skein-config-XXXXXX", cert[64], key[64], text[512], wanted[512];
	struct report report = { 0 };
	struct settings *settings;

	(void)state;
	assert_non_null(mkdtemp(folder));
	snprintf(cert, sizeof(cert), "%s/cert", folder);
	snprintf(key, sizeof(key), "%s/key", folder);
	snprintf(text, sizeof(text),
		BASE "tls: {certificate: %s, key: %s}\nredis: {tls: {ca: %s, enabled: true}}\n", cert, key,
		folder);
	settings = load(text, &report);
	assert_non_null(settings);
	fclose(fopen(key, "w"));
	chmod(key, 0644);
	settings_check_files(settings, &report);
	snprintf(wanted, sizeof(wanted),
		"node.yaml:3:20: $.tls.certificate: cannot read %s: No such file or directory\n"
		"node.yaml:3:%zu: $.tls.key: warning: %s is open to other users (mode 644): chmod o=,g-w\n"
		"node.yaml:4:19: $.redis.tls.ca: %s is not a file\n",
		cert, strlen("tls: {certificate: , key: ") + strlen(cert) + 1, key, folder);
	assert_span_equal(buf_span(&report.text), wanted);
	assert_int_equal(report.errors, 2);
	report_fini(&report);
	fclose(fopen(cert, "w"));
	chmod(key, 0640);
	settings->redis.tls.ca = cert;
	settings_check_files(settings, &report);
	assert_span_equal(buf_span(&report.text), "");
	settings_free(&settings);
	snprintf(text, sizeof(text), BASE "tls: {certificates: [{certificate: %s, key: /absent}]}\n", cert);
	settings = load(text, &report);
	assert_non_null(settings);
	settings_check_files(settings, &report);
	snprintf(wanted, sizeof(wanted),
		"node.yaml:3:%zu: $.tls.certificates[0].key: cannot read /absent: No such file or "
		"directory\n",
		strlen("tls: {certificates: [{certificate: , key: ") + strlen(cert) + 1);
	assert_span_equal(buf_span(&report.text), wanted);
	unlink(cert);
	unlink(key);
	rmdir(folder);
	settings_free(&settings);
	report_fini(&report);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_file_arrives),
		cmocka_unit_test(all_errors_come_in_one_run_each_with_its_place),
		cmocka_unit_test(what_is_not_one_plain_yaml_document_is_refused),
		cmocka_unit_test(rules_over_several_settings_point_where_one_was_given),
		cmocka_unit_test(what_authentication_needs_is_told),
		cmocka_unit_test(what_is_allowed_but_doubtful_is_a_warning),
		cmocka_unit_test(a_key_far_from_all_gets_no_suggestion_and_cannot_harm_a_terminal),
		cmocka_unit_test(lists_and_mappings_have_a_greatest_size),
		cmocka_unit_test(errors_past_the_first_hundred_are_counted_only),
		cmocka_unit_test(a_list_given_anew_forgets_what_the_file_said),
		cmocka_unit_test(a_reload_takes_what_may_change_and_keeps_the_rest),
		cmocka_unit_test(files_must_be_there_and_secrets_hidden),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
