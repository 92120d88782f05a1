#include "outbound/outbound.h"

#include "custody/custody.h"
#include "io/wall_clock.h"
#include "outbound/destination.h"
#include "outbound/hop_news.h"
#include "outbound/routing.h"
#include "skein/proto/base/alloc.h"

enum {
	DUE_PER_TURN = 1000,
	DUE_CHECK_MAX_MS = 1000,
	READY_MAX = 500,  /* of one destination */
	SENDER_MIN = 10,  /* that a sender always has room for, up to twice READY_MAX */
	TOTAL_MAX = 5000, /* of one worker */
	AWAY_MS = 2000,
	AWAY_MAX_MS = 60000,
	APPETITE = 500,
	PROBE_APPETITE = 4,
	AT_ONCE_MAX = 100, /* that wait for a destination before cut-through makes way for custody */
	DESTINATIONS_MAX = 10000,
	TIDY_MS = 5000,
	NEWS_MS = 200,
	AHEAD_MS = 10000,    /* that a worker claims of what a rate lets through */
	IDLE_MS = 60000,     /* after which a destination is forgotten, */
	TROUBLE_MS = 600000, /* and one with a hop that is down */
	KEY_MAX = 512,
};

static void on_dispatch(void *arg);
static void on_due(void *arg);
static void on_tidy(void *arg);
static void on_news(void *arg);

static void open_gates(struct outbound *outbound)
{
	const struct gate_desk_options options = {
		.loop = outbound->loop,
		.limits = outbound->limits,
		.meter = outbound->meter,
		.link = outbound->link,
		.share = outbound->news->share,
		.holder = span_of_str(outbound->holder),
		.seed = { random_u64(outbound->random), random_u64(outbound->random) },
	};

	gate_desk_init(&outbound->gates, &options);
}

void outbound_init(struct outbound *outbound)
{
	const uint64_t seed[2] = { random_u64(outbound->random), random_u64(outbound->random) };

	list_init(&outbound->all);
	list_init(&outbound->capped);
	for (size_t i = 0; i < OUTBOUND_PRIORITIES; i++)
		list_init(&outbound->kicked[i]);
	table_init(&outbound->destinations, seed);
	loop_timer_init(&outbound->due_timer, on_due, outbound);
	loop_timer_init(&outbound->tidy_timer, on_tidy, outbound);
	loop_timer_init(&outbound->news_timer, on_news, outbound);
	open_gates(outbound);
	loop_task_init(&outbound->dispatch, on_dispatch, outbound);
	sts_desk_init(&outbound->sts);
	outbound->policy_seen = policy_slot_get(outbound->policy);
	outbound->routing = routing_new(outbound->settings, policy_slot_get(outbound->policy));
}

#define EACH_DESTINATION(it, outbound)                                                                       \
	LIST_EACH_SAFE(it##_link, &(outbound)->all)                                                          \
	for (struct destination *it = LIST_ENTRY(it##_link, struct destination, all_link); it; it = NULL)

void outbound_stop(struct outbound *outbound)
{
	outbound->is_stopping = true;
	gate_desk_stop(&outbound->gates);
	EACH_DESTINATION(destination, outbound)
	destination_retire(destination);
}

void outbound_abort(struct outbound *outbound)
{
	outbound->is_stopping = true;
	gate_desk_stop(&outbound->gates);
	EACH_DESTINATION(destination, outbound)
	destination_abort(destination);
}

bool outbound_is_idle(const struct outbound *outbound)
{
	LIST_EACH(it, &outbound->all)
	{
		if (!destination_has_no_hop_busy(LIST_ENTRY(it, struct destination, all_link)))
			return false;
	}
	return outbound->trying == 0 && outbound->signing.under_way == 0;
}

static void drop(struct outbound *outbound, struct message *message)
{
	message_enter(message, MESSAGE_AWAY);
	outbound_remove(outbound, message);
}

static void drop_queue(struct destination *destination)
{
	struct message *message;

	while ((message = destination_first(destination)))
		drop(destination->outbound, message);
}

static void forget(struct destination *destination)
{
	if (!destination->is_leaving)
		table_remove(&destination->outbound->destinations, destination->key);
	destination_free(&destination);
}

void outbound_fini(struct outbound *outbound)
{
	CHECK(outbound_is_idle(outbound));
	for (struct heap_node *node; (node = heap_peek(&outbound->waiting));)
		drop(outbound, CONTAINER_OF(node, struct message, due));
	EACH_DESTINATION(destination, outbound)
	{
		drop_queue(destination);
		forget(destination);
	}
	loop_timer_cancel(outbound->loop, &outbound->due_timer);
	loop_timer_cancel(outbound->loop, &outbound->tidy_timer);
	loop_timer_cancel(outbound->loop, &outbound->news_timer);
	loop_task_cancel(&outbound->dispatch);
	gate_desk_fini(&outbound->gates);
	sts_desk_fini(&outbound->sts);
	table_fini(&outbound->destinations);
	heap_fini(&outbound->waiting);
	heap_fini(&outbound->deadlines);
	buf_fini(&outbound->scratch);
	routing_unref(&outbound->routing);
	policy_snapshot_unref(&outbound->policy_seen);
}

/* --- destinations ------------------------------------------------------------------------------- */

/* The first recipient that is to be tried in this attempt; else the first one. */
static size_t next_recipient(const struct envelope *envelope)
{
	for (size_t i = 0; i < envelope->recipient_count; i++) {
		if (envelope->recipients[i].state == RECIPIENT_PENDING &&
			envelope->recipients[i].attempts <= envelope->attempts)
			return i;
	}
	return 0;
}

struct place {
	const struct route *route;
	struct span domain; /* empty unless the route is direct */
	enum transport_wish wish;
	struct span key;
	char bytes[KEY_MAX];
};

static bool is_direct(const struct route *route)
{
	for (size_t i = 0; i < route->target_count; i++) {
		if (route->targets[i].place == ROUTE_DIRECT)
			return true;
	}
	return false;
}

static void find_place(const struct outbound *outbound, const struct envelope *envelope, struct place *out)
{
	size_t recipient = next_recipient(envelope), len = sizeof(out->route->number);
	const struct route *route = routing_find(outbound->routing, envelope, recipient);
	struct span domain = routing_domain(envelope->recipients[recipient].addr);

	out->route = route;
	out->wish = envelope->requiretls     ? TRANSPORT_WISH_REQUIRED
		    : envelope->tls_optional ? TRANSPORT_WISH_OPTIONAL
					     : TRANSPORT_WISH_NONE;
	memcpy(out->bytes, &route->number, len);
	out->bytes[len++] = (char)out->wish;
	if (!is_direct(route) || domain.len > KEY_MAX - len)
		domain = span_of(NULL, 0);
	for (size_t i = 0; i < domain.len; i++)
		out->bytes[len + i] = ascii_lower(domain.ptr[i]);
	out->domain = span_of(out->bytes + len, domain.len);
	out->key = span_of(out->bytes, len + domain.len);
}

static struct destination *make_destination(struct outbound *outbound, const struct place *place)
{
	struct destination *destination =
		destination_new(outbound, outbound->routing, place->route, place->domain, place->wish);

	destination->key = span_of(mem_dup(place->key.ptr, place->key.len), place->key.len);
	list_push_back(&outbound->all, &destination->all_link);
	table_put(&outbound->destinations, destination->key, destination);
	if (!loop_timer_is_set(&outbound->tidy_timer))
		loop_timer_set(outbound->loop, &outbound->tidy_timer, TIDY_MS);
	if (!loop_timer_is_set(&outbound->news_timer))
		loop_timer_set(outbound->loop, &outbound->news_timer, NEWS_MS);
	return destination;
}

static struct destination *destination_for(struct outbound *outbound, const struct envelope *envelope)
{
	struct place place;
	struct destination *destination;

	/* What a newer policy has let in goes by that policy. */
	outbound_watch(outbound);
	find_place(outbound, envelope, &place);
	destination = table_get(&outbound->destinations, place.key);
	return destination ? destination : make_destination(outbound, &place);
}

static bool is_forgettable(const struct destination *destination)
{
	uint64_t idle_ms = loop_now_ms(destination->outbound->loop) - destination->used_ms;

	if (!destination_is_idle(destination))
		return false;
	return destination->is_leaving || idle_ms > TROUBLE_MS ||
	       (idle_ms > IDLE_MS && destination_is_well(destination));
}

static void on_tidy(void *arg)
{
	struct outbound *outbound = arg;

	EACH_DESTINATION(destination, outbound)
	{
		destination_tidy(destination);
		if (is_forgettable(destination))
			forget(destination);
	}
	if (!list_is_empty(&outbound->all))
		loop_timer_set(outbound->loop, &outbound->tidy_timer, TIDY_MS);
}

static void on_news(void *arg)
{
	struct outbound *outbound = arg;
	uint64_t changes = hop_board_changes(outbound->news->board);

	if (changes != outbound->changes_seen) {
		EACH_DESTINATION(destination, outbound)
		destination_hear(destination);
	}
	outbound->changes_seen = changes;
	if (!list_is_empty(&outbound->all))
		loop_timer_set(outbound->loop, &outbound->news_timer, NEWS_MS);
}

/* What waits goes where the new routing says; what is under way ends as it was begun. */
static void leave(struct destination *destination)
{
	struct outbound *outbound = destination->outbound;
	struct message *message;

	table_remove(&outbound->destinations, destination->key);
	destination->is_leaving = true;
	while ((message = destination_first(destination))) {
		message_ref(message);
		destination_remove(message);
		message_unpack(message);
		outbound_add(outbound, message);
		message_unref(&message);
	}
	destination_retire(destination);
}

static void change_routing(struct outbound *outbound, struct routing *routing)
{
	routing_unref(&outbound->routing);
	outbound->routing = routing;
	EACH_DESTINATION(destination, outbound)
	{
		if (!destination->is_leaving && destination->routing != routing)
			leave(destination);
	}
}

void outbound_reload(struct outbound *outbound, const struct settings *settings)
{
	outbound->settings = settings;
	change_routing(outbound, routing_new(settings, policy_slot_get(outbound->policy)));
}

static void watch_credentials(struct outbound *outbound)
{
	uint64_t changes = credentials_changes(outbound->credentials);

	if (changes == outbound->credentials_seen)
		return;
	outbound->credentials_seen = changes;
	EACH_DESTINATION(destination, outbound)
	destination_credentials_changed(destination);
}

void outbound_watch(struct outbound *outbound)
{
	struct policy_snapshot *policy = policy_slot_get(outbound->policy);

	watch_credentials(outbound);
	if (policy == outbound->policy_seen || outbound->is_stopping) {
		policy_snapshot_unref(&policy);
		return;
	}
	policy_snapshot_unref(&outbound->policy_seen);
	outbound->policy_seen = policy;
	if (!routing_is_of(outbound->routing, policy->policy))
		change_routing(outbound, routing_new(outbound->settings, policy_slot_get(outbound->policy)));
}

struct retry_schedule outbound_retry(const struct outbound *outbound, const struct envelope *envelope)
{
	const struct route *route = NULL;

	for (size_t i = 0; i < envelope->recipient_count && !route; i++) {
		if (envelope->recipients[i].state == RECIPIENT_PENDING)
			route = routing_find(outbound->routing, envelope, i);
	}
	if (!route)
		route = &outbound->routing->fallback;
	return (struct retry_schedule){ route->retry.first_ms, route->retry.max_ms, route->retry.expire_ms };
}

/* --- the queue ---------------------------------------------------------------------------------- */

static void arm_due_timer(struct outbound *outbound)
{
	const struct heap_node *first = heap_peek(&outbound->waiting);
	const struct heap_node *deadline = heap_peek(&outbound->deadlines);
	uint64_t now_ms = wall_clock_ms(), wait_ms;

	if (!first || (deadline && deadline->due < first->due))
		first = deadline;
	if (!first)
		return;
	wait_ms = first->due > now_ms ? first->due - now_ms : 0;
	/* The wall clock may jump: look again every second. */
	loop_timer_set(outbound->loop, &outbound->due_timer,
		wait_ms < DUE_CHECK_MAX_MS ? wait_ms : DUE_CHECK_MAX_MS);
}

void outbound_add(struct outbound *outbound, struct message *message)
{
	message_enter(message, MESSAGE_READY);
	destination_add(destination_for(outbound, &message->envelope), message);
}

void outbound_add_later(struct outbound *outbound, struct message *message, uint64_t at_ms)
{
	message_enter(message, MESSAGE_WAITING);
	heap_set(&outbound->waiting, &message_ref(message)->due, at_ms);
	arm_due_timer(outbound);
}

void outbound_watch_time(struct outbound *outbound, struct message *message)
{
	if (message->envelope.deliver_by != DELIVER_BY_RETURN)
		return;
	heap_set(&outbound->deadlines, &message->due, message->envelope.deliver_by_ms);
	arm_due_timer(outbound);
}

void outbound_remove(struct outbound *outbound, struct message *message)
{
	if (message->flow) {
		destination_remove(message);
		return;
	}
	CHECK(heap_has(&message->due));
	heap_remove(&outbound->waiting, &message->due);
	message_unref(&message);
}

/* Their time is over while they wait for their turn: they need none any more. */
static void return_overdue(struct outbound *outbound, uint64_t now_ms)
{
	struct heap_node *node;

	for (int i = 0; i < DUE_PER_TURN && (node = heap_peek(&outbound->deadlines)) && node->due <= now_ms;
		i++) {
		struct message *message = message_ref(CONTAINER_OF(node, struct message, due));

		outbound_remove(outbound, message);
		if (custody_may_start(outbound->custody, message))
			outbound_add(outbound, message); /* the clock was set back */
		message_unref(&message);
	}
}

static void on_due(void *arg)
{
	struct outbound *outbound = arg;
	uint64_t now_ms = wall_clock_ms();
	struct heap_node *node;

	return_overdue(outbound, now_ms);

	for (int i = 0; i < DUE_PER_TURN && (node = heap_peek(&outbound->waiting)) && node->due <= now_ms;
		i++) {
		struct message *message = message_ref(CONTAINER_OF(node, struct message, due));

		outbound_remove(outbound, message);
		custody_due(outbound->custody, message);
		message_unref(&message);
	}
	arm_due_timer(outbound);
}

/* --- dispatch ----------------------------------------------------------------------------------- */

void outbound_kick(struct outbound *outbound)
{
	EACH_DESTINATION(destination, outbound)
	destination_kick(destination);
}

/* Those that are kicked meanwhile come in this turn too, after the sockets had theirs. */
static void on_dispatch(void *arg)
{
	struct outbound *outbound = arg;
	struct list now;

	for (size_t priority = OUTBOUND_PRIORITIES; priority-- > 0;) {
		list_init(&now);
		list_splice_back(&now, &outbound->kicked[priority]);
		while (!list_is_empty(&now)) {
			struct destination *destination = LIST_FIRST(&now, struct destination, kick_link);

			list_remove(&destination->kick_link);
			destination_dispatch(destination);
		}
	}
}

bool outbound_may_connect(struct outbound *outbound, struct destination *destination)
{
	if (outbound->connections < outbound->settings->limits.connections_out)
		return true;
	if (!list_is_linked(&destination->cap_link))
		list_push_back(&outbound->capped, &destination->cap_link);
	return false;
}

void outbound_connected(struct outbound *outbound, int change)
{
	struct destination *destination;

	outbound->connections += (size_t)change;
	if (change > 0 || list_is_empty(&outbound->capped))
		return;
	destination = LIST_FIRST(&outbound->capped, struct destination, cap_link);
	list_remove(&destination->cap_link);
	destination_kick(destination);
}

void outbound_attempted(struct outbound *outbound, struct message *message, enum attempt_end end)
{
	message->tried = 0;
	custody_attempted(outbound->custody, message, end);
}

/* --- how much ----------------------------------------------------------------------------------- */

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
	struct place place;

	*away_ms_out = 0;
	find_place(outbound, &message->envelope, &place);
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
	struct place place;

	find_place(outbound, envelope, &place);
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
