#include "outbound/hop_health.h"

#include "outbound/destination.h"
#include "outbound/hop_news.h"

#include <stdio.h>

static const struct enhanced_code no_answer = { 4, 4, 1 }; /* RFC 3463 */

enum { SLOW_MS = 5000, SHORT_MS = HOP_BOARD_POLL_MS };

static struct span label_of(const struct hop *hop)
{
	size_t len = strlen(hop->label);

	return span_of(hop->label, len < HOP_LABEL_MAX ? len : HOP_LABEL_MAX);
}

static struct hop_board *board_of(const struct hop *hop)
{
	return hop->outbound->news->board;
}

/* A pause of somebody else's making is no longer than one of ours would be: then it is looked at again. */
static void hold(struct hop *hop, uint64_t wait_ms)
{
	uint64_t most_ms = hop->route->breaker.pause_max_ms;

	hop->is_held = false;
	breaker_hold(&hop->breaker, loop_now_ms(hop->outbound->loop), wait_ms < most_ms ? wait_ms : most_ms);
}

static void log_heard(const struct hop *hop, const struct hop_view *view)
{
	log_event(hop->outbound->log, LOG_INFO, "hop-heard", LOG_STR("hop", hop->label),
		LOG_STR("state", hop_state_names[view->state]), LOG_BOOL("operator", view->is_forced),
		LOG_U64("left_ms", view->left_ms), LOG_END);
}

static void hear_down(struct hop *hop, const struct hop_view *view)
{
	if (hop->breaker.state == BREAKER_PROBING && !view->is_forced)
		return;
	if (view->is_forced)
		hop_retire(hop);
	if (view->is_forced || hop->breaker.state == BREAKER_CLOSED) {
		snprintf(hop->last_error, sizeof(hop->last_error), "%s",
			view->is_forced ? "an operator says that the next hop is down"
					: "the cluster knows that the next hop is down");
		hop->last_code = no_answer;
		hold(hop, view->left_ms);
	}
	hop->window = 1;
}

void hop_health_hear(struct hop *hop)
{
	struct hop_view view = hop_board_state(board_of(hop), label_of(hop), loop_boottime_ms());
	bool is_forbidden = view.state == HOP_DOWN && view.is_forced;

	if (view.state == hop->heard && is_forbidden == hop->is_forbidden)
		return;
	if (view.state == HOP_DOWN)
		hear_down(hop, &view);
	else if (hop->heard == HOP_DOWN && hop->breaker.state == BREAKER_OPEN)
		hold(hop, 0);
	else if (view.state == HOP_SLOW)
		hop->window = hop->window > 1 ? hop->window / 2 : 1;
	hop->heard = view.state;
	hop->is_forbidden = is_forbidden;
	hop->is_in_question = false;
	log_heard(hop, &view);
}

bool hop_health_admits(struct hop *hop)
{
	uint64_t now_ms = loop_now_ms(hop->outbound->loop), wait_ms;

	if (!breaker_is_usable(&hop->breaker, now_ms))
		return false;
	hop_health_hear(hop);
	wait_ms = hop_board_probe(board_of(hop), label_of(hop), loop_boottime_ms());
	hop->is_in_question = wait_ms > 0 && wait_ms <= SHORT_MS && !hop->is_forbidden;
	/* The cluster's probe is ours too: one connection, whatever comes of it. */
	if (wait_ms || hop->heard == HOP_DOWN)
		hold(hop, wait_ms);
	return !wait_ms && breaker_admit(&hop->breaker, now_ms);
}

static void hear_good(struct hop *hop, void (*breaker_fn)(struct breaker *))
{
	bool is_news = hop->breaker.state != BREAKER_CLOSED || hop->heard == HOP_DOWN;

	if (hop->is_forbidden)
		return;
	breaker_fn(&hop->breaker);
	if (!is_news)
		return;
	log_event(hop->outbound->log, LOG_INFO, "hop-up", LOG_STR("hop", hop->label), LOG_END);
	hop_health_answered(hop);
}

void hop_health_connected(struct hop *hop)
{
	hear_good(hop, breaker_connected);
}

void hop_health_good(struct hop *hop)
{
	hear_good(hop, breaker_succeeded);
}

void hop_health_answered(struct hop *hop)
{
	if (hop->heard != HOP_DOWN || hop->is_forbidden)
		return;
	hop_board_report(board_of(hop), label_of(hop), HOP_UP, 0, span_of(NULL, 0), loop_boottime_ms());
	hop->heard = HOP_UP;
	hop->is_in_question = false;
}

void hop_health_failed(struct hop *hop, const char *why, bool is_ours)
{
	struct outbound *outbound = hop->outbound;
	const struct breaker_options options = {
		.failures_max = hop->route->breaker.failures,
		.pause_first_ms = hop->route->breaker.pause_first_ms,
		.pause_max_ms = hop->route->breaker.pause_max_ms,
	};
	uint64_t now_ms = loop_now_ms(outbound->loop);
	unsigned opened = hop->breaker.opened;

	if (is_ours) {
		breaker_trip(&hop->breaker, &options, now_ms, random_u32(outbound->random));
		hop_health_answered(hop);
		return;
	}
	breaker_failed(&hop->breaker, &options, now_ms, random_u32(outbound->random));
	if (hop->breaker.opened == opened)
		return;
	hop_board_report(board_of(hop), label_of(hop), HOP_DOWN, breaker_wait_ms(&hop->breaker, now_ms),
		span_of_str(why), loop_boottime_ms());
	hop->heard = HOP_DOWN;
}

void hop_health_slow(struct hop *hop, const char *why)
{
	if (hop->heard == HOP_DOWN)
		return;
	hop_board_report(
		board_of(hop), label_of(hop), HOP_SLOW, SLOW_MS, span_of_str(why), loop_boottime_ms());
	hop->heard = HOP_SLOW;
}
