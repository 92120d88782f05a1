/*
 * Policy: any bytes as the document. What compiles must give a decision, with and without an ear, and must
 * be the same rules and routes after a network was added to one.
 */
#include "acl_text.h"
#include "skein/cluster/policy.h"

#include <netinet/in.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void count(void *arg, const struct policy_step *step)
{
	(void)step;
	++*(size_t *)arg;
}

static void decide(const struct policy *policy)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100000a };
	struct policy_subject subject = { .address = (struct sockaddr *)(void *)&address,
		.user = SPAN_LIT("u@example.org"),
		.later = POLICY_LATER_TLS };
	struct policy_decision decided, explained;
	const char *entry;
	size_t steps = 0;

	policy_decide(policy, &subject, &decided);
	policy_explain(policy, &subject, count, &steps, &explained);
	CHECK(decided.verdict == explained.verdict && decided.rule == explained.rule);
	CHECK(steps == (decided.rule ? decided.rule->number + 1 : policy_rule_count(policy)));
	if (decided.verdict != POLICY_ALLOW)
		return;
	(void)policy_sender_allowed(policy, &decided, &subject, SPAN_LIT("a@b.example"), &entry);
	(void)policy_recipient_allowed(policy, &decided, SPAN_LIT("a@b.example"), &entry);
}

static void find_routes(const struct policy *policy)
{
	static const struct route_question questions[] = {
		{ SPAN_LIT("a@b.example"), SPAN_LIT("u@example.org"), SPAN_LIT("printers") },
		{ SPAN_LIT("a@b.example"), { NULL, 0 }, { NULL, 0 } },
		{ SPAN_LIT("postmaster"), SPAN_LIT("@"), SPAN_LIT("*") },
	};

	for (size_t i = 0; i < ARRAY_LEN(questions); i++) {
		const struct route *route = policy_find_route(policy, &questions[i]);

		CHECK(!route || route == policy_route(policy, route->number));
	}
	for (size_t i = 0; i < policy_route_count(policy); i++) {
		const struct route *route = policy_route(policy, i);

		CHECK(route->target_count > 0 && route->target_count <= ROUTE_TARGETS_MAX);
		CHECK(!route->rate || !limit_rule_check(route->rate));
	}
}

static void find_inspection(const struct policy *policy)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = 0x0100000a };
	const struct policy_subject subject = { .address = (struct sockaddr *)(void *)&address,
		.listener = SPAN_LIT("mx") };
	const struct inspection *found = policy_find_inspection(policy, &subject, SPAN_LIT("printers"));

	CHECK(!found || found == policy_inspection(policy, found->number));
	for (size_t i = 0; i < policy_inspection_count(policy); i++) {
		const struct inspection *inspection = policy_inspection(policy, i);

		CHECK(inspection->filter_count <= INSPECTION_FILTERS_MAX);
		CHECK(!inspection->actions[INSPECTION_DMARC] ||
			(inspection->actions[INSPECTION_SPF] && inspection->actions[INSPECTION_DKIM]));
	}
}

static void look_at_filters(const struct policy *policy)
{
	size_t count;
	const struct inspection_filter *filters = policy_filters(policy, &count);

	for (size_t i = 0; i < count; i++) {
		CHECK(*filters[i].host ? filters[i].port > 0 : *filters[i].path == '/');
		CHECK(filters[i].connect_ms <= filters[i].total_ms &&
			filters[i].answer_ms <= filters[i].total_ms);
	}
}

static bool has_same_routes(const struct policy *a, const struct policy *b)
{
	struct policy_routes_digest one = policy_routes_digest(a), other = policy_routes_digest(b);

	return one.words[0] == other.words[0] && one.words[1] == other.words[1];
}

/* A layout that the edit does not understand may break the text; it may not mean anything else. */
static void edit(const struct policy *policy, struct span text, size_t number)
{
	static const struct cidr network = { { 198, 51, 100 }, 24, false };
	struct buf edited = { 0 }, why = { 0 };
	struct report report = { 0 };
	struct policy *again = NULL;

	if (acl_text_edit(
		    text, ACL_ADD, span_of_str(policy_rule(policy, number)->name), &network, &edited, &why))
		again = policy_parse(buf_span(&edited), "edited", &report);
	if (again)
		CHECK(policy_rule_count(again) == policy_rule_count(policy) &&
			has_same_routes(again, policy));
	policy_free(&again);
	report_fini(&report);
	buf_fini(&edited);
	buf_fini(&why);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of((const char *)data, size);
	struct report report = { 0 };
	struct policy *policy = policy_parse(text, "fuzz", &report);

	CHECK(!policy == (report.errors > 0));
	if (policy) {
		decide(policy);
		find_routes(policy);
		find_inspection(policy);
		look_at_filters(policy);
		for (size_t i = 0; i < policy_rule_count(policy) && i < 4; i++)
			edit(policy, text, i);
	}
	policy_free(&policy);
	report_fini(&report);
	return 0;
}
