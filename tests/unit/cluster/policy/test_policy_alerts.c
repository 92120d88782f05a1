#include "cmocka_all.h"

#include "policy_rows.h"

#include "skein/cluster/policy.h"

#define CHANNELS                                                                                             \
	"alerts:\n  channels:\n    ops: {mail: ops@example.net, from: skein@example.net}\n"                  \
	"    chat: {webhook: 'https://chat.example.net/x', form: teams, secret: chat}\n"                     \
	"    hook: {webhook_secret: hook-url, form: slack}\n"                                                \
	"    log: {syslog: 'udp://192.0.2.9:514'}\n"

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
		{ "alerts: {channels: {a: {}}}\n", "p.yaml:1:21: $.alerts.channels.a: has to have one of "
						   "mail, webhook, webhook_secret and syslog\n" },
		{ "alerts: {channels: {a: {syslog: 'udp://x:1', mail: a@b.c, from: d@b.c}}}\n",
			"p.yaml:1:21: $.alerts.channels.a: has to have one of mail, webhook, webhook_secret "
			"and syslog\n" },
		{ "alerts: {channels: {a: {mail: a@b.c}}}\n",
			"p.yaml:1:31: $.alerts.channels.a.mail: needs from too: the address that these mails "
			"come from\n" },
		{ "alerts: {channels: {a: {mail: ops, from: d@b.c}}}\n",
			"p.yaml:1:31: $.alerts.channels.a.mail: \"ops\" is not an address such as "
			"ops@example.net\n" },
		{ "alerts: {channels: {a: {webhook: 'ftp://x'}}}\n",
			"p.yaml:1:34: $.alerts.channels.a.webhook: must begin with https:// or http://\n" },
		{ "alerts: {channels: {a: {syslog: 'x:514', form: json}}}\n",
			"p.yaml:1:48: $.alerts.channels.a.form: has no effect without webhook\n"
			"p.yaml:1:33: $.alerts.channels.a.syslog: must be udp://HOST:514, tcp://HOST:601 or "
			"tls://HOST:6514\n" },
		{ "alerts: {rules: {quue-age: {}}}\n", "p.yaml:1:18: $.alerts.rules.quue-age: there is no "
						       "alert \"quue-age\", did you mean \"queue-age\"?\n" },
		{ "alerts: {rules: {queue-age: {above: long}}}\n",
			"p.yaml:1:37: $.alerts.rules.queue-age.above: expected a duration such as 500ms, 5s, "
			"3m, 2h or 1d, got \"long\"\n" },
		{ "alerts: {rules: {deferrals: {above: 120%}}}\n",
			"p.yaml:1:37: $.alerts.rules.deferrals.above: 120 is outside 0..100\n" },
		{ "alerts: {rules: {certificate: {above: 14d}}}\n",
			"p.yaml:1:39: $.alerts.rules.certificate.above: is nothing that certificate has: say "
			"below\n" },
		{ "alerts: {rules: {queue-size: {minimum: 3}}}\n",
			"p.yaml:1:40: $.alerts.rules.queue-size.minimum: has no effect on queue-size\n" },
		{ CHANNELS "  rules: {dns: {to: [opps]}}\n",
			"p.yaml:7:22: $.alerts.rules.dns.to[0]: there is no channel \"opps\", did you mean "
			"\"ops\"?\n" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), false);
}

static void a_secret_in_clear_is_warned_of(void **state)
{
	static const struct policy_row rows[] = {
		{ "alerts: {channels: {a: {webhook: 'http://x', secret: s}}}\n",
			"p.yaml:1:34: $.alerts.channels.a.webhook: warning: sends the secret in clear: "
			"https:// is "
			"better\n" },
		{ "alerts: {channels: {a: {webhook: 'http://x'}}}\n", "" },
		{ "alerts: {channels: {a: {webhook: 'https://x', secret: s}}}\n", "" },
	};

	(void)state;
	check_rows(rows, ARRAY_LEN(rows), true);
}

static void without_a_section_all_alerts_are_on_and_nobody_is_told(void **state)
{
	struct policy *policy = parse("clients: [{effect: deny}]\n");
	const struct alert_policy *alerts = policy_alerts(policy);

	(void)state;
	assert_int_equal(alerts->channel_count, 0);
	assert_int_equal(alerts->window_ms, 600000);
	for (enum alert it = 0; it < ALERT_COUNT; it++) {
		assert_true(alerts->rules[it].is_on);
		assert_int_equal(alerts->rules[it].bound, alert_kind(it)->bound);
		assert_int_equal(alerts->rules[it].for_ms, alert_kind(it)->for_ms);
		assert_int_equal(alerts->rules[it].channels, 0);
	}
	policy_free(&policy);
}

static void channels_are_what_they_say(void **state)
{
	struct policy *policy = parse(CHANNELS);
	const struct alert_policy *alerts = policy_alerts(policy);

	(void)state;
	assert_int_equal(alerts->channel_count, 4);
	assert_int_equal(alerts->channels[0].kind, ALERT_BY_MAIL);
	assert_string_equal(alerts->channels[0].from, "skein@example.net");
	assert_int_equal(alerts->channels[1].form, ALERT_FORM_TEAMS);
	assert_string_equal(alerts->channels[1].secret, "chat");
	assert_string_equal(alerts->channels[2].url_secret, "hook-url");
	assert_string_equal(alerts->channels[2].url, "");
	assert_int_equal(alerts->channels[3].kind, ALERT_BY_SYSLOG);
	assert_string_equal(alerts->channels[3].url, "udp://192.0.2.9:514");
	assert_int_equal(alerts->rules[ALERT_DNS].channels, 15);
	policy_free(&policy);
}

static void a_rule_changes_what_it_says_and_nothing_else(void **state)
{
	struct policy *policy = parse(CHANNELS
		"  window: 30s\n  repeat: 0s\n  rules:\n    queue-age: {above: 90s, to: [log, ops]}\n"
		"    deferrals: {above: 30%, minimum: 5, for: 0s, severity: critical}\n"
		"    certificate: {below: 30d}\n    dns: {enabled: false, to: []}\n");
	const struct alert_policy *alerts = policy_alerts(policy);

	(void)state;
	assert_int_equal(alerts->window_ms, 30000);
	assert_int_equal(alerts->repeat_ms, 0);
	assert_int_equal(alerts->rules[ALERT_QUEUE_AGE].bound, 90000);
	assert_int_equal(alerts->rules[ALERT_QUEUE_AGE].for_ms, alert_kind(ALERT_QUEUE_AGE)->for_ms);
	assert_int_equal(alerts->rules[ALERT_QUEUE_AGE].channels, 9);
	assert_int_equal(alerts->rules[ALERT_DEFERRALS].bound, 30);
	assert_int_equal(alerts->rules[ALERT_DEFERRALS].least, 5);
	assert_int_equal(alerts->rules[ALERT_DEFERRALS].for_ms, 0);
	assert_int_equal(alerts->rules[ALERT_DEFERRALS].severity, ALERT_CRITICAL);
	assert_int_equal(alerts->rules[ALERT_DEFERRALS].channels, 15);
	assert_int_equal(alerts->rules[ALERT_CERTIFICATE].bound, 30);
	assert_false(alerts->rules[ALERT_DNS].is_on);
	assert_int_equal(alerts->rules[ALERT_DNS].channels, 0);
	assert_int_equal(alerts->rules[ALERT_NODE_LOST].severity, ALERT_CRITICAL);
	policy_free(&policy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_wrong_is_told_with_place_and_cure),
		cmocka_unit_test(a_secret_in_clear_is_warned_of),
		cmocka_unit_test(without_a_section_all_alerts_are_on_and_nobody_is_told),
		cmocka_unit_test(channels_are_what_they_say),
		cmocka_unit_test(a_rule_changes_what_it_says_and_nothing_else),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
