#include "run/worker_internal.h"

enum { DRAIN_STEP_MS = 50 };

static void enter_deliveries(struct worker *worker)
{
	worker->drain = DRAIN_DELIVERIES;
	custody_hand_over(&worker->custody);
}

static void end_drain(struct worker *worker)
{
	worker->drain = DRAIN_DONE;
	outbound_stop(&worker->outbound);
	worker->shared.events.on_drained(worker->shared.events.node, worker->index);
}

static void on_drain_timer(void *arg)
{
	struct worker *worker = arg;
	bool is_late = loop_now_ms(&worker->loop) >= worker->drain_until_ms;

	if (worker->drain == DRAIN_LINGER && loop_now_ms(&worker->loop) >= worker->linger_until_ms) {
		worker->drain = DRAIN_SESSIONS;
		inbound_end_sessions(&worker->inbound);
	}
	if (worker->drain == DRAIN_LINGER || worker->drain == DRAIN_SESSIONS) {
		if (is_late)
			inbound_abort(&worker->inbound);
		if (worker->inbound.session_count == 0 || is_late)
			enter_deliveries(worker);
	} else if (worker->drain == DRAIN_DELIVERIES) {
		custody_hand_over(&worker->custody);
		if (custody_is_quiet(&worker->custody) || is_late) {
			end_drain(worker);
			return;
		}
	}
	loop_timer_set(&worker->loop, &worker->drain_timer, DRAIN_STEP_MS);
}

void worker_drain_init(struct worker *worker)
{
	loop_timer_init(&worker->drain_timer, on_drain_timer, worker);
}

void worker_begin_drain(struct worker *worker, const struct drain_options *options)
{
	uint64_t now_ms = loop_now_ms(&worker->loop);
	uint64_t half_ms = options->timeout_ms / 2;

	if (worker->drain != DRAIN_NONE && worker->drain != DRAIN_DONE)
		return;
	worker->drain = DRAIN_LINGER;
	worker->drain_until_ms = now_ms + options->timeout_ms;
	worker->linger_until_ms = now_ms + (options->linger_ms < half_ms ? options->linger_ms : half_ms);
	inbound_linger(&worker->inbound, options->is_leaving);
	loop_timer_set(&worker->loop, &worker->drain_timer, 0);
}
