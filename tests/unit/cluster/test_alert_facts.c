#include "cmocka_all.h"

#include "skein/cluster/alert_facts.h"

#define NOW_S 1800000000ll

static const struct alert_certificate soon[] = { { SPAN_LIT("cert.pem"), NOW_S + 3 * 86400 + 5 },
	{ SPAN_LIT("old.pem"), NOW_S - 1 } };
static const struct alert_node lost[] = { { .name = SPAN_LIT("n1"), .life = ALERT_NODE_DEAD } };
static const struct alert_node drifting[] = {
	{ .name = SPAN_LIT("n1"), .policy = 7 },
	{ .name = SPAN_LIT("n2"), .policy = 6 },
	{ .name = SPAN_LIT("n3"), .policy = 6, .policy_refused = 7 },
	{ .name = SPAN_LIT("n4"), .policy = 7, .policy_refused = 5 },
};
static const struct alert_node full[] = { { .name = SPAN_LIT("n1"),
	.has_said = true,
	.disk_percent = 91,
	.certificates = soon,
	.certificate_count = 2 } };
/* Ended at half an hour before the last look; another server of it is better. Which node said it does not
 * count. */
static const struct alert_hop_certificate seen_here[] = {
	{ SPAN_LIT("mx.example"), NOW_S + 3 * 86400 + 5, NOW_S - 1800 },
	{ SPAN_LIT("renewed.example"), NOW_S + 86400, NOW_S - 7200 },
	{ SPAN_LIT("over.example"), NOW_S - 1, NOW_S },
};
static const struct alert_hop_certificate seen_there[] = {
	{ SPAN_LIT("mx.example"), NOW_S + 90 * 86400, NOW_S },
	{ SPAN_LIT("renewed.example"), NOW_S + 90 * 86400, NOW_S },
};
static const struct alert_node hopping[] = {
	{ .name = SPAN_LIT("n1"), .has_said = true, .hops = seen_here, .hop_count = 3 },
	{ .name = SPAN_LIT("n2"), .has_said = true, .hops = seen_there, .hop_count = 2 },
};
static const struct alert_sender_facts senders[] = { { SPAN_LIT("joe example.org"), 6000, 100 },
	{ SPAN_LIT("new example.org"), 700, 0 }, { SPAN_LIT("few example.org"), 499, 1 } };
static const struct alert_login logins[] = { { SPAN_LIT("user joe"), 60 } };

/* What the facts make: "alert subject value;" in their order; values that nothing is wrong with are left out.
 */
struct row {
	const char *name;
	struct alert_facts facts;
	const char *bad;
};

#define COUNTERS(...) .counters = { __VA_ARGS__ }
static const struct row rows[] = {
	{ "nothing is wrong", { .now_ms = 1 }, "" },
	{ "a node is dead", { .nodes = lost, .node_count = 1 }, "node-lost n1 1;" },
	{ "nodes run another version, or refuse one", { .nodes = drifting, .node_count = 4, .policy = 7 },
		"policy-drift n2 1;policy-drift n3 1;" },
	{ "there is no policy", { .nodes = drifting, .node_count = 1 }, "" },
	{ "a disk is full and certificates end", { .nodes = full, .node_count = 1 },
		"disk n1 91;certificate n1 cert.pem 3;certificate n1 old.pem 0;" },
	{ "certificates of next hops end", { .nodes = hopping, .node_count = 2 },
		"certificate hop over.example 0;certificate hop mx.example 3;" },
	{ "Redis is not safe",
		{ .has_redis = true,
			.redis = { .evicts = true, .forgets = true, .replicas_wanted = 2, .replicas = 1 } },
		"redis-unsafe eviction 1;redis-unsafe persistence 1;redis-replicas cluster 1;" },
	{ "nothing is known of Redis", { .redis = { .evicts = true } }, "" },
	{ "Redis is full",
		{ .has_redis = true, .redis = { .memory_used = 900 << 20, .memory_max = 1000 << 20 } },
		"redis-memory cluster 89;" },
	{ "the leader has changed", { COUNTERS([ALERT_COUNT_LEADER_CHANGES] = 1) },
		"leader-change cluster 1;" },
	{ "mail has one copy, and lines were lost",
		{ COUNTERS([ALERT_COUNT_DEGRADED] = 3, [ALERT_COUNT_LOG_DROPPED] = 9) },
		"mail-degraded cluster 3;log-dropped cluster 9;" },
	{ "tracking events were lost", { COUNTERS([ALERT_COUNT_TRACK_LOST] = 2) }, "track-lost cluster 2;" },
	{ "half of the attempts are put off",
		{ COUNTERS([ALERT_COUNT_DEFERRED] = 60, [ALERT_COUNT_DELIVERED] = 40) },
		"deferrals cluster 60;" },
	{ "of a few attempts most are", { COUNTERS([ALERT_COUNT_DEFERRED] = 19) }, "" },
	{ "many bounce",
		{ COUNTERS([ALERT_COUNT_FAILED] = 20, [ALERT_COUNT_EXPIRED] = 10,
			[ALERT_COUNT_DELIVERED] = 70) },
		"bounces cluster 30;" },
	{ "the queue is long and old",
		{ .has_queue = true, .queue_size = 20000, .queue_oldest_ms = 20000000 },
		"queue-age cluster 20000000;queue-size cluster 20000;" },
	{ "the queue is not known", { .queue_size = 20000, .queue_oldest_ms = 20000000 }, "" },
	{ "DNS fails", { .has_dns = true, .dns_failing = 2 }, "dns cluster 2;" },
	{ "DNS was not looked at", { .dns_failing = 2 }, "" },
	{ "logins fail", { .logins = logins, .login_count = 1, COUNTERS([ALERT_COUNT_LOGINS_FAILED] = 501) },
		"login-failures user joe 60;login-failures-all cluster 501;" },
	{ "senders", { .senders = senders, .sender_count = 3 },
		"sender-spike joe example.org 60;sender-spike new example.org 700;" },
};

static void append_bad(const struct alert_values *values, const struct alert_policy *policy, struct buf *out)
{
	for (size_t i = 0; i < values->count; i++) {
		const struct alert_value *value = &values->items[i];
		const struct alert_kind *kind = alert_kind(value->alert);

		assert_true(value->text.len > 0);
		if (alert_is_bad(&policy->rules[value->alert], kind->unit, value->value))
			buf_printf(out, "%s %.*s %llu;", kind->name, SPAN_ARGS(value->subject),
				(unsigned long long)value->value);
	}
}

static void each_fact_makes_its_alert(void **state)
{
	struct alert_policy policy;
	struct alert_values values;
	struct arena arena = { 0 };
	struct buf bad = { 0 };

	(void)state;
	alert_policy_preset(&policy);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct alert_facts facts = rows[i].facts;

		facts.now_ms = NOW_S * 1000;
		buf_clear(&bad);
		alert_judge(&facts, &policy, &arena, &values);
		append_bad(&values, &policy, &bad);
		if (!span_eq(buf_span(&bad), span_of_str(rows[i].bad)))
			fail_msg("%s: %.*s", rows[i].name, SPAN_ARGS(buf_span(&bad)));
	}
	buf_fini(&bad);
	arena_fini(&arena);
}

/* What an administrator reads: whose, when, how much, and the bound. */
static void texts_say_what_how_much_and_the_bound(void **state)
{
	static const struct {
		struct alert_facts facts;
		const char *text;
	} said[] = {
		{ { .nodes = full, .node_count = 1 }, "journal and disk of n1 are 91% of the way to where no "
						      "mail is taken; the bound is 80%" },
		{ { .nodes = hopping, .node_count = 1 }, "the certificate of hop mx.example ends on "
							 "2027-01-18, in 3 days; the bound is 14 days" },
		{ { .senders = senders, .sender_count = 1 },
			"6000 messages in the last hour, 60 times the usual 100; the bound is 10 times" },
		{ { .logins = logins, .login_count = 1 }, "60 logins failed in 10m; the bound is 50" },
		{ { COUNTERS([ALERT_COUNT_DEFERRED] = 60, [ALERT_COUNT_DELIVERED] = 40) },
			"60 of 100 attempts to deliver were put off in 10m: 60%; the bound is 50%" },
		{ { .has_queue = true, .queue_oldest_ms = 15000000 },
			"the oldest message in the queue is 4h10m old; the bound is 4h" },
		{ { .nodes = drifting + 1, .node_count = 1, .policy = 7 }, "n2 runs version 6 instead of 7" },
		{ { .has_redis = true, .redis = { .memory_used = 900 << 20, .memory_max = 1000 << 20 } },
			"Redis uses 900 of 1000 MiB: 89%; the bound is 80%" },
	};
	struct alert_policy policy;
	struct alert_values values;
	struct arena arena = { 0 };

	(void)state;
	alert_policy_preset(&policy);
	for (size_t i = 0; i < ARRAY_LEN(said); i++) {
		struct alert_facts facts = said[i].facts;
		bool is_there = false;

		facts.now_ms = NOW_S * 1000;
		alert_judge(&facts, &policy, &arena, &values);
		for (size_t k = 0; k < values.count; k++)
			is_there = is_there || span_eq(values.items[k].text, span_of_str(said[i].text));
		if (!is_there)
			fail_msg("nobody says: %s", said[i].text);
	}
	arena_fini(&arena);
}

/* 450 of 500 messages, 18 of 20 attempts: no alert begins, and none is over. */
static void nearly_enough_begins_nothing_and_ends_nothing(void **state)
{
	static const struct alert_sender_facts fewer[] = { { SPAN_LIT("joe"), 450, 1 } };
	const struct alert_facts facts = {
		.senders = fewer, .sender_count = 1, COUNTERS([ALERT_COUNT_DEFERRED] = 18)
	};
	struct alert_policy policy;
	struct alert_values values;
	struct arena arena = { 0 };
	size_t found = 0;

	(void)state;
	alert_policy_preset(&policy);
	alert_judge(&facts, &policy, &arena, &values);
	for (size_t i = 0; i < values.count; i++) {
		const struct alert_value *it = &values.items[i];

		if (it->alert != ALERT_SENDER_SPIKE && it->alert != ALERT_DEFERRALS)
			continue;
		assert_int_equal(it->value, policy.rules[it->alert].bound);
		found++;
	}
	assert_int_equal(found, 2);
	arena_fini(&arena);
}

static void an_alert_that_is_off_has_no_values(void **state)
{
	const struct alert_facts facts = { .nodes = lost, .node_count = 1 };
	struct alert_policy policy;
	struct alert_values values;
	struct arena arena = { 0 };

	(void)state;
	alert_policy_preset(&policy);
	for (enum alert it = 0; it < ALERT_COUNT; it++)
		policy.rules[it].is_on = false;
	alert_judge(&facts, &policy, &arena, &values);
	assert_int_equal(values.count, 0);
	assert_int_equal(values.left_out, 0);
	arena_fini(&arena);
}

static void subjects_are_bounded(void **state)
{
	struct alert_login many[ALERT_FIRING_MAX + 10];
	char name[ALERT_SUBJECT_MAX + 50];
	const struct alert_facts facts = { .logins = many, .login_count = ARRAY_LEN(many) };
	struct alert_policy policy;
	struct alert_values values;
	struct arena arena = { 0 };

	(void)state;
	memset(name, 'x', sizeof(name));
	for (size_t i = 0; i < ARRAY_LEN(many); i++)
		many[i] = (struct alert_login){ span_of(name, sizeof(name)), 60 };
	alert_policy_preset(&policy);
	alert_judge(&facts, &policy, &arena, &values);
	assert_int_equal(values.count, ALERT_FIRING_MAX);
	assert_true(values.left_out >= 10);
	assert_int_equal(values.items[ALERT_FIRING_MAX - 1].subject.len, ALERT_SUBJECT_MAX);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_fact_makes_its_alert),
		cmocka_unit_test(texts_say_what_how_much_and_the_bound),
		cmocka_unit_test(nearly_enough_begins_nothing_and_ends_nothing),
		cmocka_unit_test(an_alert_that_is_off_has_no_values),
		cmocka_unit_test(subjects_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
