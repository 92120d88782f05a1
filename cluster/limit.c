#include "skein/cluster/limit.h"

const char *const limit_key_names[LIMIT_KEYS] = {
	[LIMIT_PER_CLIENT] = "client",
	[LIMIT_PER_USER] = "user",
	[LIMIT_PER_SENDER] = "sender",
	[LIMIT_PER_SENDER_DOMAIN] = "sender_domain",
	[LIMIT_PER_RECIPIENT_DOMAIN] = "recipient_domain",
	[LIMIT_PER_ROUTE] = "route",
	[LIMIT_PER_CLUSTER] = "cluster",
};
const char *const limit_unit_names[LIMIT_UNITS] = {
	[LIMIT_MESSAGES] = "messages",
	[LIMIT_RECIPIENTS] = "recipients",
	[LIMIT_BYTES] = "bytes",
	[LIMIT_CONNECTIONS] = "connections",
	[LIMIT_AUTH_FAILURES] = "auth_failures",
};
const char *const limit_action_names[LIMIT_ACTIONS] = { [LIMIT_DEFER] = "defer", [LIMIT_REJECT] = "reject" };

/* count x period / rate, at most LIMIT_TIME_US_MAX + 1. */
static uint64_t time_of(const struct limit_rule *rule, uint64_t count)
{
	unsigned __int128 time = (unsigned __int128)count * rule->period_us / rule->rate;

	return time > LIMIT_TIME_US_MAX ? LIMIT_TIME_US_MAX + 1 : (uint64_t)time;
}

const char *limit_rule_check(const struct limit_rule *rule)
{
	if (rule->rate == 0 || rule->burst == 0)
		return "rate and burst begin at 1";
	if (rule->period_us == 0 || rule->period_us > LIMIT_TIME_US_MAX)
		return "the period is outside 1 us to 95 years";
	if (time_of(rule, rule->burst) > LIMIT_TIME_US_MAX)
		return "the burst takes more than 95 years to come again: a smaller burst or a higher rate "
		       "is "
		       "wanted";
	if (time_of(rule, rule->burst) == 0)
		return "the rate is above what can be counted: one per microsecond, or a burst that takes "
		       "longer";
	return NULL;
}

uint64_t limit_cost_us(const struct limit_rule *rule, uint64_t cost)
{
	uint64_t time = time_of(rule, cost);

	if (cost && !time)
		return 1;
	return time > LIMIT_TIME_US_MAX ? LIMIT_TIME_US_MAX : time;
}

uint64_t limit_burst_us(const struct limit_rule *rule)
{
	return time_of(rule, rule->burst);
}

uint64_t limit_owed_us(const struct limit_state *state, uint64_t now_us)
{
	uint64_t since = now_us > state->stamp_us ? now_us : state->stamp_us;

	return state->empty_us > since ? state->empty_us - since : 0;
}

uint64_t limit_wait_us(const struct limit_state *state, uint64_t now_us, uint64_t cost_us, uint64_t burst_us)
{
	uint64_t owed = limit_owed_us(state, now_us);

	if (owed == 0 || owed + cost_us <= burst_us)
		return 0;
	return cost_us > burst_us ? owed : owed + cost_us - burst_us;
}

void limit_take(struct limit_state *state, uint64_t now_us, uint64_t cost_us)
{
	*state = (struct limit_state){ now_us + limit_owed_us(state, now_us) + cost_us, now_us };
}

void limit_refund(struct limit_state *state, uint64_t now_us, uint64_t cost_us)
{
	uint64_t owed = limit_owed_us(state, now_us);

	*state = (struct limit_state){ now_us + (owed > cost_us ? owed - cost_us : 0), now_us };
}
