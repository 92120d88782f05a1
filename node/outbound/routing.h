/*
 * routing: which route a recipient takes: the policy's, or the node's own `route.*` settings where none of
 * them matches. A snapshot: destinations hold the one that they were made from, so that what a route says
 * outlives a newer policy for as long as a connection works by it. One thread.
 */
#ifndef NODE_OUTBOUND_ROUTING_H
#define NODE_OUTBOUND_ROUTING_H

#include "access/policy_slot.h"
#include "config/settings.h"
#include "skein/proto/mail/envelope.h"

struct routing {
	unsigned refs;
	struct policy_snapshot *policy;
	struct policy_routes_digest digest;
	struct route fallback; /* of the settings; its number is ROUTING_FALLBACK */
	struct route_target targets[ROUTE_TARGETS_MAX];
};

#define ROUTING_FALLBACK SIZE_MAX

/* One reference. Moves a reference to the policy in. `settings` are borrowed for its life. */
struct routing *routing_new(const struct settings *settings, struct policy_snapshot *policy);
/* Does this policy say the same of routes? */
bool routing_is_of(const struct routing *routing, const struct policy *policy);
struct routing *routing_ref(struct routing *routing);
void routing_unref(struct routing **routing);

/* The route of one recipient of a message. Borrowed. */
const struct route *routing_find(
	const struct routing *routing, const struct envelope *envelope, size_t recipient);
/* Whether all mail takes the same route, whoever it is for. */
bool routing_is_single(const struct routing *routing);

/* What follows the last '@'; empty when there is none. Borrowed. */
struct span routing_domain(struct span addr);

#endif
