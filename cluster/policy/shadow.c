/*
 * A rule never matches when an earlier one matches all that it does. Found where it is plain: each network
 * within one network of the other, each pattern one that the other has or covers. Networks that only together
 * cover another are not seen.
 */
#include "policy/policy_internal.h"

#include <stdio.h>

static bool covers_tls(enum tls_wish outer, enum tls_wish inner)
{
	return outer == TLS_EITHER || outer == inner || (outer == TLS_ANY && inner == TLS_1_3);
}

static bool covers_set(const struct pattern_set *outer, const struct pattern_set *inner)
{
	if (pattern_set_is_empty(outer))
		return true;
	return !pattern_set_is_empty(inner) && pattern_set_covers(outer, inner);
}

static bool covers_certificates(const struct conditions *outer, const struct conditions *inner)
{
	unsigned condition = 1u << POLICY_CERTIFICATE;

	if (!(outer->asked & condition))
		return true;
	return (inner->asked & condition) && pattern_set_covers(&outer->certificate, &inner->certificate) &&
	       pattern_set_covers(&outer->fingerprint, &inner->fingerprint);
}

bool policy_conditions_cover(const struct conditions *outer, const struct conditions *inner)
{
	if (outer->asked & ~inner->asked & ~(1u << POLICY_NETWORK))
		return false;
	return covers_tls(outer->tls, inner->tls) && covers_set(&outer->listener, &inner->listener) &&
	       covers_set(&outer->user, &inner->user) && covers_set(&outer->group, &inner->group) &&
	       covers_set(&outer->helo, &inner->helo) && covers_certificates(outer, inner);
}

static bool has_number(struct network_hits hits, uint32_t number)
{
	size_t low = 0, high = hits.count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (hits.numbers[middle] == number)
			return true;
		if (hits.numbers[middle] < number)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool policy_networks_cover(const struct network_tree *tree, uint32_t number, const struct conditions *inner)
{
	for (size_t i = 0; i < inner->networks.count; i++)
		if (!has_number(network_tree_around(tree, &inner->networks.items[i]), number))
			return false;
	return true;
}

/* The first earlier rule that covers this one, or NULL. */
static const struct rule *find_cover(const struct policy *policy, const struct rule *inner)
{
	const struct rule *found = NULL;
	struct network_hits around = { NULL, 0 };

	if (inner->match.networks.count)
		around = network_tree_around(&policy->tree, &inner->match.networks.items[0]);
	for (size_t i = 0; i < around.count && around.numbers[i] < inner->shown.number && !found; i++) {
		const struct rule *outer = &policy->rules[around.numbers[i]];

		if (policy_conditions_cover(&outer->match, &inner->match) &&
			policy_networks_cover(&policy->tree, around.numbers[i], &inner->match))
			found = outer;
	}
	for (size_t i = 0; i < policy->anywhere_count; i++) {
		const struct rule *outer = &policy->rules[policy->anywhere[i]];

		if (outer->shown.number >= inner->shown.number ||
			(found && outer->shown.number > found->shown.number))
			break;
		if (policy_conditions_cover(&outer->match, &inner->match))
			return outer;
	}
	return found;
}

void policy_check_shadows(const struct policy *policy, struct report *report)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		const struct rule *outer = find_cover(policy, &policy->rules[i]);
		char place[32];

		if (!outer)
			continue;
		snprintf(place, sizeof(place), "clients[%zu]", i);
		report_warning_at(report, place, "can never match: \"%s\" before it matches all that it does",
			outer->shown.name);
	}
}
