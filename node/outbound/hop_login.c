/* The part of a hop that has to do with logging in there: whether it is possible, and what came of it. */
#include "outbound/destination.h"
#include "outbound/hop_health.h"

#include <stdio.h>
#include <string.h>

enum { LOGIN_AWAITED_MS = 500, HELD_AWAY_MIN_MS = 2000, HELD_AWAY_MAX_MS = 30000 };

static struct login_place place_of(const struct hop *hop)
{
	return (struct login_place){ hop->target->credentials, hop->label };
}

/* Nothing is tried there for so long, unless the credentials change. */
static void hold(struct hop *hop, uint64_t pause_ms, const char *why)
{
	uint64_t now_ms = loop_now_ms(hop->outbound->loop);

	if (!hop->is_held)
		hop->held_since_ms = now_ms;
	hop->is_held = true;
	hop->window = 1;
	hop->last_code = (struct enhanced_code){ 4, 7, 0 }; /* RFC 3463: security */
	snprintf(hop->last_error, sizeof(hop->last_error), "%s", why);
	breaker_hold(&hop->breaker, now_ms, pause_ms);
	destination_kick(hop->destination);
}

static void hold_for(struct hop *hop, const struct login_trouble *trouble)
{
	/* Once, and again when it is for another reason. */
	if (!hop->is_held || strncmp(hop->last_error, trouble->why, HOP_ERROR_MAX - 1) != 0)
		log_event(hop->outbound->log, LOG_WARN, "hop-login-impossible", LOG_STR("hop", hop->label),
			LOG_STR("why", trouble->why), LOG_END);
	hold(hop, trouble->again_ms, trouble->why);
}

bool hop_may_log_in(struct hop *hop)
{
	const struct login_place place = place_of(hop);
	struct login_trouble trouble;
	enum login_state state;

	if (!place.who)
		return true;
	state = credentials_look(hop->outbound->credentials, &place, loop_boottime_ms(), &trouble);
	if (state == LOGIN_IMPOSSIBLE)
		hold_for(hop, &trouble);
	return state == LOGIN_POSSIBLE;
}

bool hop_log_in(struct hop *hop, struct login *login_out)
{
	const struct login_place place = place_of(hop);
	struct login_trouble trouble;

	switch (credentials_take(
		hop->outbound->credentials, &place, loop_boottime_ms(), login_out, &trouble)) {
	case LOGIN_POSSIBLE:
		return true;
	case LOGIN_AWAITED:
		hold(hop, LOGIN_AWAITED_MS, trouble.why);
		return false;
	case LOGIN_IMPOSSIBLE:
		break;
	}
	hold_for(hop, &trouble);
	return false;
}

void hop_login_accepted(struct hop *hop, const struct login_mark *mark)
{
	const struct login_place place = place_of(hop);

	hop->is_held = false;
	credentials_accepted(hop->outbound->credentials, &place, mark);
}

void hop_login_refused(struct hop *hop, const struct login_mark *mark, const char *why)
{
	const struct login_place place = place_of(hop);
	uint64_t pause_ms = hop->route->breaker.pause_max_ms;
	struct outbound *outbound = hop->outbound;
	char text[HOP_ERROR_MAX];

	snprintf(text, sizeof(text), "the login by credentials \"%s\" is refused: %s", place.who->name, why);
	meter_add(outbound->meter, METRIC_HOP_FAILURES, 1);
	meter_add_named(outbound->meter, METRIC_ROUTE_FAILURES, hop->destination->name, 0, 1);
	switch (credentials_refused(
		outbound->credentials, &place, mark, loop_boottime_ms(), pause_ms, text)) {
	case REFUSAL_OF_TOKEN:
		hold(hop, LOGIN_AWAITED_MS, text);
		return;
	case REFUSAL_FIRST:
		log_event(outbound->log, LOG_ERROR, "hop-login-refused", LOG_STR("hop", hop->label),
			LOG_STR("credentials", place.who->name), LOG_STR("secret", place.who->secret),
			LOG_STR("why", why), LOG_U64("retry_ms", pause_ms), LOG_END);
		break;
	case REFUSAL_AGAIN:
		break;
	}
	hold(hop, pause_ms, text);
	hop_health_answered(hop);
}

void hop_login_untried(struct hop *hop, const struct login_mark *mark)
{
	const struct login_place place = place_of(hop);

	credentials_untried(hop->outbound->credentials, &place, mark);
}

void hop_credentials_changed(struct hop *hop)
{
	const struct login_place place = place_of(hop);
	struct login_trouble trouble;

	if (!place.who)
		return;
	if (hop->is_held && credentials_look(hop->outbound->credentials, &place, loop_boottime_ms(),
				    &trouble) != LOGIN_IMPOSSIBLE)
		breaker_release(&hop->breaker, loop_now_ms(hop->outbound->loop));
	destination_kick(hop->destination);
}

/*
 * What waits for a login comes back more often than for a host that is down, because a new secret should let
 * it go soon; the longer it has waited already the less.
 */
uint64_t hop_put_off_ms(const struct hop *hop, uint64_t wait_ms)
{
	uint64_t held_ms = loop_now_ms(hop->outbound->loop) - hop->held_since_ms;
	uint64_t away_ms = held_ms / 2 < HELD_AWAY_MIN_MS   ? HELD_AWAY_MIN_MS
			   : held_ms / 2 > HELD_AWAY_MAX_MS ? HELD_AWAY_MAX_MS
							    : held_ms / 2;

	return hop->is_held && away_ms < wait_ms ? away_ms : wait_ms;
}
