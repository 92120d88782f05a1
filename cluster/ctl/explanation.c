#include "explanation.h"

#include "skein/cluster/limit_store.h"
#include "skein/proto/mail/author.h"

#include <stdio.h>

enum { ALL_UNITS = (1u << LIMIT_UNITS) - 1 };

/* --- the decision -------------------------------------------------------------------------------- */

static void on_step(void *arg, const struct policy_step *step)
{
	struct explanation *explanation = arg;

	if (step->match == POLICY_DIFFERS && step->condition == POLICY_NETWORK)
		explanation->elsewhere++;
	else if (explanation->step_count < EXPLANATION_STEPS_MAX)
		explanation->steps[explanation->step_count++] = *step;
}

static const struct route *find_route(const struct explanation *explanation, struct span recipient)
{
	const struct route_question question = { recipient, explanation->asked->counted.sender,
		span_of_str(explanation->decision.rule->name) };

	return policy_find_route(explanation->policy, &question);
}

/* --- signatures: over what leaves, so the route's rewriting comes first --------------------------- */

static void add_domain(struct author_domains *domains, const char *domain)
{
	char address[AUTHOR_DOMAIN_MAX + 3];

	snprintf(address, sizeof(address), "x@%s", domain);
	author_domains_add_address(domains, span_of_str(address));
}

static void find_authors(
	const struct explain_case *asked, const struct route *route, struct author_domains *authors)
{
	if (route && *route->rewrite.from_domain)
		add_domain(authors, route->rewrite.from_domain);
	else if (asked->author)
		author_domains_add(authors, span_of_str(asked->author));
	else
		author_domains_add_address(authors, asked->counted.sender);
}

static void find_sender(
	const struct explain_case *asked, const struct route *route, struct author_domains *sender)
{
	if (!asked->counted.sender.len)
		return;
	if (route && *route->rewrite.return_domain)
		add_domain(sender, route->rewrite.return_domain);
	else if (route && *route->rewrite.sender_domain)
		add_domain(sender, route->rewrite.sender_domain);
	else
		author_domains_add_address(sender, asked->counted.sender);
}

static const struct policy_signing *find_signing(
	const struct explanation *explanation, const struct route *route)
{
	struct author_domains authors = { .count = 0 }, sender = { .count = 0 };
	struct span domains[AUTHOR_DOMAINS_MAX];

	find_authors(explanation->asked, route, &authors);
	find_sender(explanation->asked, route, &sender);
	for (size_t i = 0; i < authors.count; i++)
		domains[i] = author_domain(&authors, i);
	return policy_signing_for(explanation->policy, domains, authors.count,
		sender.count ? author_domain(&sender, 0) : span_of(NULL, 0));
}

bool explanation_has_author(const struct explanation *explanation, size_t recipient)
{
	struct author_domains authors = { .count = 0 };

	find_authors(explanation->asked, explanation->routes[recipient], &authors);
	return authors.count > 0;
}

/* --- the message --------------------------------------------------------------------------------- */

static void find_way(struct explanation *explanation, size_t recipient)
{
	explanation->routes[recipient] = find_route(explanation, explanation->asked->recipients[recipient]);
	explanation->signings[recipient] = find_signing(explanation, explanation->routes[recipient]);
}

/* In the order of a session. */
static void judge_message(struct explanation *explanation)
{
	const struct explain_case *asked = explanation->asked;
	const struct policy_decision *decision = &explanation->decision;

	explanation->has_size = asked->size > 0;
	explanation->is_size_allowed = !decision->rule->size_max || asked->size <= decision->rule->size_max;
	explanation->has_sender = asked->from != NULL;
	if (explanation->has_sender)
		explanation->sender.is_allowed = policy_sender_allowed(explanation->policy, decision,
			&asked->who, asked->counted.sender, &explanation->sender.entry);
	explanation->has_recipients = asked->to.count > 0;
	for (size_t i = 0; i < asked->to.count; i++) {
		explanation->recipients[i].is_allowed = policy_recipient_allowed(explanation->policy,
			decision, asked->recipients[i], &explanation->recipients[i].entry);
		if (explanation->recipients[i].is_allowed)
			find_way(explanation, i);
	}
	explanation->inspection =
		policy_find_inspection(explanation->policy, &asked->who, span_of_str(decision->rule->name));
}

/* --- limits -------------------------------------------------------------------------------------- */

static bool is_by_sender(const struct limit_rule *rule)
{
	return rule->key == LIMIT_PER_SENDER || rule->key == LIMIT_PER_SENDER_DOMAIN;
}

static const char *missing_for(const struct limit_rule *rule)
{
	if (rule->key == LIMIT_PER_USER)
		return "nobody, without a user";
	return rule->key == LIMIT_PER_RECIPIENT_DOMAIN ? "see --to" : "see --from";
}

static void add_limit(struct explanation *explanation, const struct explained_limit *limit)
{
	explanation->limits[explanation->limit_count++] = *limit;
}

/* Its counters; a limit that has none for this client is told of all the same. */
static void add_counters(struct explanation *explanation, const struct limit_rule *rule,
	const struct limit_take *takes, size_t count)
{
	if (count == 0 || (is_by_sender(rule) && !explanation->asked->from)) {
		add_limit(explanation,
			&(struct explained_limit){ .rule = rule, .missing = missing_for(rule), .cost = 1 });
		return;
	}
	for (size_t i = 0; i < count; i++)
		add_limit(explanation, &(struct explained_limit){ .rule = rule,
					       .value = takes[i].value,
					       .cost = takes[i].cost ? takes[i].cost : 1 });
}

static void find_limits(struct explanation *explanation)
{
	const struct policy_decision *decision = &explanation->decision;
	size_t room = decision->limit_count * (explanation->asked->to.count + 1);

	explanation->limits = arena_alloc(&explanation->arena, (room + 1) * sizeof(*explanation->limits));
	for (size_t i = 0; i < decision->limit_count; i++) {
		const struct limit_take *takes;
		size_t count = limit_subject_takes(&explanation->asked->counted, &decision->limits[i], 1,
			ALL_UNITS, &explanation->arena, &takes);

		add_counters(explanation, decision->limits[i], takes, count);
	}
}

void explanation_make(struct explanation *explanation, const struct explain_case *asked)
{
	explanation->asked = asked;
	policy_explain(explanation->policy, &asked->who, on_step, explanation, &explanation->decision);
	if (explanation->decision.verdict == POLICY_ALLOW)
		judge_message(explanation);
	find_limits(explanation);
}

void explanation_fini(struct explanation *explanation)
{
	arena_fini(&explanation->arena);
}

/* --- how full they are --------------------------------------------------------------------------- */

/* One call: limits that have a counter. */
struct look {
	struct explained_limit *limits[LIMIT_TAKES_MAX];
	struct limit_take takes[LIMIT_TAKES_MAX];
	size_t count;
	enum ctl_exit exit;
};

static void on_peek(void *arg, const struct outcome *outcome, const uint64_t *owed_us, size_t count)
{
	struct look *look = arg;

	look->exit = session_check(outcome, "looking at the limits");
	for (size_t i = 0; outcome_is_ok(outcome) && i < count; i++) {
		look->limits[i]->is_known = true;
		look->limits[i]->owed_us = owed_us[i];
	}
}

static enum ctl_exit ask(struct look *look, struct session *session)
{
	enum ctl_exit exit;

	if (look->count == 0)
		return CTL_OK;
	(void)limit_store_peek(session->link, look->takes, look->count, session_now_ms(), on_peek, look);
	exit = session_finish(session);
	look->count = 0;
	return exit ? exit : look->exit;
}

enum ctl_exit explanation_look(struct explanation *explanation, struct session *session)
{
	struct look look = { .count = 0 };
	enum ctl_exit exit = CTL_OK;

	for (size_t i = 0; !exit && i < explanation->limit_count; i++) {
		struct explained_limit *limit = &explanation->limits[i];

		if (limit->missing)
			continue;
		look.limits[look.count] = limit;
		look.takes[look.count++] = (struct limit_take){ limit->rule, limit->value, 0 };
		if (look.count == LIMIT_TAKES_MAX)
			exit = ask(&look, session);
	}
	return exit ? exit : ask(&look, session);
}

uint64_t explained_limit_used(const struct explained_limit *limit)
{
	const struct limit_rule *rule = limit->rule;

	return (uint64_t)(((unsigned __int128)limit->owed_us * rule->rate + rule->period_us - 1) /
			  rule->period_us);
}

uint64_t explained_limit_wait_us(const struct explained_limit *limit)
{
	const struct limit_state state = { .empty_us = limit->owed_us };

	return limit_wait_us(&state, 0, limit_cost_us(limit->rule, limit->cost), limit_burst_us(limit->rule));
}

unsigned explained_target_port(const struct route_target *target)
{
	if (target->port || target->place == ROUTE_SRV)
		return target->port;
	return target->tls_first ? 465 : 25;
}
