#include "outbound/destination.h"

#include "outbound/destination_internal.h"
#include "outbound/hop_health.h"
#include "skein/proto/base/alloc.h"

static struct span own_copy(struct span text)
{
	return span_of(text.len ? mem_dup(text.ptr, text.len) : NULL, text.len);
}

static void on_lookup(void *arg)
{
	struct destination *destination = arg;

	if (destination->is_leaving)
		return;
	destination_update_hops(destination);
	destination_kick(destination);
}

void destination_tidy(struct destination *destination)
{
	destination_free_left_hops(destination);
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_tidy(destination->hops[i]);
}

static void on_timer(void *arg)
{
	destination_kick(arg);
}

static bool takes(const void *arg, const struct envelope *envelope, size_t recipient)
{
	return destination_takes(arg, envelope, recipient);
}

struct destination *destination_new(struct outbound *outbound, struct routing *routing,
	const struct route *route, struct span domain, enum transport_wish wish)
{
	struct destination *destination = mem_zalloc(sizeof(*destination));
	const uint64_t seed[2] = { random_u64(outbound->random), random_u64(outbound->random) };

	destination->outbound = outbound;
	destination->routing = routing_ref(routing);
	destination->route = route;
	destination->name = policy_snapshot_route_name(routing->policy, route);
	destination->domain = own_copy(domain);
	destination->wish = wish;
	destination->used_ms = loop_now_ms(outbound->loop);
	fair_queue_init(&destination->ready, seed, destination);
	fair_queue_init(&destination->elsewhere, seed, destination);
	destination->part = (struct delivery_part){ takes, destination };
	list_init(&destination->all_link);
	list_init(&destination->kick_link);
	list_init(&destination->cap_link);
	list_init(&destination->leaving);
	loop_timer_init(&destination->timer, on_timer, destination);
	destination->gate = route_gate_get(&outbound->gates, route);
	gate_waiter_init(&destination->waiter, on_timer, destination);
	lookup_init(
		&destination->lookup, &outbound->lookup, route, destination->domain, on_lookup, destination);
	destination_update_hops(destination);
	return destination;
}

void destination_free(struct destination **pointer)
{
	struct destination *destination = *pointer;

	CHECK(destination_is_idle(destination));
	loop_timer_cancel(destination->outbound->loop, &destination->timer);
	list_remove(&destination->all_link);
	list_remove(&destination->kick_link);
	list_remove(&destination->cap_link);
	lookup_fini(&destination->lookup);
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_free(&destination->hops[i]);
	destination_free_left_hops(destination);
	list_remove(&destination->waiter.link);
	route_gate_unref(&destination->gate);
	fair_queue_fini(&destination->ready);
	fair_queue_fini(&destination->elsewhere);
	routing_unref(&destination->routing);
	mem_free((void *)(uintptr_t)destination->domain.ptr);
	mem_free((void *)(uintptr_t)destination->key.ptr);
	mem_free(destination);
	*pointer = NULL;
}

/* --- what it is ---------------------------------------------------------------------------------- */

size_t destination_waiting(const struct destination *destination)
{
	return destination->ready.count + destination->elsewhere.count;
}

bool destination_is_empty(const struct destination *destination)
{
	return destination_waiting(destination) == 0;
}

struct message *destination_first(struct destination *destination)
{
	struct message *message = fair_queue_next(&destination->ready);

	return message ? message : fair_queue_next(&destination->elsewhere);
}

bool destination_has_no_hop_busy(const struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++) {
		if (!hop_is_idle(destination->hops[i]))
			return false;
	}
	LIST_EACH(it, &destination->leaving)
	{
		if (!hop_is_idle(LIST_ENTRY(it, struct hop, leaving_link)))
			return false;
	}
	return true;
}

bool destination_is_idle(const struct destination *destination)
{
	return !destination->trying && destination_is_empty(destination) &&
	       destination_has_no_hop_busy(destination);
}

bool destination_is_unknown(const struct destination *destination)
{
	struct lookup_failure failure;

	return !destination->hop_count && destination->route->target_count &&
	       !lookup_has_failed(&destination->lookup, &failure);
}

bool destination_is_usable(const struct destination *destination)
{
	uint64_t now_ms = loop_now_ms(destination->outbound->loop);

	if (destination_is_unknown(destination))
		return true;
	for (size_t i = 0; i < destination->hop_count; i++) {
		if (breaker_is_usable(&destination->hops[i]->breaker, now_ms))
			return true;
	}
	return false;
}

bool destination_is_well(const struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++) {
		if (destination->hops[i]->breaker.state == BREAKER_CLOSED)
			return true;
	}
	return destination_is_unknown(destination);
}

/* No connection, and others have all that the cluster may have. */
static bool waits_for_permit(const struct destination *destination)
{
	bool is_asking = false;

	for (size_t i = 0; i < destination->hop_count; i++) {
		if (destination->hops[i]->conn_count)
			return false;
		is_asking |= !list_is_empty(&destination->hops[i]->permits);
	}
	return is_asking;
}

bool destination_is_flowing(const struct destination *destination)
{
	const struct route_gate *gate = destination->gate;

	return destination_is_well(destination) &&
	       (!gate || (!route_gate_is_shut(gate) && !waits_for_permit(destination)));
}

uint64_t destination_clears_in_ms(const struct destination *destination)
{
	const struct route_gate *gate = destination->gate;

	return gate && destination_is_well(destination) && route_gate_is_shut(gate)
		       ? destination_waiting(destination) * route_gate_pace_ms(gate)
		       : 0;
}

void destination_hear(struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_health_hear(destination->hops[i]);
	destination_kick(destination);
}

bool destination_takes(
	const struct destination *destination, const struct envelope *envelope, size_t recipient)
{
	if (routing_is_single(destination->routing))
		return true;
	return routing_find(destination->routing, envelope, recipient) == destination->route &&
	       (!destination->domain.len ||
		       span_eq_nocase(
			       routing_domain(envelope->recipients[recipient].addr), destination->domain));
}

void destination_count(struct destination *destination, enum route_result result)
{
	meter_add_named(destination->outbound->meter, METRIC_ROUTE_MESSAGES, destination->name, result, 1);
}

/* --- the queue ----------------------------------------------------------------------------------- */

/* The priority of the route, and of the first message on top of it. */
static unsigned rank_of(const struct destination *destination)
{
	int ready = fair_queue_priority(&destination->ready);
	int elsewhere = fair_queue_priority(&destination->elsewhere);
	int rank = (int)destination->route->priority + (ready > elsewhere ? ready : elsewhere);

	return rank < 0 ? 0 : rank >= OUTBOUND_PRIORITIES ? OUTBOUND_PRIORITIES - 1 : (unsigned)rank;
}

void destination_kick(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;
	unsigned rank = rank_of(destination);

	if (destination_is_empty(destination) || outbound->is_stopping)
		return;
	if (!list_is_linked(&destination->kick_link) || rank > destination->kick_rank) {
		list_remove(&destination->kick_link);
		list_push_back(&outbound->kicked[rank], &destination->kick_link);
		destination->kick_rank = rank;
	}
	loop_defer(outbound->loop, &outbound->dispatch);
}

void destination_add(struct destination *destination, struct message *message)
{
	message->tried = 0;
	message->route = (uint16_t)destination->name;
	message->routing = destination->outbound->routings;
	fair_queue_push(&destination->ready, message, message->envelope.sender, message->envelope.priority);
	outbound_watch_time(destination->outbound, message);
	destination->outbound->ready_count++;
	destination->used_ms = loop_now_ms(destination->outbound->loop);
	destination_kick(destination);
}

/* Nothing is asked for in vain. */
static void on_empty(struct destination *destination)
{
	list_remove(&destination->waiter.link);
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_drop_permits(destination->hops[i]);
}

void destination_remove(struct message *message)
{
	struct destination *destination = fair_queue_of(message)->owner;

	destination->outbound->ready_count--;
	heap_remove(&destination->outbound->deadlines, &message->due);
	fair_queue_remove(message);
	if (destination->gate && destination_is_empty(destination))
		on_empty(destination);
}

void destination_credentials_changed(struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_credentials_changed(destination->hops[i]);
}

/* --- the end ------------------------------------------------------------------------------------- */

void destination_retire(struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_retire(destination->hops[i]);
	LIST_EACH(it, &destination->leaving)
	hop_retire(LIST_ENTRY(it, struct hop, leaving_link));
}

void destination_abort(struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_abort(destination->hops[i]);
	LIST_EACH(it, &destination->leaving)
	hop_abort(LIST_ENTRY(it, struct hop, leaving_link));
}
