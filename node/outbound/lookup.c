#include "outbound/lookup.h"

bool lookup_is_static(const struct route_target *target)
{
	return target->place == ROUTE_HOST && target->tls != ROUTE_TLS_DANE &&
	       target->tls != ROUTE_TLS_DANE_ONLY && target->tls != ROUTE_TLS_AUTO;
}

void lookup_init(struct lookup *lookup, const struct lookup_desk *desk, const struct route *route,
	struct span domain, lookup_fn *fn, void *arg)
{
	*lookup = (struct lookup){ .desk = desk, .route = route, .domain = domain, .fn = fn, .arg = arg };
	for (size_t i = 0; i < route->target_count; i++)
		lookup->targets[i].lookup = lookup;
}

void lookup_fini(struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->route->target_count; i++) {
		hops_cancel(&lookup->targets[i].search);
		dns_hops_free(&lookup->targets[i].found);
	}
}

static void on_found(void *arg, struct dns_hops *hops)
{
	struct lookup_target *target = arg;
	struct lookup *lookup = target->lookup;
	bool was_found = target->found && target->found->outcome == HOPS_FOUND;

	target->search = NULL;
	target->until_ms = loop_now_ms(lookup->desk->loop) + hops->keep_ms;
	/* An old answer is better than none. */
	if (hops->outcome == HOPS_TEMPORARY && was_found) {
		dns_hops_free(&hops);
	} else {
		dns_hops_free(&target->found);
		target->found = hops;
	}
	lookup->fn(lookup->arg);
}

static void ask(struct lookup *lookup, size_t i)
{
	const struct lookup_desk *desk = lookup->desk;
	const struct hops_request request = {
		.resolver = desk->resolver,
		.self = desk->self,
		.target = &lookup->route->targets[i],
		.domain = lookup->domain,
		.loop = desk->loop,
		.random = desk->random,
		.fn = on_found,
		.arg = &lookup->targets[i],
	};

	lookup->targets[i].search = hops_start(&request);
}

void lookup_refresh(struct lookup *lookup)
{
	uint64_t now_ms = loop_now_ms(lookup->desk->loop);

	for (size_t i = 0; i < lookup->route->target_count; i++) {
		const struct lookup_target *target = &lookup->targets[i];

		if (!lookup_is_static(&lookup->route->targets[i]) && !target->search &&
			(!target->found || now_ms >= target->until_ms))
			ask(lookup, i);
	}
}

bool lookup_is_pending(const struct lookup *lookup)
{
	for (size_t i = 0; i < lookup->route->target_count; i++) {
		const struct lookup_target *target = &lookup->targets[i];

		if (target->search && (!target->found || target->found->outcome != HOPS_FOUND))
			return true;
	}
	return false;
}

const struct dns_hops *lookup_found(const struct lookup *lookup, size_t target)
{
	const struct dns_hops *found = lookup->targets[target].found;

	return found && found->outcome == HOPS_FOUND ? found : NULL;
}

bool lookup_has_failed(const struct lookup *lookup, struct lookup_failure *failure_out)
{
	uint64_t now_ms = loop_now_ms(lookup->desk->loop);
	bool has_failed = false;

	if (lookup_is_pending(lookup))
		return false;
	for (size_t i = 0; i < lookup->route->target_count; i++) {
		const struct lookup_target *target = &lookup->targets[i];

		if (!target->found || target->found->outcome == HOPS_FOUND)
			return false;
		if (has_failed && target->found->outcome == HOPS_PERMANENT)
			continue;
		has_failed = true;
		*failure_out = (struct lookup_failure){
			.is_permanent = target->found->outcome == HOPS_PERMANENT,
			.enhanced = target->found->enhanced,
			.why = target->found->why,
			.again_ms = target->until_ms > now_ms ? target->until_ms - now_ms : 0,
		};
	}
	return has_failed;
}
