/* An explanation as text for people. */
#include "explanation.h"
#include "grid.h"
#include "human.h"
#include "screen.h"

static void print_step(const struct policy_step *step, struct buf *out)
{
	const char *condition = step->match == POLICY_MATCHES ? "" : policy_condition_name(step->condition);

	switch (step->match) {
	case POLICY_MATCHES:
		buf_printf(out, "  %-24s matches, and says %s\n", step->rule->name,
			policy_effect_name(step->rule->effect));
		break;
	case POLICY_DIFFERS:
		buf_printf(out, "  %-24s not: %s differs\n", step->rule->name, condition);
		break;
	case POLICY_OPEN:
		buf_printf(out, "  %-24s not yet: %s is not known, then it may say %s\n", step->rule->name,
			condition, policy_effect_name(step->rule->effect));
		break;
	}
}

static void print_verdict(const struct policy_decision *decision, struct buf *out)
{
	const struct policy_rule *asks = decision->rule && decision->rule->effect != POLICY_EFFECT_DENY
						 ? decision->rule
						 : decision->hope;

	switch (decision->verdict) {
	case POLICY_ALLOW:
		buf_printf(out, "allowed, by the rule \"%s\"", decision->rule->name);
		break;
	case POLICY_DENY:
		if (decision->rule)
			buf_printf(out, "denied, by the rule \"%s\"", decision->rule->name);
		else
			buf_append_str(out, "denied: no rule matches");
		break;
	case POLICY_NEEDS_AUTH:
		buf_printf(out, "denied until it has authenticated: see the rule \"%s\"", asks->name);
		break;
	case POLICY_NEEDS_TLS:
		buf_printf(out, "denied until TLS is on: see the rule \"%s\"", asks->name);
		break;
	}
	if (decision->rule && *decision->rule->comment)
		buf_printf(out, " (%s)", decision->rule->comment);
	buf_append_byte(out, '\n');
}

static void print_address(
	const struct explained_address *address, const char *what, struct span mailbox, struct buf *out)
{
	buf_printf(out, "%s <%.*s>: ", what, SPAN_ARGS(mailbox));
	if (!address->is_allowed)
		buf_printf(out, "refused, it is not in the rule's %ss\n", what);
	else if (*address->entry)
		buf_printf(out, "allowed by %s\n", address->entry);
	else
		buf_append_str(out, "allowed, the rule names none\n");
}

static void print_target(const struct route_target *target, struct buf *out)
{
	buf_append_str(out, route_place_names[target->place]);
	if (*target->name)
		buf_printf(out, " %s", target->name);
	if (target->place != ROUTE_SRV)
		buf_printf(out, " port %u", explained_target_port(target));
	buf_printf(out, ", tls %s", route_tls_names[target->tls]);
	if (target->credentials)
		buf_printf(out, ", credentials %s", target->credentials->name);
	buf_append_byte(out, '\n');
}

static void print_route(const struct route *route, struct buf *out)
{
	if (!route) {
		buf_append_str(out, "  no route matches: to the node's route.next_hops\n");
		return;
	}
	buf_printf(out, "  by the route \"%s\"", route->name);
	if (*route->comment)
		buf_printf(out, " (%s)", route->comment);
	if (route->target_count > 1)
		buf_printf(out, ", %s", route_order_names[route->order]);
	buf_append_str(out, ":\n");
	for (size_t i = 0; i < route->target_count; i++) {
		buf_append_str(out, "    ");
		print_target(&route->targets[i], out);
	}
}

static void print_signing(const struct explanation *explanation, size_t recipient, struct buf *out)
{
	const struct policy_signing *signing = explanation->signings[recipient];

	if (signing)
		buf_printf(out, "  signed by %s, as sign[%zu] says\n", signing->domain, signing->number);
	else if (explanation_has_author(explanation, recipient))
		buf_append_str(out, "  not signed: no entry of sign is for its author\n");
	else
		buf_append_str(out, "  whether it is signed goes by From: see --author\n");
}

static void print_way(const struct explanation *explanation, size_t recipient, struct buf *out)
{
	size_t signings;

	if (policy_route_count(explanation->policy))
		print_route(explanation->routes[recipient], out);
	(void)policy_signings(explanation->policy, &signings);
	if (signings)
		print_signing(explanation, recipient, out);
}

static void print_recipients(const struct explanation *explanation, struct buf *out)
{
	const struct explain_case *asked = explanation->asked;

	for (size_t i = 0; explanation->has_recipients && i < asked->to.count; i++) {
		print_address(&explanation->recipients[i], "recipient", asked->recipients[i], out);
		if (explanation->recipients[i].is_allowed)
			print_way(explanation, i, out);
	}
	if (explanation->has_recipients && !asked->from && policy_route_count(explanation->policy))
		buf_append_str(out, "Routes are those of the null sender: see --from.\n");
}

static void print_filter(const struct inspection_filter *filter, struct buf *out)
{
	buf_printf(out, "  filter %s at ", filter->name);
	if (*filter->host)
		buf_printf(out, "%s port %u", filter->host, filter->port);
	else
		buf_append_str(out, filter->path);
	buf_printf(out, "; when it does not answer: %s\n", inspection_trouble_names[filter->on_error]);
}

static void print_checks(const struct inspection *inspection, struct buf *out)
{
	const char *before = "  ";

	for (enum inspection_check check = 0; check < INSPECTION_CHECKS; check++) {
		enum inspection_action action = inspection->actions[check];

		if (action == INSPECTION_OFF)
			continue;
		buf_printf(out, "%s%s %s", before, inspection_check_names[check],
			inspection_action_names[action]);
		before = ", ";
	}
	if (*before == ',')
		buf_printf(out, "; when DNS does not answer: %s\n",
			inspection_trouble_names[inspection->on_error]);
	else if (!inspection->filter_count)
		buf_append_str(out, "  nothing is looked at\n");
}

static void print_inspection(const struct explanation *explanation, struct buf *out)
{
	const struct inspection *inspection = explanation->inspection;

	if (explanation->decision.verdict != POLICY_ALLOW || !policy_inspection_count(explanation->policy))
		return;
	if (!inspection) {
		buf_append_str(out, "no inspection matches: nothing is looked at\n");
		return;
	}
	buf_printf(out, "inspected as \"%s\" says", inspection->name);
	if (*inspection->comment)
		buf_printf(out, " (%s)", inspection->comment);
	buf_append_str(out, ":\n");
	print_checks(inspection, out);
	for (size_t i = 0; i < inspection->filter_count; i++)
		print_filter(inspection->filters[i], out);
}

static void print_size(const struct explanation *explanation, struct buf *out)
{
	const struct policy_rule *rule = explanation->decision.rule;

	if (explanation->has_size) {
		buf_append_str(out, "size ");
		human_bytes(out, explanation->asked->size);
		buf_append_str(out, explanation->is_size_allowed ? ": allowed" : ": refused");
		buf_append_str(out, rule->size_max ? ", up to " : ", the rule names none\n");
	} else if (rule && rule->size_max) {
		buf_append_str(out, "size: up to ");
	}
	if (rule && rule->size_max) {
		human_bytes(out, rule->size_max);
		buf_append_byte(out, '\n');
	}
}

static void print_amount(struct buf *out, const struct limit_rule *rule, uint64_t amount)
{
	if (rule->unit == LIMIT_BYTES)
		human_bytes(out, amount);
	else
		buf_append_u64(out, amount);
}

static void print_used(struct buf *out, const struct explained_limit *limit)
{
	if (limit->is_known)
		print_amount(out, limit->rule, explained_limit_used(limit));
	else
		buf_append_str(out, limit->missing ? "-" : "?");
	buf_append_str(out, " of ");
	print_amount(out, limit->rule, limit->rule->burst);
}

static void print_rate(struct buf *out, const struct limit_rule *rule)
{
	print_amount(out, rule, rule->rate);
	buf_append_str(out, " in ");
	human_duration(out, rule->period_us / 1000);
}

/* Rounded up: who comes back then gets in. */
static void print_now(struct buf *out, const struct explained_limit *limit)
{
	uint64_t wait_us = limit->is_known ? explained_limit_wait_us(limit) : 0;

	if (wait_us) {
		buf_append_str(out, "refuses for ");
		human_duration(out, (wait_us + 999999) / 1000000 * 1000);
	}
}

static void add_cell(struct grid *grid, struct buf *text, enum tint tint)
{
	grid_add(grid, buf_span(text), tint);
	buf_clear(text);
}

static void add_limit(struct grid *grid, const struct explained_limit *limit)
{
	const char *key = limit_key_names[limit->rule->key];
	struct buf cell = { 0 };

	grid_add(grid, span_of_str(limit->rule->name), TINT_NONE);
	grid_add(grid, span_of_str(limit_unit_names[limit->rule->unit]), TINT_NONE);
	if (limit->missing)
		grid_printf(grid, TINT_FAINT, "%s (%s)", key, limit->missing);
	else
		grid_printf(grid, TINT_NONE, "%s %.*s", key, SPAN_ARGS(limit->value));
	print_used(&cell, limit);
	add_cell(grid, &cell, TINT_NONE);
	print_rate(&cell, limit->rule);
	add_cell(grid, &cell, TINT_NONE);
	grid_add(grid, span_of_str(limit_action_names[limit->rule->action]), TINT_NONE);
	print_now(&cell, limit);
	add_cell(grid, &cell, TINT_BAD);
	buf_fini(&cell);
}

static void print_limits(const struct explanation *explanation, struct buf *out)
{
	static const struct grid_column columns[] = { { "LIMIT", false }, { "COUNTS", false },
		{ "BY", false }, { "USED", true }, { "RATE", true }, { "ACTION", false }, { "NOW", false } };
	struct screen screen = screen_look();
	bool is_unknown = false;
	struct grid grid;

	if (!explanation->limit_count)
		return;
	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < explanation->limit_count; i++) {
		const struct explained_limit *limit = &explanation->limits[i];

		add_limit(&grid, limit);
		is_unknown = is_unknown || (!limit->is_known && !limit->missing);
	}
	buf_append_byte(out, '\n');
	grid_print(&grid, screen.has_colour, screen.width, out);
	grid_fini(&grid);
	if (is_unknown)
		buf_append_str(out, "How full they are is not known without Redis.\n");
}

void explanation_print(const struct explanation *explanation, struct buf *out)
{
	const struct explain_case *asked = explanation->asked;

	if (explanation->source)
		buf_printf(out, "policy: %s\n", explanation->source);
	else
		buf_printf(out, "policy: version %llu\n", (unsigned long long)explanation->version);
	if (explanation->elsewhere)
		buf_printf(out, "  %zu rule%s of other networks\n", explanation->elsewhere,
			explanation->elsewhere == 1 ? "" : "s");
	for (size_t i = 0; i < explanation->step_count; i++)
		print_step(&explanation->steps[i], out);
	print_verdict(&explanation->decision, out);
	print_size(explanation, out);
	if (explanation->has_sender)
		print_address(&explanation->sender, "sender", asked->counted.sender, out);
	print_inspection(explanation, out);
	print_recipients(explanation, out);
	print_limits(explanation, out);
}
