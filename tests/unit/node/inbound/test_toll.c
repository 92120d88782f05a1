/* What a message takes of its limits: many domains in pieces, all or nothing. Without Redis: by the share. */
#include "cmocka_all.h"

#include "inbound/toll.h"
#include "lone_link.h"

#include <stdio.h>

enum { DOMAINS = 3 * LIMIT_TAKES_MAX };

static const struct limit_rule per_domain = {
	.name = "per-domain",
	.key = LIMIT_PER_RECIPIENT_DOMAIN,
	.unit = LIMIT_MESSAGES,
	.rate = 2,
	.period_us = 3600000000,
	.burst = 2,
};
static const struct limit_rule bytes = {
	.name = "bytes",
	.key = LIMIT_PER_CLUSTER,
	.unit = LIMIT_BYTES,
	.rate = 1000,
	.period_us = 3600000000,
	.burst = 1000,
};
static const struct limit_rule *const rules[] = { &per_domain, &bytes };

struct lab {
	struct loop loop;
	struct redis_link *link;
	struct limit_share *share;
	struct limit_desk desk;
	char names[DOMAINS][32];
	struct span recipients[DOMAINS];
};

static int setup(void **state)
{
	static struct lab lab;
	const struct limit_share_options share = { .counters_max = 1000, .seed = { 1, 2 } };

	lab = (struct lab){ .share = limit_share_new(&share) };
	assert_int_equal(loop_init(&lab.loop), ERR_OK);
	lab.link = lone_link_new();
	limit_desk_init(&lab.desk, &lab.loop, lab.link, lab.share, 300);
	for (size_t i = 0; i < DOMAINS; i++) {
		snprintf(lab.names[i], sizeof(lab.names[i]), "u@d%zu.example", i);
		lab.recipients[i] = span_of_str(lab.names[i]);
	}
	*state = &lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	redis_link_free(&lab->link);
	limit_desk_fini(&lab->desk);
	limit_share_free(&lab->share);
	loop_fini(&lab->loop);
	return 0;
}

static void never(void *arg, const struct toll_verdict *verdict)
{
	(void)arg;
	(void)verdict;
	fail_msg("decided later, though there is no Redis");
}

static bool ask(struct lab *lab, struct toll *toll, unsigned units, size_t first, size_t count, uint64_t size,
	const struct limit_rule **rule_out)
{
	const struct toll_limits limits = { rules, ARRAY_LEN(rules), units, NULL };
	const struct limit_subject subject = {
		.recipients = lab->recipients + first,
		.recipient_count = count,
		.bytes = size,
	};
	struct toll_verdict verdict;

	assert_true(toll_ask(toll, &lab->desk, &limits, &subject, never, NULL, &verdict));
	*rule_out = verdict.rule;
	return verdict.is_let_in;
}

static uint64_t used(struct lab *lab, const char *domain)
{
	const struct limit_take take = { &per_domain, span_of_str(domain), 1 };

	return limit_share_used(lab->share, &take, loop_boottime_ms() * 1000);
}

static void what_is_kept_counts(void **state)
{
	const struct limit_rule *rule;
	struct lab *lab = *state;
	struct toll toll = { 0 };

	for (unsigned i = 0; i < 2; i++) {
		assert_true(ask(lab, &toll, 1u << LIMIT_MESSAGES, 0, DOMAINS, 0, &rule));
		toll_keep(&toll);
	}
	assert_int_equal(used(lab, "d0.example"), 2);
	assert_int_equal(used(lab, "d95.example"), 2);
	assert_false(ask(lab, &toll, 1u << LIMIT_MESSAGES, 0, 1, 0, &rule));
	assert_ptr_equal(rule, &per_domain);
}

static void a_refusal_takes_nothing_of_any_piece(void **state)
{
	const struct limit_rule *rule;
	struct lab *lab = *state;
	struct toll toll = { 0 };

	/* The last domain is full. */
	for (unsigned i = 0; i < 2; i++) {
		assert_true(ask(lab, &toll, 1u << LIMIT_MESSAGES, DOMAINS - 1, 1, 0, &rule));
		toll_keep(&toll);
	}
	assert_false(ask(lab, &toll, 1u << LIMIT_MESSAGES, 0, DOMAINS, 0, &rule));
	for (size_t i = 0; i + 1 < DOMAINS; i++)
		assert_int_equal(used(lab, lab->names[i] + 2), 0);
	assert_int_equal(used(lab, "d95.example"), 2);
}

static void a_second_question_that_is_refused_undoes_the_first(void **state)
{
	const struct limit_rule *rule;
	struct lab *lab = *state;
	struct toll toll = { 0 };

	assert_true(ask(lab, &toll, 1u << LIMIT_BYTES, 0, 1, 900, &rule));
	toll_keep(&toll);
	assert_true(ask(lab, &toll, 1u << LIMIT_MESSAGES, 0, 1, 0, &rule));
	assert_int_equal(used(lab, "d0.example"), 1);
	assert_false(ask(lab, &toll, 1u << LIMIT_BYTES, 0, 1, 900, &rule));
	assert_ptr_equal(rule, &bytes);
	assert_int_equal(used(lab, "d0.example"), 0);
}

static void what_is_given_back_was_never_taken(void **state)
{
	const struct limit_rule *rule;
	struct lab *lab = *state;
	struct toll toll = { 0 };

	for (unsigned i = 0; i < 10; i++) {
		assert_true(ask(lab, &toll, 1u << LIMIT_MESSAGES, 0, DOMAINS, 0, &rule));
		toll_give_back(&toll);
	}
	assert_int_equal(used(lab, "d0.example"), 0);
}

static void without_such_a_limit_nothing_is_asked(void **state)
{
	const struct limit_rule *rule;
	struct lab *lab = *state;
	struct toll toll = { 0 };

	assert_true(ask(lab, &toll, 1u << LIMIT_CONNECTIONS, 0, 1, 0, &rule));
	assert_null(toll.desk);
	assert_int_equal(limiter_stats(lab->desk.limiter)->by_share, 0);
	toll_give_back(&toll);
}

/* --- by name -------------------------------------------------------------------------------------- */

static const char document[] =
	"limits:\n"
	"  hourly: { key: cluster, rate: 2/h, global: true }\n"
	"  domain: { key: recipient_domain, rate: 5/h, global: true }\n"
	"clients: [ { name: all, match: { network: [ 0.0.0.0/0 ] }, effect: allow } ]\n";

static struct policy *parse(void)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(span_of_str(document), "test", &report);

	assert_non_null(policy);
	report_fini(&report);
	return policy;
}

static int64_t counted(struct metrics *metrics, const char *limit, enum limit_result result)
{
	return metrics_sum_named(
		metrics, METRIC_LIMIT_RESULTS, metrics_name(metrics, METRIC_NAMES_LIMIT, limit), result);
}

static void a_limit_is_counted_by_its_name(void **state)
{
	struct lab *lab = *state;
	struct metrics *metrics = metrics_new(10);
	struct policy_slot slot;
	struct policy_snapshot *snapshot;
	const struct limit_rule *all, *own[2];
	const struct limit_subject subject = { .recipients = lab->recipients, .recipient_count = 3 };
	struct toll_verdict verdict;
	struct toll toll = { 0 };
	size_t count;

	policy_slot_init(&slot);
	slot.metrics = metrics;
	policy_slot_set(&slot, policy_snapshot_new(parse(), (struct policy_version){ 1, 1 }));
	snapshot = policy_slot_get(&slot);
	all = policy_limits(snapshot->policy, &count);
	assert_int_equal(count, 2);
	own[0] = &all[0];
	own[1] = &all[1];
	lab->desk.meter = metrics_open(metrics);
	for (unsigned i = 0; i < 4; i++) {
		const struct toll_limits limits = { own, 2, 1u << LIMIT_MESSAGES, snapshot };

		assert_true(toll_ask(&toll, &lab->desk, &limits, &subject, never, NULL, &verdict));
		assert_int_equal(verdict.is_let_in, i < 3);
		/* The first comes to nothing. */
		if (i == 0)
			toll_give_back(&toll);
		else if (i < 3)
			toll_keep(&toll);
	}
	assert_string_equal(verdict.rule->name, "hourly");
	assert_int_equal(counted(metrics, "hourly", LIMIT_RESULT_LET_IN), 3);
	assert_int_equal(counted(metrics, "hourly", LIMIT_RESULT_REFUSED), 1);
	assert_int_equal(counted(metrics, "hourly", LIMIT_RESULT_GIVEN_BACK), 1);
	/* Each of its counters. */
	assert_int_equal(counted(metrics, "domain", LIMIT_RESULT_LET_IN), 9);
	assert_int_equal(counted(metrics, "domain", LIMIT_RESULT_REFUSED), 0);
	assert_int_equal(counted(metrics, "domain", LIMIT_RESULT_GIVEN_BACK), 3);
	policy_snapshot_unref(&snapshot);
	/* The same names in a newer policy go on where they were. */
	policy_slot_set(&slot, policy_snapshot_new(parse(), (struct policy_version){ 2, 2 }));
	assert_int_equal(metrics_name_count(metrics, METRIC_NAMES_LIMIT), 3);
	assert_int_equal(counted(metrics, "hourly", LIMIT_RESULT_LET_IN), 3);
	policy_slot_fini(&slot);
	metrics_free(&metrics);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_kept_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(a_refusal_takes_nothing_of_any_piece, setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_second_question_that_is_refused_undoes_the_first, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_given_back_was_never_taken, setup, teardown),
		cmocka_unit_test_setup_teardown(a_limit_is_counted_by_its_name, setup, teardown),
		cmocka_unit_test_setup_teardown(without_such_a_limit_nothing_is_asked, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
