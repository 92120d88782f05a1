/*
 * A rule that lets anybody send anywhere is an open relay. It is found where nothing in it proves who the
 * client is: a HELO name, a sender and TLS prove nothing.
 */
#include "policy/policy_internal.h"

#include <stdio.h>

enum { ASKS_WHO = 1 << POLICY_LISTENER | 1 << POLICY_CERTIFICATE | 1 << POLICY_USER | 1 << POLICY_GROUP };

static bool is_everywhere(const struct cidr_list *networks)
{
	for (size_t i = 0; i < networks->count; i++)
		if (networks->items[i].prefix == 0)
			return true;
	return networks->count == 0;
}

static bool is_open(const struct rule *rule)
{
	enum policy_effect effect = rule->shown.effect;

	if (effect != POLICY_EFFECT_ALLOW && effect != POLICY_EFFECT_REQUIRE_TLS)
		return false;
	return !rule->has_recipients && !(rule->match.asked & ASKS_WHO) &&
	       is_everywhere(&rule->match.networks);
}

void policy_check_open(const struct policy *policy, struct report *report)
{
	for (size_t i = 0; i < policy->rule_count; i++) {
		char place[32];

		if (!is_open(&policy->rules[i]))
			continue;
		snprintf(place, sizeof(place), "clients[%zu]", i);
		report_warning_at(report, place,
			"anybody may send anywhere (an open relay): say under match who (network, user, "
			"group, "
			"certificate, listener), or name recipients");
	}
}
