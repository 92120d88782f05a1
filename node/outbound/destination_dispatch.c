/* Who takes what waits at a destination: which hop's turn it is, and another hop within the attempt. */
#include "custody/custody.h"
#include "outbound/destination_internal.h"

enum { LOOK_MS = 500, LOOK_SOON_MS = 20 };

/* --- whose turn it is ---------------------------------------------------------------------------- */

/* The first hop that is well; else the first that may be used all the same. NULL when all are down. */
static struct hop *current_hop(const struct destination *destination)
{
	uint64_t now_ms = loop_now_ms(destination->outbound->loop);
	struct hop *doubtful = NULL;

	for (size_t i = 0; i < destination->hop_count; i++) {
		struct hop *hop = destination->hops[i];

		if (hop_is_well(hop, now_ms))
			return hop;
		if (!doubtful && hop->breaker.state == BREAKER_CLOSED)
			doubtful = hop;
	}
	return doubtful;
}

/* With weights: is it this hop's turn, so that the work is shared as they say? */
static bool is_turn_by_weight(const struct destination *destination, const struct hop *hop)
{
	uint64_t now_ms = loop_now_ms(destination->outbound->loop);

	for (size_t i = 0; i < destination->hop_count; i++) {
		const struct hop *other = destination->hops[i];

		if (other != hop && other->taken < hop->taken && hop_is_well(other, now_ms) &&
			!hop_pace_wait_ms(other))
			return false;
	}
	return true;
}

static bool is_turn(const struct destination *destination, const struct hop *hop)
{
	const struct hop *current;

	if (destination->route->order == ROUTE_WEIGHTED)
		return is_turn_by_weight(destination, hop);
	/* A better hop is up again: let it have the work. A probe that succeeded is the better hop then. */
	current = current_hop(destination);
	return !current || current == hop;
}

/* A down hop whose pause is over gets its one probe, beside whatever is used meanwhile. */
static bool probe_hops(struct destination *destination, const struct hop *current)
{
	bool is_probing = false;

	for (size_t i = 0; i < destination->hop_count && destination->hops[i] != current; i++) {
		struct hop *hop = destination->hops[i];

		if (hop->breaker.state == BREAKER_CLOSED)
			continue;
		hop_wake(hop, 1);
		is_probing |= hop->breaker.state != BREAKER_OPEN || hop->is_in_question;
	}
	return is_probing;
}

uint64_t destination_shortest_wait_ms(const struct destination *destination)
{
	uint64_t now_ms = loop_now_ms(destination->outbound->loop), shortest = UINT64_MAX;

	for (size_t i = 0; i < destination->hop_count; i++) {
		const struct breaker *breaker = &destination->hops[i]->breaker;
		uint64_t wait_ms = breaker_wait_ms(breaker, now_ms);

		if (breaker->state != BREAKER_CLOSED && wait_ms < shortest)
			shortest = wait_ms;
	}
	return shortest;
}

/* --- another hop within the attempt -------------------------------------------------------------- */

static struct hop *untried_hop(const struct destination *destination, unsigned tried)
{
	uint64_t now_ms = loop_now_ms(destination->outbound->loop);

	for (size_t i = 0; i < destination->hop_count; i++) {
		struct hop *hop = destination->hops[i];

		if (!(tried & 1u << hop->bit) && breaker_is_usable(&hop->breaker, now_ms))
			return hop;
	}
	return NULL;
}

static struct span key_of_tried(const struct message *message)
{
	return span_of((const char *)&message->tried, sizeof(message->tried));
}

bool destination_fail_over(struct destination *destination, struct hop *hop, struct message *message)
{
	message->tried |= 1u << hop->bit;
	if (destination->outbound->is_stopping || destination->is_leaving || hop->is_leaving ||
		!untried_hop(destination, message->tried))
		return false;
	message_enter(message, MESSAGE_READY);
	fair_queue_push(&destination->elsewhere, message, key_of_tried(message), message->envelope.priority);
	outbound_watch_time(destination->outbound, message);
	destination->outbound->ready_count++;
	destination_kick(destination);
	return true;
}

static bool start(struct destination *destination, struct message *message)
{
	destination_remove(message);
	if (!custody_may_start(destination->outbound->custody, message))
		return false;
	message_enter(message, MESSAGE_TRYING);
	return true;
}

static struct message *pull_elsewhere(struct destination *destination, const struct hop *hop)
{
	for (struct fair_flow *flow = NULL; (flow = fair_queue_each(&destination->elsewhere, flow));) {
		struct message *message = fair_flow_first(flow);

		if (message->tried & 1u << hop->bit)
			continue;
		message_ref(message);
		if (start(destination, message))
			return message;
		message_unref(&message);
		flow = NULL;
	}
	return NULL;
}

/* Wakes the hops that these messages wait for; without any left their attempt is over. */
static void dispatch_elsewhere(struct destination *destination)
{
	for (struct fair_flow *flow = NULL; (flow = fair_queue_each(&destination->elsewhere, flow));) {
		struct message *message = fair_flow_first(flow);
		struct hop *hop = untried_hop(destination, message->tried);
		size_t before = destination->elsewhere.count;

		if (hop) {
			hop_wake(hop, 1);
		} else {
			message_ref(message);
			if (start(destination, message)) {
				delivery_renote(&destination->part, message);
				destination_count(destination, ROUTE_RESULT_DEFERRED);
				custody_attempted(destination->outbound->custody, message, ATTEMPT_LOST);
			}
			message_unref(&message);
		}
		if (destination->elsewhere.count != before)
			flow = NULL;
	}
}

/* Is there anything for this hop, and may it be sent now? */
static bool may_pull(struct destination *destination, const struct hop *hop)
{
	if (destination->outbound->is_stopping || hop->is_leaving || hop->is_forbidden ||
		hop_pace_wait_ms(hop))
		return false;
	if (!destination->elsewhere.count && !(destination->ready.count && is_turn(destination, hop)))
		return false;
	return !destination->gate || route_gate_admits(destination->gate, &destination->waiter);
}

struct message *destination_pull(struct destination *destination, struct hop *hop)
{
	struct message *message;

	if (!may_pull(destination, hop))
		return NULL;
	message = pull_elsewhere(destination, hop);
	while (!message && is_turn(destination, hop) && (message = fair_queue_next(&destination->ready))) {
		message_ref(message);
		if (!start(destination, message))
			message_unref(&message);
	}
	if (!message)
		return NULL;
	if (destination->gate)
		route_gate_use(destination->gate, !destination_is_empty(destination));
	pace_started(&hop->pace, loop_now_ms(destination->outbound->loop));
	hop->taken += hop->target->weight ? UINT16_MAX / hop->target->weight : UINT16_MAX;
	if (!hop->connecting && !hop->trying)
		hop_is_alive(hop);
	return message;
}

/* --- dispatch ------------------------------------------------------------------------------------ */

static void wake_all(struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++) {
		if (destination->hops[i]->breaker.state == BREAKER_CLOSED)
			hop_wake(destination->hops[i], destination->ready.count);
	}
}

static void dispatch_ready(struct destination *destination)
{
	struct hop *hop = current_hop(destination);
	bool is_weighted = destination->route->order == ROUTE_WEIGHTED;
	bool is_probing = probe_hops(destination, is_weighted ? NULL : hop);

	if (hop && is_weighted)
		wake_all(destination);
	else if (hop)
		hop_wake(hop, destination->ready.count);
	else if (!is_probing && !destination_is_unknown(destination))
		destination_put_off_ready(destination);
}

void destination_dispatch(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;
	uint64_t wait_ms;

	if (outbound->is_stopping)
		return;
	lookup_refresh(&destination->lookup);
	if (destination->elsewhere.count)
		dispatch_elsewhere(destination);
	if (destination->ready.count)
		dispatch_ready(destination);
	if (destination_is_empty(destination))
		return;
	/* A hop may fall silent, a pause may end, one that is slow may have the next. */
	wait_ms = destination_shortest_wait_ms(destination);
	for (size_t i = 0; i < destination->hop_count; i++) {
		uint64_t pace_ms = hop_pace_wait_ms(destination->hops[i]);

		wait_ms = pace_ms && pace_ms < wait_ms ? pace_ms : wait_ms;
	}
	wait_ms = wait_ms < LOOK_SOON_MS ? LOOK_SOON_MS : wait_ms;
	loop_timer_set(outbound->loop, &destination->timer, wait_ms < LOOK_MS ? wait_ms : LOOK_MS);
}
