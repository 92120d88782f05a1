/*
 * The document becomes rules: tables first (schema.c), then what a table cannot see: networks, patterns,
 * names that must exist, rules that can never match.
 */
#include "policy/policy_internal.h"
#include "skein/cluster/schema/reader.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { PLACE_MAX = 160 };

struct compile {
	struct policy *policy;
	const struct policy_text *text;
	struct report *report;
	char path[32]; /* of the rule at hand: "clients[17]" */
};

static void compile(struct policy *policy, const struct policy_text *text, struct report *report);

struct text_list policy_groups(const struct policy *policy)
{
	return policy->groups;
}

struct policy *policy_parse(struct span text, const char *source, struct report *report)
{
	struct policy *policy = mem_zalloc(sizeof(*policy));
	struct policy_text document;
	struct arena arena = { 0 };
	const struct schema_target target = { &policy_schema, (char *)&document, &arena, report };
	unsigned errors = report->errors;

	report->source = source;
	schema_preset(&policy_schema, &arena, (char *)&document);
	if (text.len > POLICY_TEXT_MAX) {
		const struct origin origin = { source, 0, 0 };

		report_error(report, &origin, SPAN_LIT(""), "is larger than %d MiB", POLICY_TEXT_MAX >> 20);
	} else {
		schema_read(&target, text, source);
	}
	if (report->errors == errors)
		compile(policy, &document, report);
	arena_fini(&arena);
	if (report->errors > errors)
		policy_free(&policy);
	return policy;
}

void policy_free(struct policy **policy)
{
	if (!*policy)
		return;
	network_tree_fini(&(*policy)->tree);
	network_tree_fini(&(*policy)->inspection_tree);
	arena_fini(&(*policy)->arena);
	mem_free(*policy);
	*policy = NULL;
}

/* --- rules -------------------------------------------------------------------------------------- */

static void compile_addresses(struct compile *c, struct rule *rule, const struct rule_text *text)
{
	const struct address_entries senders = { &rule->senders, &rule->own, &rule->null_sender };
	const struct address_entries recipients = { &rule->recipients, NULL, NULL };
	char place[PLACE_MAX];

	policy_check_not_empty(text->senders, c->path, "senders", c->report);
	policy_check_not_empty(text->recipients, c->path, "recipients", c->report);
	rule->has_senders = text->senders.count > 0;
	rule->has_recipients = text->recipients.count > 0;
	snprintf(place, sizeof(place), "%s.senders", c->path);
	policy_compile_addresses(c->policy, c->text, text->senders, place, &senders, c->report);
	snprintf(place, sizeof(place), "%s.recipients", c->path);
	policy_compile_addresses(c->policy, c->text, text->recipients, place, &recipients, c->report);
}

static void check_denied(struct compile *c, const struct rule_text *text)
{
	if (text->effect == POLICY_EFFECT_DENY &&
		(text->senders.count || text->recipients.count || text->size))
		report_error_at(c->report, c->path,
			"denies, so senders, recipients and size have no effect: match on them is not "
			"possible");
}

static void check_need(struct compile *c, const struct rule_text *text)
{
	if (text->effect == POLICY_EFFECT_REQUIRE_TLS && text->match.tls == TLS_NEVER)
		report_error_at(c->report, c->path,
			"matches without TLS only, and requires it: leave match.tls "
			"out");
}

static void compile_rule(struct compile *c, size_t number)
{
	const struct rule_text *text = &c->text->clients.items[number];
	struct rule *rule = &c->policy->rules[number];
	struct arena *arena = &c->policy->arena;

	snprintf(c->path, sizeof(c->path), "clients[%zu]", number);
	rule->shown.name = arena_strdup(arena, span_of_str(*text->name ? text->name : c->path));
	rule->shown.comment = arena_strdup(arena, span_of_str(text->comment));
	rule->shown.effect = text->effect;
	rule->shown.size_max = text->size;
	rule->shown.number = number;
	policy_compile_conditions(c->policy, c->text, &text->match, c->path, &rule->match, c->report);
	rule->shown.conditions = rule->match.asked;
	compile_addresses(c, rule, text);
	policy_compile_rule_limits(c->policy, rule, text->limits, c->path, c->report);
	check_denied(c, text);
	check_need(c, text);
}

static void add_groups(struct policy *policy, struct table *seen, const char **items, struct text_list groups)
{
	for (size_t i = 0; i < groups.count; i++) {
		struct span name = span_of_str(groups.items[i]);

		if (table_get(seen, name))
			continue;
		table_put(seen, name, (void *)(uintptr_t)groups.items[i]);
		items[policy->groups.count++] = arena_strdup(&policy->arena, name);
	}
}

static void collect_groups(struct policy *policy, const struct policy_text *text)
{
	struct table seen = { .count = 0 };
	const char **items;
	size_t count = 0;

	for (size_t i = 0; i < text->clients.count; i++)
		count += text->clients.items[i].match.group.count;
	for (size_t i = 0; i < text->inspect.count; i++)
		count += text->inspect.items[i].match.group.count;
	items = count ? arena_alloc(&policy->arena, count * sizeof(*items)) : NULL;
	for (size_t i = 0; i < text->clients.count; i++)
		add_groups(policy, &seen, items, text->clients.items[i].match.group);
	for (size_t i = 0; i < text->inspect.count; i++)
		add_groups(policy, &seen, items, text->inspect.items[i].match.group);
	policy->groups.items = items;
	table_fini(&seen);
}

static void build_tree(struct policy *policy, struct report *report)
{
	policy->anywhere = arena_alloc(&policy->arena, (policy->rule_count + 1) * sizeof(uint32_t));
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *rule = &policy->rules[i];

		if (!(rule->match.asked & 1u << POLICY_NETWORK))
			policy->anywhere[policy->anywhere_count++] = (uint32_t)i;
		for (size_t k = 0; k < rule->match.networks.count; k++)
			network_tree_add(&policy->tree, &rule->match.networks.items[k], (uint32_t)i);
	}
	if (!network_tree_finish(&policy->tree))
		report_error_at(report, "clients", "too many networks lie within one another");
}

static void compile_abuse(struct policy *policy, const struct policy_text *text, struct report *report)
{
	policy->abuse = (struct policy_abuse){
		.failures_address = text->abuse.failures_address,
		.failures_network = text->abuse.failures_network,
		.failures_account = text->abuse.failures_account,
		.window_ms = text->abuse.window_ms,
		.delay_ms = text->abuse.delay_ms,
		.ban_ms = text->abuse.ban_ms,
		.exempt = policy_compile_networks(policy, text, text->abuse.exempt, "abuse.exempt", report),
	};
	if (policy->abuse.exempt.count > POLICY_EXEMPT_MAX)
		report_error_at(report, "abuse.exempt",
			"has %zu networks, lists written out; at most %d may be: take wider ones",
			policy->abuse.exempt.count, POLICY_EXEMPT_MAX);
}

static void compile(struct policy *policy, const struct policy_text *text, struct report *report)
{
	struct compile c = { policy, text, report, "" };
	unsigned errors = report->errors;

	policy->rule_count = text->clients.count;
	policy->rules = arena_zalloc(&policy->arena, (policy->rule_count + 1) * sizeof(*policy->rules));
	policy_check_lists(text, report);
	policy_compile_limits(policy, text, report);
	compile_abuse(policy, text, report);
	policy_check_names(NAMES_OF(text->clients), "clients", report);
	policy_compile_signings(policy, text, report);
	policy_compile_alerts(policy, text, report);
	for (size_t i = 0; i < policy->rule_count; i++)
		compile_rule(&c, i);
	policy_compile_inspections(policy, text, report);
	policy_compile_routes(policy, text, report);
	/* Networks that were not understood would only lead astray. */
	if (report->errors > errors)
		return;
	collect_groups(policy, text);
	build_tree(policy, report);
	policy_check_open(policy, report);
	policy_check_shadows(policy, report);
	policy_check_inspection_shadows(policy, report);
	policy_check_route_shadows(policy, report);
}

struct policy *policy_of_networks(const struct cidr_list *networks)
{
	struct policy *policy = mem_zalloc(sizeof(*policy));
	struct policy_text text;
	struct report report = { 0 };
	struct rule *rule;

	schema_preset(&policy_schema, &policy->arena, (char *)&text);
	policy->rules = arena_zalloc(&policy->arena, sizeof(*policy->rules));
	policy_compile_limits(policy, &text, &report);
	compile_abuse(policy, &text, &report);
	policy_compile_alerts(policy, &text, &report);
	policy_compile_inspections(policy, &text, &report);
	policy_compile_routes(policy, &text, &report);
	policy->rule_count = networks->count > 0;
	rule = &policy->rules[0];
	rule->shown = (struct policy_rule){ .name = "relay.allow",
		.comment = "the node's setting; there is no policy yet",
		.conditions = 1u << POLICY_NETWORK };
	rule->match.asked = rule->shown.conditions;
	rule->match.networks.count = networks->count;
	rule->match.networks.items = (const struct cidr *)(const void *)arena_dup(
		&policy->arena, span_of((const char *)networks->items, networks->count * sizeof(struct cidr)))
					     .ptr;
	build_tree(policy, &report);
	CHECK(!report.errors);
	return policy;
}

size_t policy_rule_count(const struct policy *policy)
{
	return policy->rule_count;
}

const struct policy_rule *policy_rule(const struct policy *policy, size_t number)
{
	return &policy->rules[number].shown;
}

struct cidr_list policy_rule_networks(const struct policy *policy, size_t number)
{
	return policy->rules[number].match.networks;
}

const struct policy_abuse *policy_abuse(const struct policy *policy)
{
	return &policy->abuse;
}
