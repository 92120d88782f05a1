#include "outbound/routing.h"

#include "skein/proto/base/alloc.h"

#include <string.h>

enum { PRIORITY = 5 }; /* as a route that does not say */

static enum route_tls tls_of(enum hop_tls tls)
{
	switch (tls) {
	case HOP_TLS_NONE:
		return ROUTE_TLS_NONE;
	case HOP_TLS_ENCRYPT:
		return ROUTE_TLS_ENCRYPT;
	case HOP_TLS_VERIFY:
		return ROUTE_TLS_VERIFY;
	case HOP_TLS_MAY:
		break;
	}
	return ROUTE_TLS_MAY;
}

static void fill_targets(struct routing *routing, const struct hop_list *hops)
{
	struct route *route = &routing->fallback;

	route->target_count = hops->count < ROUTE_TARGETS_MAX ? hops->count : ROUTE_TARGETS_MAX;
	for (size_t i = 0; i < route->target_count; i++) {
		routing->targets[i] = (struct route_target){
			.place = ROUTE_HOST,
			.name = hops->items[i].host,
			.port = (uint16_t)hops->items[i].port,
			.weight = 1,
			.tls = tls_of(hops->items[i].tls),
			.tls_name = "",
		};
	}
	route->targets = routing->targets;
}

static void fill_fallback(struct route *route, const struct settings *settings)
{
	route->name = POLICY_SLOT_SETTINGS;
	route->comment = "route.next_hops of the node's settings";
	route->number = ROUTING_FALLBACK;
	route->priority = PRIORITY;
	route->connections = (unsigned)settings->route.connections;
	route->messages_per_connection = (unsigned)settings->route.messages_per_connection;
	route->recipients_max = (unsigned)settings->route.recipients_max;
	route->chunking = settings->route.chunking;
	route->cut_through = settings->route.cut_through;
	route->rewrite = (struct route_rewrite){
		.from_domain = "", .sender_domain = "", .return_domain = "", .return_secret = ""
	};
	route->timeout.connect_ms = (uint32_t)settings->route.timeout.connect_ms;
	route->timeout.greeting_ms = (uint32_t)settings->route.timeout.greeting_ms;
	route->timeout.command_ms = (uint32_t)settings->route.timeout.command_ms;
	route->timeout.data_ms = (uint32_t)settings->route.timeout.data_ms;
	route->timeout.body_ms = (uint32_t)settings->route.timeout.body_ms;
	route->timeout.dot_ms = (uint32_t)settings->route.timeout.dot_ms;
	route->timeout.quit_ms = (uint32_t)settings->route.timeout.quit_ms;
	route->retry.first_ms = settings->retry.first_ms;
	route->retry.max_ms = settings->retry.max_ms;
	route->retry.expire_ms = settings->retry.expire_ms;
	route->retry.warn_ms = settings->retry.warn_ms;
	route->breaker.failures = (unsigned)settings->route.breaker.failures;
	route->breaker.pause_first_ms = settings->route.breaker.pause_first_ms;
	route->breaker.pause_max_ms = settings->route.breaker.pause_max_ms;
}

struct routing *routing_new(const struct settings *settings, struct policy_snapshot *policy)
{
	struct routing *routing = mem_zalloc(sizeof(*routing));

	routing->refs = 1;
	routing->policy = policy;
	routing->digest = policy_routes_digest(policy->policy);
	fill_targets(routing, &settings->route.next_hops);
	fill_fallback(&routing->fallback, settings);
	return routing;
}

bool routing_is_of(const struct routing *routing, const struct policy *policy)
{
	const struct policy_routes_digest digest = policy_routes_digest(policy);

	return memcmp(&digest, &routing->digest, sizeof(digest)) == 0;
}

struct routing *routing_ref(struct routing *routing)
{
	routing->refs++;
	return routing;
}

void routing_unref(struct routing **routing)
{
	if (--(*routing)->refs == 0) {
		policy_snapshot_unref(&(*routing)->policy);
		mem_free(*routing);
	}
	*routing = NULL;
}

const struct route *routing_find(
	const struct routing *routing, const struct envelope *envelope, size_t recipient)
{
	const struct route_question question = {
		.recipient = envelope->recipients[recipient].addr,
		.sender = envelope->sender,
		.client = envelope->rule,
	};
	const struct route *route = policy_find_route(routing->policy->policy, &question);

	return route ? route : &routing->fallback;
}

bool routing_is_single(const struct routing *routing)
{
	return policy_route_count(routing->policy->policy) == 0;
}

struct span routing_domain(struct span addr)
{
	for (size_t i = addr.len; i > 0; i--) {
		if (addr.ptr[i - 1] == '@')
			return span_drop(addr, i);
	}
	return span_of(NULL, 0);
}
