#include "outbound/destination.h"

#include "custody/custody.h"
#include "skein/proto/base/alloc.h"

enum { PUT_OFF_PER_TURN = 200, LOOK_MS = 500, LOOK_SOON_MS = 20, NO_HOP_MS = 60000 };

static struct span own_copy(struct span text)
{
	return span_of(text.len ? mem_dup(text.ptr, text.len) : NULL, text.len);
}

static void make_hops(struct destination *destination)
{
	const struct route *route = destination->route;

	for (size_t i = 0; i < route->target_count; i++) {
		const struct route_target *target = &route->targets[i];
		uint16_t port = target->port ? target->port : target->tls_first ? 465 : 25;
		unsigned bit = (unsigned)destination->hop_count;

		destination->bits |= 1u << bit;
		destination->hops[destination->hop_count++] =
			hop_new(destination, target, target->name, port, bit);
	}
}

static void on_timer(void *arg)
{
	destination_kick(arg);
}

static bool takes(const void *arg, const struct envelope *envelope, size_t recipient)
{
	return destination_takes(arg, envelope, recipient);
}

struct destination *destination_new(
	struct outbound *outbound, struct routing *routing, const struct route *route, struct span domain)
{
	struct destination *destination = mem_zalloc(sizeof(*destination));
	const uint64_t seed[2] = { random_u64(outbound->random), random_u64(outbound->random) };

	destination->outbound = outbound;
	destination->routing = routing_ref(routing);
	destination->route = route;
	destination->domain = own_copy(domain);
	destination->used_ms = loop_now_ms(outbound->loop);
	fair_queue_init(&destination->ready, seed, destination);
	fair_queue_init(&destination->elsewhere, seed, destination);
	destination->part = (struct delivery_part){ takes, destination };
	list_init(&destination->all_link);
	list_init(&destination->kick_link);
	list_init(&destination->cap_link);
	loop_timer_init(&destination->timer, on_timer, destination);
	make_hops(destination);
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
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_free(&destination->hops[i]);
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
	return true;
}

bool destination_is_idle(const struct destination *destination)
{
	return !destination->trying && destination_is_empty(destination) &&
	       destination_has_no_hop_busy(destination);
}

bool destination_is_usable(const struct destination *destination)
{
	uint64_t now_ms = loop_now_ms(destination->outbound->loop);

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
	return false;
}

bool destination_is_flowing(const struct destination *destination)
{
	return destination_is_well(destination);
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

void destination_kick(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;

	if (destination_is_empty(destination) || outbound->is_stopping)
		return;
	if (!list_is_linked(&destination->kick_link))
		list_push_back(&outbound->kicked[destination->route->priority], &destination->kick_link);
	loop_defer(outbound->loop, &outbound->dispatch);
}

void destination_add(struct destination *destination, struct message *message)
{
	message->tried = 0;
	fair_queue_push(&destination->ready, message, message->envelope.sender);
	destination->outbound->ready_count++;
	destination->used_ms = loop_now_ms(destination->outbound->loop);
	destination_kick(destination);
}

void destination_remove(struct message *message)
{
	struct destination *destination = fair_queue_of(message)->owner;

	destination->outbound->ready_count--;
	fair_queue_remove(message);
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

		if (other != hop && other->taken < hop->taken && hop_is_well(other, now_ms))
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
		is_probing |= hop->breaker.state != BREAKER_OPEN;
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

/* Recipients of other destinations go on: for those of this one it was an attempt. */
static void pass_over(struct destination *destination, struct message *message, const char *why)
{
	static const struct mail_status bad_connection = { .enhanced = { 4, 4, 1 } };

	if (!custody_may_start(destination->outbound->custody, message))
		return;
	message_enter(message, MESSAGE_TRYING);
	delivery_verdict(&destination->part, message, bad_connection, why);
	custody_attempted(destination->outbound->custody, message, ATTEMPT_DONE);
}

/* It waits where every node can see it, which costs it no attempt. */
static void put_off_ready(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;
	uint64_t wait_ms = destination->hop_count ? shortest_wait_ms(destination) : NO_HOP_MS;
	const char *why = destination->hop_count
				  ? destination->hops[0]->last_error
				  : "no route of the policy matches, and route.next_hops is not set";
	struct message *message;

	for (int i = 0; i < PUT_OFF_PER_TURN && (message = fair_queue_next(&destination->ready)); i++) {
		uint64_t jitter_ms = random_u32(outbound->random) % (wait_ms / 2 + 1000);

		message_ref(message);
		destination_remove(message);
		message_unpack(message);
		if (goes_elsewhere_too(destination, &message->envelope))
			pass_over(destination, message, why);
		else
			custody_put_off(outbound->custody, message, wait_ms + jitter_ms, why);
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
	message->tried |= (uint16_t)(1u << hop->bit);
	if (destination->outbound->is_stopping || destination->is_leaving || hop->is_leaving ||
		!untried_hop(destination, message->tried))
		return false;
	message_enter(message, MESSAGE_READY);
	fair_queue_push(&destination->elsewhere, message, key_of_tried(message));
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

struct message *destination_pull(struct destination *destination, struct hop *hop)
{
	struct message *message;

	if (destination->outbound->is_stopping || hop->is_leaving)
		return NULL;
	message = pull_elsewhere(destination, hop);
	while (!message && is_turn(destination, hop) && (message = fair_queue_next(&destination->ready))) {
		message_ref(message);
		if (!start(destination, message))
			message_unref(&message);
	}
	if (!message)
		return NULL;
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
	else if (!is_probing)
		put_off_ready(destination);
}

void destination_dispatch(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;
	uint64_t wait_ms;

	if (outbound->is_stopping)
		return;
	if (destination->elsewhere.count)
		dispatch_elsewhere(destination);
	if (destination->ready.count)
		dispatch_ready(destination);
	if (destination_is_empty(destination))
		return;
	/* A hop may fall silent, a pause may end. */
	wait_ms = shortest_wait_ms(destination);
	wait_ms = wait_ms < LOOK_SOON_MS ? LOOK_SOON_MS : wait_ms;
	loop_timer_set(outbound->loop, &destination->timer, wait_ms < LOOK_MS ? wait_ms : LOOK_MS);
}

/* --- the end ------------------------------------------------------------------------------------- */

void destination_retire(struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_retire(destination->hops[i]);
}

void destination_abort(struct destination *destination)
{
	for (size_t i = 0; i < destination->hop_count; i++)
		hop_abort(destination->hops[i]);
}
