#include "policy/policy_internal.h"

/* Rules that may match, in order: those around the address and those for any, merged. */
struct candidates {
	struct network_hits near;
	const uint32_t *anywhere;
	size_t anywhere_count;
};

static bool next_candidate(struct candidates *candidates, uint32_t *number_out)
{
	bool has_near = candidates->near.count > 0, has_any = candidates->anywhere_count > 0;

	if (!has_near && !has_any)
		return false;
	if (has_near && (!has_any || *candidates->near.numbers < *candidates->anywhere)) {
		*number_out = *candidates->near.numbers++;
		candidates->near.count--;
	} else {
		*number_out = *candidates->anywhere++;
		candidates->anywhere_count--;
	}
	return true;
}

/* --- one rule ------------------------------------------------------------------------------------ */

struct finding {
	enum policy_match match;
	enum policy_condition condition;
	unsigned open; /* set of enum policy_later: what the match waits for */
};

/* What a condition that is not met may wait for; 0: it is known, and differs. */
static unsigned open_for(
	const struct rule *rule, const struct policy_subject *subject, enum policy_condition condition)
{
	switch (condition) {
	case POLICY_TLS:
	case POLICY_CERTIFICATE:
		if (subject->tls != POLICY_TLS_NONE || rule->match.tls == TLS_NEVER)
			return 0;
		return subject->later & POLICY_LATER_TLS;
	case POLICY_USER:
	case POLICY_GROUP:
		return subject->user.len ? 0 : subject->later & POLICY_LATER_AUTH;
	case POLICY_HELO:
		return subject->helo.len ? 0 : subject->later & POLICY_LATER_HELO;
	default:
		return 0;
	}
}

static struct finding try_rule(const struct rule *rule, const struct policy_subject *subject)
{
	struct finding finding = { POLICY_MATCHES, POLICY_CONDITIONS, 0 };

	for (enum policy_condition condition = 0; condition < POLICY_CONDITIONS; condition++) {
		unsigned open;

		if (!(rule->match.asked & 1u << condition) ||
			policy_condition_is_met(&rule->match, subject, condition))
			continue;
		open = open_for(rule, subject, condition);
		if (!open)
			return (struct finding){ POLICY_DIFFERS, condition, 0 };
		if (!finding.open)
			finding.condition = condition;
		finding.match = POLICY_OPEN;
		finding.open |= open;
	}
	return finding;
}

/* --- all rules ----------------------------------------------------------------------------------- */

struct telling {
	policy_step_fn *fn; /* NULL: nobody listens */
	void *arg;
	uint32_t next; /* the first rule that was not told of */
};

static void tell(struct telling *telling, const struct rule *rule, const struct finding *finding)
{
	const struct policy_step step = { &rule->shown, finding->match, finding->condition };

	telling->fn(telling->arg, &step);
}

/* Rules that were no candidates are those of other networks. */
static void tell_up_to(
	const struct policy *policy, struct telling *telling, uint32_t number, const struct finding *finding)
{
	static const struct finding elsewhere = { POLICY_DIFFERS, POLICY_NETWORK, 0 };

	if (!telling->fn)
		return;
	while (telling->next < number)
		tell(telling, &policy->rules[telling->next++], &elsewhere);
	if (finding)
		tell(telling, &policy->rules[telling->next++], finding);
}

/* By the rule that matched. */
static enum policy_verdict verdict_of(
	const struct policy_rule *rule, const struct policy_subject *subject, unsigned *open)
{
	unsigned need = 0;

	if (!rule || rule->effect == POLICY_EFFECT_DENY)
		return POLICY_DENY;
	if (rule->effect == POLICY_EFFECT_REQUIRE_AUTH && !subject->user.len)
		need = POLICY_LATER_AUTH;
	else if (rule->effect == POLICY_EFFECT_REQUIRE_TLS && subject->tls == POLICY_TLS_NONE)
		need = POLICY_LATER_TLS;
	if (!need)
		return POLICY_ALLOW;
	if (!(subject->later & need))
		return POLICY_DENY;
	*open |= need;
	return need == POLICY_LATER_AUTH ? POLICY_NEEDS_AUTH : POLICY_NEEDS_TLS;
}

static enum policy_verdict verdict_of_hope(unsigned hope_open)
{
	if (hope_open & POLICY_LATER_TLS)
		return POLICY_NEEDS_TLS;
	return hope_open & POLICY_LATER_AUTH ? POLICY_NEEDS_AUTH : POLICY_DENY;
}

static void decide(const struct policy *policy, const struct policy_subject *subject, struct telling *telling,
	struct policy_decision *decision)
{
	struct candidates candidates = { network_tree_find(&policy->tree, subject->address), policy->anywhere,
		policy->anywhere_count };
	unsigned hope_open = 0;
	uint32_t number;

	*decision = (struct policy_decision){ .limits = policy->global_limits,
		.limit_count = policy->global_count };
	while (!decision->rule && next_candidate(&candidates, &number)) {
		const struct rule *rule = &policy->rules[number];
		const struct finding finding = try_rule(rule, subject);

		tell_up_to(policy, telling, number, &finding);
		if (finding.match == POLICY_MATCHES) {
			decision->rule = &rule->shown;
		} else if (finding.match == POLICY_OPEN) {
			decision->open |= finding.open;
			if (!decision->hope && rule->shown.effect != POLICY_EFFECT_DENY) {
				decision->hope = &rule->shown;
				hope_open = finding.open;
			}
		}
	}
	if (!decision->rule)
		tell_up_to(policy, telling, (uint32_t)policy->rule_count, NULL);
	decision->verdict = verdict_of(decision->rule, subject, &decision->open);
	if (decision->verdict == POLICY_DENY)
		decision->verdict = verdict_of_hope(hope_open);
	if (decision->rule) {
		decision->limits = decision->rule->limits;
		decision->limit_count = decision->rule->limit_count;
	}
}

void policy_decide(const struct policy *policy, const struct policy_subject *subject,
	struct policy_decision *decision_out)
{
	struct telling telling = { NULL, NULL, 0 };

	decide(policy, subject, &telling, decision_out);
}

void policy_explain(const struct policy *policy, const struct policy_subject *subject, policy_step_fn *fn,
	void *arg, struct policy_decision *decision_out)
{
	struct telling telling = { fn, arg, 0 };

	decide(policy, subject, &telling, decision_out);
}

/* --- senders and recipients ---------------------------------------------------------------------- */

static bool is_own(const struct policy_subject *subject, struct span address)
{
	for (size_t i = 0; i < subject->address_count; i++)
		if (span_eq_nocase(subject->addresses[i], address))
			return true;
	return false;
}

static const char *sender_entry(
	const struct rule *rule, const struct policy_subject *subject, struct span address)
{
	if (!rule->has_senders)
		return "";
	if (!address.len)
		return rule->null_sender;
	if (rule->own && is_own(subject, address))
		return rule->own;
	return pattern_set_find(&rule->senders, address);
}

bool policy_sender_allowed(const struct policy *policy, const struct policy_decision *decision,
	const struct policy_subject *subject, struct span address, const char **entry_out)
{
	CHECK(decision->rule);
	*entry_out = sender_entry(&policy->rules[decision->rule->number], subject, address);
	return *entry_out != NULL;
}

/* user%other@domain, other!user@domain, "user@other"@domain: a next hop might send those on to the other. */
static bool names_another(struct span address)
{
	struct span local = address;

	while (local.len && local.ptr[local.len - 1] != '@')
		local.len--;
	if (local.len)
		local.len--;
	return span_find(local, '%') < local.len || span_find(local, '!') < local.len ||
	       span_find(local, '@') < local.len;
}

bool policy_recipient_allowed(const struct policy *policy, const struct policy_decision *decision,
	struct span address, const char **entry_out)
{
	const struct rule *rule = &policy->rules[decision->rule->number];

	if (!rule->has_recipients)
		*entry_out = "";
	else if (names_another(address))
		*entry_out = NULL;
	else
		*entry_out = pattern_set_find(&rule->recipients, address);
	return *entry_out != NULL;
}
