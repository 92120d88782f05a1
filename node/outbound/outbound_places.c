/*
 * Which destination a message goes to, as the routing says now; destinations made, and forgotten when nothing
 * has gone there for a while or the routing is another.
 */
#include "outbound/hop_news.h"
#include "outbound/outbound_internal.h"
#include "skein/proto/base/alloc.h"

enum {
	TIDY_MS = 5000,
	NEWS_MS = 200,
	IDLE_MS = 60000,     /* after which a destination is forgotten, */
	TROUBLE_MS = 600000, /* and one with a hop that is down */
};

void outbound_forget(struct destination *destination)
{
	if (!destination->is_leaving)
		table_remove(&destination->outbound->destinations, destination->key);
	destination_free(&destination);
}

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

static bool is_direct(const struct route *route)
{
	for (size_t i = 0; i < route->target_count; i++) {
		if (route->targets[i].place == ROUTE_DIRECT)
			return true;
	}
	return false;
}

void outbound_find_place(
	const struct outbound *outbound, const struct envelope *envelope, struct outbound_place *out)
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
	if (!is_direct(route) || domain.len > OUTBOUND_KEY_MAX - len)
		domain = span_of(NULL, 0);
	for (size_t i = 0; i < domain.len; i++)
		out->bytes[len + i] = ascii_lower(domain.ptr[i]);
	out->domain = span_of(out->bytes + len, domain.len);
	out->key = span_of(out->bytes, len + domain.len);
}

static struct destination *make_destination(struct outbound *outbound, const struct outbound_place *place)
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

struct destination *outbound_destination_for(struct outbound *outbound, const struct envelope *envelope)
{
	struct outbound_place place;
	struct destination *destination;

	/* What a newer policy has let in goes by that policy. */
	outbound_watch(outbound);
	outbound_find_place(outbound, envelope, &place);
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

void outbound_on_tidy(void *arg)
{
	struct outbound *outbound = arg;

	EACH_DESTINATION(destination, outbound)
	{
		destination_tidy(destination);
		if (is_forgettable(destination))
			outbound_forget(destination);
	}
	if (!list_is_empty(&outbound->all))
		loop_timer_set(outbound->loop, &outbound->tidy_timer, TIDY_MS);
}

void outbound_on_news(void *arg)
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
	outbound->routings = outbound->routings < UINT16_MAX ? (uint16_t)(outbound->routings + 1) : 1;
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

bool outbound_knows_route(const struct outbound *outbound, const struct message *message)
{
	return message->routing == outbound->routings;
}

void outbound_find_route(struct outbound *outbound, struct message *message)
{
	const struct routing *routing = outbound->routing;
	bool was_packed = !message->envelope.recipients;
	const struct route *route;

	message_unpack(message);
	route = routing_find(routing, &message->envelope, next_recipient(&message->envelope));
	message->route = (uint16_t)policy_snapshot_route_name(routing->policy, route);
	message->routing = outbound->routings;
	if (was_packed)
		message_pack(message);
}
