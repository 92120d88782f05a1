/* Which hops a destination has: as its route lists targets, and the DNS says where they are. */
#include "outbound/destination_internal.h"

#include <string.h>

static uint16_t port_of(const struct route_target *target)
{
	return target->port ? target->port : target->tls_first ? 465 : 25;
}

/* Those that were there, and are not there again yet. */
struct hops_before {
	struct hop *hops[DESTINATION_HOPS_MAX];
	size_t count;
};

/*
 * Not that of one that is there, nor of one that was: it may come again behind this one. Each is at most
 * DESTINATION_HOPS_MAX, so that there is always one.
 */
static unsigned free_bit(const struct destination *destination, const struct hops_before *before)
{
	uint32_t used = 0;
	unsigned bit = 0;

	for (size_t i = 0; i < destination->hop_count; i++)
		used |= UINT32_C(1) << destination->hops[i]->bit;
	for (size_t i = 0; i < before->count; i++)
		used |= before->hops[i] ? UINT32_C(1) << before->hops[i]->bit : 0;
	while (used & UINT32_C(1) << bit)
		bit++;
	return bit;
}

/* One that is there already keeps what is known of it. */
static struct hop *take_hop(
	struct hop **old, size_t count, const struct route_target *target, const char *host, uint16_t port)
{
	for (size_t i = 0; i < count; i++) {
		struct hop *hop = old[i];

		if (!hop || hop->target != target || hop->port != port || strcmp(hop->host, host) != 0)
			continue;
		old[i] = NULL;
		return hop;
	}
	return NULL;
}

static struct hop *put_hop(struct destination *destination, struct hops_before *before,
	const struct route_target *target, const char *host, uint16_t port)
{
	struct hop *hop;

	if (destination->hop_count == DESTINATION_HOPS_MAX)
		return NULL;
	hop = take_hop(before->hops, before->count, target, host, port);
	if (!hop)
		hop = hop_new(destination, target, host, port, free_bit(destination, before));
	destination->hops[destination->hop_count++] = hop;
	return hop;
}

static void put_found(struct destination *destination, struct hops_before *before,
	const struct route_target *target, const struct dns_hops *found)
{
	for (size_t i = 0; found && i < found->count; i++) {
		const struct dns_hop *at = &found->hops[i];
		uint16_t port = at->port ? at->port : port_of(target);
		struct hop *hop = put_hop(destination, before, target, at->host, port);

		if (hop)
			hop_found(hop, at, found->domain);
	}
}

static void let_go(struct destination *destination, struct hop *hop)
{
	hop->is_leaving = true;
	hop_retire(hop);
	list_push_back(&destination->leaving, &hop->leaving_link);
}

void destination_update_hops(struct destination *destination)
{
	const struct route *route = destination->route;
	struct hops_before before = { .count = destination->hop_count };

	memcpy(before.hops, destination->hops, sizeof(before.hops));
	destination->hop_count = 0;
	for (size_t i = 0; i < route->target_count; i++) {
		const struct route_target *target = &route->targets[i];

		if (lookup_is_static(target))
			put_hop(destination, &before, target, target->name, port_of(target));
		else
			put_found(destination, &before, target, lookup_found(&destination->lookup, i));
	}
	for (size_t i = 0; i < before.count; i++) {
		if (before.hops[i])
			let_go(destination, before.hops[i]);
	}
}

void destination_free_left_hops(struct destination *destination)
{
	LIST_EACH_SAFE(it, &destination->leaving)
	{
		struct hop *hop = LIST_ENTRY(it, struct hop, leaving_link);

		if (hop_is_idle(hop))
			hop_free(&hop);
	}
}
