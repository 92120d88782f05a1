#include "outbound/destination.h"

#include "custody/custody.h"
#include "outbound/hop_health.h"
#include "skein/proto/base/alloc.h"

#include <string.h>

enum { PUT_OFF_PER_TURN = 200, LOOK_MS = 500, LOOK_SOON_MS = 20, NO_HOP_MS = 60000 };

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

/* Nobody knows yet where it is. */
static bool is_unknown(const struct destination *destination)
{
	struct lookup_failure failure;

	return !destination->hop_count && destination->route->target_count &&
	       !lookup_has_failed(&destination->lookup, &failure);
}

bool destination_is_usable(const struct destination *destination)
{
	uint64_t now_ms = loop_now_ms(destination->outbound->loop);

	if (is_unknown(destination))
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
	return is_unknown(destination);
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

/* --- hops ---------------------------------------------------------------------------------------- */

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

static uint64_t shortest_wait_ms(const struct destination *destination)
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

/* --- nobody can take it -------------------------------------------------------------------------- */

static bool goes_elsewhere_too(const struct destination *destination, const struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		const struct envelope_recipient *recipient = &envelope->recipients[i];

		if (recipient->state == RECIPIENT_PENDING && recipient->attempts <= envelope->attempts &&
			!destination_takes(destination, envelope, i))
			return true;
	}
	return false;
}

/* A verdict of our own on the recipients that go here; those of other destinations go on. */
static void judge(
	struct destination *destination, struct message *message, struct mail_status status, const char *why)
{
	if (!custody_may_start(destination->outbound->custody, message))
		return;
	message_enter(message, MESSAGE_TRYING);
	delivery_verdict(&destination->part, message, status, why);
	custody_attempted(destination->outbound->custody, message, ATTEMPT_DONE);
}

/*
 * Whose failure tells what becomes of the mail. Where the sender asks for TLS a hop may be out of the
 * question for good: as long as another is only down, it may still be the one (RFC 8689 4.2.1).
 */
static const struct hop *telling_hop(const struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++) {
		if (destination->hops[i]->last_code.class != 5)
			return destination->hops[i];
	}
	return destination->hops[0];
}

static struct lookup_failure find_failure(const struct destination *destination)
{
	struct lookup_failure failure = {
		.enhanced = { 4, 4, 1 }, /* RFC 3463: no answer from host */
		.again_ms = NO_HOP_MS,
		.why = "no route of the policy matches, and route.next_hops is not set",
	};

	if (destination->hop_count) {
		const struct hop *hop = telling_hop(destination);

		failure.why = hop->last_error;
		failure.enhanced = hop->last_code;
		failure.is_permanent = hop->last_code.class == 5;
		failure.again_ms = hop_put_off_ms(hop, shortest_wait_ms(destination));
	} else if (destination->route->target_count) {
		(void)lookup_has_failed(&destination->lookup, &failure);
	}
	return failure;
}

/*
 * Nobody can take it. Where that may change it waits, where every node can see it, which costs it no attempt.
 */
static void put_off_ready(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;
	const struct lookup_failure failure = find_failure(destination);
	const struct mail_status status = { .enhanced = failure.enhanced };
	struct message *message;

	for (int i = 0; i < PUT_OFF_PER_TURN && (message = fair_queue_next(&destination->ready)); i++) {
		uint64_t jitter_ms = random_u32(outbound->random) % (failure.again_ms / 2 + 1000);

		message_ref(message);
		destination_remove(message);
		message_unpack(message);
		if (failure.is_permanent || goes_elsewhere_too(destination, &message->envelope))
			judge(destination, message, status, failure.why);
		else
			custody_put_off(outbound->custody, message, failure.again_ms + jitter_ms, status,
				failure.why);
		message_unref(&message);
	}
	destination_kick(destination);
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
	else if (!is_probing && !is_unknown(destination))
		put_off_ready(destination);
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
	wait_ms = shortest_wait_ms(destination);
	for (size_t i = 0; i < destination->hop_count; i++) {
		uint64_t pace_ms = hop_pace_wait_ms(destination->hops[i]);

		wait_ms = pace_ms && pace_ms < wait_ms ? pace_ms : wait_ms;
	}
	wait_ms = wait_ms < LOOK_SOON_MS ? LOOK_SOON_MS : wait_ms;
	loop_timer_set(outbound->loop, &destination->timer, wait_ms < LOOK_MS ? wait_ms : LOOK_MS);
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
