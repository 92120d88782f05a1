/*
 * Happy path: ask → slot_store_hold → reply → granted. One call is under way at a time, about all routes that
 * are due; what changes meanwhile makes its route due again. A route stays until Redis knows that nothing is
 * wanted.
 */
#include "skein/cluster/slots.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/table.h"

struct slot_route {
	struct list link;          /* in `all` */
	struct list held, waiting; /* slots; those that wait: first come, first served */
	uint64_t held_count, waiting_count;
	uint64_t most;
	uint64_t granted;        /* by Redis, while trusted */
	uint64_t told;           /* wanted, as Redis was told last */
	uint64_t trust_until_ms; /* 0: never granted */
	uint64_t due_ms;         /* of the next call */
	uint64_t waits_since_ms; /* while one waits */
	uint64_t yield;          /* to be told to that many slots */
	uint64_t yielding;       /* slots that were told, for Redis' sake */
	uint64_t returned;       /* of these, given back while a call is under way, which counts them */
	bool is_asking;          /* in the call that is under way */
	size_t name_len;
	char name[];
};

struct slots {
	struct redis_link *link;
	struct slot_share *share;
	char holder[SLOT_HOLDER_MAX];
	size_t holder_len;
	struct table routes;
	struct list all; /* of them: callbacks may add one during a walk */
	uint64_t now_ms, heard_ms, sent_ms;
	bool is_calling;
	struct slot_route *asked[SLOT_ASKS_MAX]; /* by the call under way */
	size_t asked_count;
	struct slots_stats stats;
};

struct slots *slots_new(
	struct redis_link *link, struct slot_share *share, struct span holder, const uint64_t seed[2])
{
	struct slots *slots = mem_zalloc(sizeof(*slots));

	CHECK(holder.len > 0 && holder.len <= SLOT_HOLDER_MAX);
	slots->link = link;
	slots->share = share;
	slots->holder_len = holder.len;
	memcpy(slots->holder, holder.ptr, holder.len);
	table_init(&slots->routes, seed);
	list_init(&slots->all);
	return slots;
}

void slots_free(struct slots **slots)
{
	struct slot_route *route;
	size_t cursor = 0;

	CHECK(!(*slots)->is_calling);
	while ((route = table_next(&(*slots)->routes, &cursor))) {
		CHECK(route->held_count == 0 && route->waiting_count == 0);
		mem_free(route);
	}
	table_fini(&(*slots)->routes);
	mem_free(*slots);
	*slots = NULL;
}

void slot_init(struct slot *slot)
{
	*slot = (struct slot){ .route = NULL };
	list_init(&slot->link);
}

static struct span name_of(const struct slot_route *route)
{
	return span_of(route->name, route->name_len);
}

static struct slot_route *find_or_make(struct slots *slots, struct span name)
{
	struct slot_route *route = table_get(&slots->routes, name);

	if (route)
		return route;
	CHECK(name.len > 0 && name.len <= SLOT_ROUTE_MAX);
	route = mem_zalloc(sizeof(*route) + name.len);
	route->name_len = name.len;
	memcpy(route->name, name.ptr, name.len);
	route->due_ms = UINT64_MAX;
	list_init(&route->held);
	list_init(&route->waiting);
	table_put(&slots->routes, name_of(route), route);
	list_push_back(&slots->all, &route->link);
	return route;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* Never more than there can be: others would yield for nothing. */
static uint64_t wanted(const struct slot_route *route)
{
	uint64_t possible = min_u64(route->held_count + route->waiting_count, route->most);

	return possible > route->held_count ? possible : route->held_count;
}

/* ---- who may have one ---- */

/* Nothing is known from Redis, and nothing is to be expected: the node's part decides. */
static bool is_alone(const struct slots *slots, const struct slot_route *route)
{
	uint64_t now_ms = slots->now_ms;

	if (now_ms < route->trust_until_ms || (slots->heard_ms && now_ms - slots->heard_ms < SLOTS_TTL_MS))
		return false;
	return !redis_link_is_ready(slots->link) || now_ms - route->waits_since_ms >= SLOTS_DEADLINE_MS;
}

static bool take(struct slots *slots, struct slot_route *route)
{
	/* The answer that is under way may leave no more than was asked for. */
	uint64_t granted = route->is_asking ? min_u64(route->granted, route->told) : route->granted;

	if (slots->now_ms < route->trust_until_ms) {
		if (route->held_count >= granted)
			return false;
		slot_share_add(slots->share, name_of(route));
	} else {
		if (!is_alone(slots, route))
			return false;
		if (!slot_share_take(slots->share, name_of(route), route->most)) {
			if (route->held_count == 0)
				slot_share_want(slots->share, name_of(route));
			return false;
		}
		slots->stats.by_share++;
	}
	slots->stats.granted++;
	return true;
}

static void make_held(struct slot_route *route, struct slot *slot)
{
	slot->is_held = true;
	list_push_back(&route->held, &slot->link);
	route->held_count++;
}

/* A callback may ask for more, and release. */
static void serve(struct slots *slots, struct slot_route *route)
{
	while (route->waiting_count > 0 && take(slots, route)) {
		struct slot *slot = LIST_FIRST(&route->waiting, struct slot, link);

		list_remove(&slot->link);
		route->waiting_count--;
		make_held(route, slot);
		slot->fn(slot->arg);
	}
}

/* ---- calls ---- */

static void pump(struct slots *slots);

static void take_answer(struct slots *slots, struct slot_route *route, const struct slot_grant *grant)
{
	route->is_asking = false;
	/* Else something has changed meanwhile. */
	if (route->due_ms == UINT64_MAX)
		route->due_ms = slots->now_ms + (route->waiting_count ? SLOTS_AGAIN_MS : SLOTS_RENEW_MS);
	if (!grant)
		return;
	route->granted = grant->count - min_u64(grant->count, route->returned);
	route->trust_until_ms = slots->sent_ms + SLOTS_TTL_MS - SLOTS_MARGIN_MS;
	route->yield = grant->yield - min_u64(grant->yield, route->yielding + route->returned);
	if (wanted(route) == 0 && route->told == 0)
		route->due_ms = UINT64_MAX;
}

static void on_held(void *arg, const struct outcome *outcome, const struct slot_grant *grants, size_t count)
{
	struct slots *slots = arg;
	bool is_good = outcome_is_ok(outcome) && count == slots->asked_count;

	slots->is_calling = false;
	slots->stats.failed += !is_good;
	if (is_good)
		slots->heard_ms = slots->sent_ms;
	for (size_t i = 0; i < slots->asked_count; i++)
		take_answer(slots, slots->asked[i], is_good ? &grants[i] : NULL);
	/* A callback may make the next call: it waits until all are served. */
	slots->is_calling = true;
	for (size_t i = 0; i < slots->asked_count; i++)
		serve(slots, slots->asked[i]);
	slots->is_calling = false;
	pump(slots);
}

static void ask_for(struct slots *slots, struct slot_route *route, struct slot_ask *ask)
{
	*ask = (struct slot_ask){ name_of(route), wanted(route), route->held_count, route->most };
	slots->asked[slots->asked_count++] = route;
	route->told = ask->wants;
	route->returned = 0;
	route->is_asking = true;
	route->due_ms = UINT64_MAX;
}

/* What is due goes out in one call. */
static void pump(struct slots *slots)
{
	struct slot_ask asks[SLOT_ASKS_MAX];

	if (slots->is_calling || !redis_link_is_ready(slots->link))
		return;
	slots->asked_count = 0;
	LIST_EACH(node, &slots->all)
	{
		struct slot_route *route = LIST_ENTRY(node, struct slot_route, link);

		if (slots->asked_count < SLOT_ASKS_MAX && route->due_ms <= slots->now_ms)
			ask_for(slots, route, &asks[slots->asked_count]);
	}
	if (slots->asked_count == 0)
		return;
	slots->is_calling = true;
	slots->sent_ms = slots->now_ms;
	slots->stats.calls++;
	CHECK(slot_store_hold(slots->link, span_of(slots->holder, slots->holder_len), SLOTS_TTL_MS, asks,
		slots->asked_count, slots->now_ms, on_held, slots));
}

/* ---- for connections ---- */

bool slots_ask(struct slots *slots, struct slot *slot, struct span name, uint64_t most, uint64_t now_ms,
	slot_granted_fn *fn, void *arg)
{
	struct slot_route *route = find_or_make(slots, name);

	CHECK(!slot->route && most > 0);
	slots->now_ms = now_ms;
	slot->route = route;
	slot->fn = fn;
	slot->arg = arg;
	route->most = most;
	if (route->waiting_count == 0)
		route->waits_since_ms = now_ms;
	if (route->waiting_count == 0 && take(slots, route)) {
		make_held(route, slot);
		route->due_ms = min_u64(route->due_ms, now_ms + SLOTS_RENEW_MS);
		return true;
	}
	list_push_back(&route->waiting, &slot->link);
	route->waiting_count++;
	route->due_ms = now_ms;
	pump(slots);
	return false;
}

void slots_release(struct slots *slots, struct slot *slot, uint64_t now_ms)
{
	struct slot_route *route = slot->route;
	bool is_anothers = slot->is_yielding_part;

	if (!route)
		return;
	slots->now_ms = now_ms;
	list_remove(&slot->link);
	if (slot->is_held) {
		route->held_count--;
		route->yielding -= slot->is_yielding;
		slot_share_remove(slots->share, name_of(route), slot->is_yielding_part);
	} else {
		route->waiting_count--;
	}
	/* One that has to be given back is not for our own next one. */
	if (slot->is_yielding) {
		route->granted = min_u64(route->granted, route->held_count);
		route->returned++;
	}
	slot_init(slot);
	route->due_ms = now_ms;
	/* Else whoever wants it had no time to look. */
	if (!is_anothers)
		serve(slots, route);
	pump(slots);
}

bool slots_should_yield(struct slots *slots, struct slot *slot, uint64_t now_ms)
{
	struct slot_route *route = slot->route;

	CHECK(slot->is_held);
	slots->now_ms = now_ms;
	if (slot->is_yielding || slot->is_yielding_part)
		return true;
	if (now_ms < route->trust_until_ms) {
		if (route->yield == 0)
			return false;
		route->yield--;
		route->yielding++;
		slot->is_yielding = true;
	} else {
		route->yield = 0;
		slot->is_yielding_part = slot_share_yield(slots->share, name_of(route), route->most);
	}
	slots->stats.yielded += slot->is_yielding || slot->is_yielding_part;
	return slot->is_yielding || slot->is_yielding_part;
}

/* ---- upkeep ---- */

static bool is_unused(const struct slot_route *route)
{
	return route->held_count == 0 && route->waiting_count == 0 && route->told == 0 && !route->is_asking;
}

uint64_t slots_tick(struct slots *slots, uint64_t now_ms)
{
	slots->now_ms = now_ms;
	LIST_EACH_SAFE(node, &slots->all)
	{
		struct slot_route *route = LIST_ENTRY(node, struct slot_route, link);

		if (!is_unused(route))
			continue;
		table_remove(&slots->routes, name_of(route));
		list_remove(node);
		mem_free(route);
	}
	pump(slots);
	/* Without Redis: another worker of this node may have given one back. */
	LIST_EACH(node, &slots->all)
	serve(slots, LIST_ENTRY(node, struct slot_route, link));
	return list_is_empty(&slots->all) ? UINT64_MAX : now_ms + SLOTS_AGAIN_MS;
}

struct slots_stats slots_stats(const struct slots *slots)
{
	struct slots_stats stats = slots->stats;

	LIST_EACH(node, &slots->all)
	{
		const struct slot_route *route = LIST_ENTRY(node, struct slot_route, link);

		stats.held += route->held_count;
		stats.waiting += route->waiting_count;
	}
	return stats;
}
