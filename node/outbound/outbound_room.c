/* How much more a worker takes: of messages that have come, of those that it may claim, past custody. */
#include "outbound/outbound_internal.h"

enum {
	READY_MAX = 500,  /* of one destination */
	SENDER_MIN = 10,  /* that a sender always has room for, up to twice READY_MAX */
	TOTAL_MAX = 5000, /* of one worker */
	AWAY_MS = 2000,
	AWAY_MAX_MS = 60000,
	APPETITE = 500,
	PROBE_APPETITE = 4,
	AT_ONCE_MAX = 100, /* that wait for a destination before cut-through makes way for custody */
	DESTINATIONS_MAX = 10000,
	AHEAD_MS = 10000, /* that a worker claims of what a rate lets through */
};

/* What has priority is not sent away for what has none. */
static bool is_full(const struct outbound *outbound, const struct destination *destination,
	const struct envelope *envelope)
{
	size_t waiting = destination_waiting(destination);

	if (outbound->ready_count >= TOTAL_MAX || waiting >= (size_t)2 * READY_MAX)
		return true;
	return waiting >= READY_MAX && envelope->priority <= 0 &&
	       fair_queue_share(&destination->ready, envelope->sender) >= SENDER_MIN;
}

/* Where it does not flow now, coming back at once would only keep everybody busy. */
static uint64_t away_ms(const struct outbound *outbound, const struct destination *destination)
{
	uint64_t away_ms = destination ? destination_clears_in_ms(destination) : 0;

	if (away_ms < AWAY_MS)
		away_ms = AWAY_MS;
	else if (away_ms > AWAY_MAX_MS)
		away_ms = AWAY_MAX_MS;
	return away_ms + random_u32(outbound->random) % away_ms;
}

bool outbound_has_room(struct outbound *outbound, const struct message *message, uint64_t *away_ms_out)
{
	const struct destination *destination;
	struct outbound_place place;

	*away_ms_out = 0;
	outbound_find_place(outbound, &message->envelope, &place);
	destination = table_get(&outbound->destinations, place.key);
	if (!destination && outbound->destinations.count < DESTINATIONS_MAX)
		return outbound->ready_count < TOTAL_MAX;
	if (destination && !is_full(outbound, destination, &message->envelope))
		return true;
	if (!destination || !destination_is_flowing(destination))
		*away_ms_out = away_ms(outbound, destination);
	return false;
}

/* A report may be due of it, which is made of a message in custody; or something is to be kept. */
static bool needs_custody(const struct envelope *envelope)
{
	if (envelope->hold_until_ms || envelope->requiretls || envelope->deliver_by != DELIVER_BY_NONE)
		return true;
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (envelope->recipients[i].notify & DSN_NOTIFY_SUCCESS)
			return true;
	}
	return false;
}

bool outbound_takes_at_once(struct outbound *outbound, const struct envelope *envelope)
{
	const struct destination *destination;
	struct outbound_place place;

	outbound_find_place(outbound, envelope, &place);
	if (!place.route->cut_through || outbound->is_stopping || needs_custody(envelope) ||
		envelope->recipient_count > place.route->recipients_max)
		return false;
	destination = table_get(&outbound->destinations, place.key);
	if (!destination)
		return true; /* its first message finds out */
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (!destination_takes(destination, envelope, i))
			return false;
	}
	return destination_is_flowing(destination) && destination_waiting(destination) < AT_ONCE_MAX;
}

static size_t less(size_t most, size_t have)
{
	return most > have ? most - have : 0;
}

/* Of a destination that does not flow: a few, to see whether it does; of one at its rate, what that lets by.
 */
static size_t slow_appetite(const struct destination *destination)
{
	size_t most = PROBE_APPETITE;

	if (destination_clears_in_ms(destination) > 0)
		most += AHEAD_MS / route_gate_pace_ms(destination->gate);
	else if (!destination_is_usable(destination))
		return 0;
	return less(
		most < APPETITE ? most : APPETITE, destination->trying + destination_waiting(destination));
}

size_t outbound_appetite(const struct outbound *outbound)
{
	size_t busy = outbound->trying, most = outbound->destinations.count ? 0 : APPETITE, slow = 0;

	if (outbound->is_stopping || outbound->ready_count >= TOTAL_MAX)
		return 0;
	LIST_EACH(it, &outbound->all)
	{
		const struct destination *destination = LIST_ENTRY(it, struct destination, all_link);

		if (destination_is_flowing(destination)) {
			busy += destination_waiting(destination);
			most = APPETITE;
		} else {
			size_t few = slow_appetite(destination);

			slow = few > slow ? few : slow;
		}
	}
	most = less(most, busy);
	return most > slow ? most : slow;
}

void outbound_count(struct outbound *outbound)
{
	int64_t waiting = 0;

	LIST_EACH(it, &outbound->all)
	{
		const struct destination *destination = LIST_ENTRY(it, struct destination, all_link);

		if (destination->gate && route_gate_is_shut(destination->gate))
			waiting += (int64_t)destination_waiting(destination);
	}
	meter_add(outbound->meter, METRIC_RATE_WAITING, waiting - outbound->rate_waiting);
	outbound->rate_waiting = waiting;
	gate_desk_count(&outbound->gates);
}
