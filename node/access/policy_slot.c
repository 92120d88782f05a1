#include "access/policy_slot.h"

#include "skein/proto/base/alloc.h"

struct policy_snapshot *policy_snapshot_new(struct policy *policy, struct policy_version version)
{
	struct policy_snapshot *snapshot = mem_zalloc(sizeof(*snapshot));

	snapshot->policy = policy;
	snapshot->version = version;
	atomic_init(&snapshot->refs, 1);
	return snapshot;
}

void policy_snapshot_unref(struct policy_snapshot **snapshot_ptr)
{
	struct policy_snapshot *snapshot = *snapshot_ptr;
	struct policy *policy;

	*snapshot_ptr = NULL;
	if (!snapshot || atomic_fetch_sub(&snapshot->refs, 1) != 1)
		return;
	policy = (struct policy *)(uintptr_t)snapshot->policy;
	policy_free(&policy);
	mem_free(snapshot->route_names);
	mem_free(snapshot->limit_names);
	mem_free(snapshot);
}

static void name_routes(struct policy_snapshot *snapshot, struct metrics *metrics)
{
	size_t count = policy_route_count(snapshot->policy);

	snapshot->route_names = mem_zalloc((count + 1) * sizeof(uint16_t));
	for (size_t i = 0; i < count; i++)
		snapshot->route_names[i] = (uint16_t)metrics_name(
			metrics, METRIC_NAMES_ROUTE, policy_route(snapshot->policy, i)->name);
	snapshot->route_names[count] =
		(uint16_t)metrics_name(metrics, METRIC_NAMES_ROUTE, POLICY_SLOT_SETTINGS);
}

static void name_limits(struct policy_snapshot *snapshot, struct metrics *metrics)
{
	size_t count;
	const struct limit_rule *limits = policy_limits(snapshot->policy, &count);

	snapshot->limit_names = mem_zalloc((count + 1) * sizeof(uint16_t));
	for (size_t i = 0; i < count; i++)
		snapshot->limit_names[i] =
			(uint16_t)metrics_name(metrics, METRIC_NAMES_LIMIT, limits[i].name);
}

unsigned policy_snapshot_route_name(const struct policy_snapshot *snapshot, const struct route *route)
{
	size_t count = policy_route_count(snapshot->policy);

	if (!snapshot->route_names)
		return METRIC_NAME_OTHER;
	return snapshot->route_names[route->number < count ? route->number : count];
}

unsigned policy_snapshot_limit_name(const struct policy_snapshot *snapshot, const struct limit_rule *limit)
{
	size_t count;
	const struct limit_rule *limits = policy_limits(snapshot->policy, &count);

	if (!snapshot->limit_names)
		return METRIC_NAME_OTHER;
	CHECK(limit >= limits && limit < limits + count);
	return snapshot->limit_names[limit - limits];
}

void policy_slot_init(struct policy_slot *slot)
{
	*slot = (struct policy_slot){ .current = NULL };
	CHECK(pthread_mutex_init(&slot->lock, NULL) == 0);
}

void policy_slot_fini(struct policy_slot *slot)
{
	policy_snapshot_unref(&slot->current);
	pthread_mutex_destroy(&slot->lock);
}

struct policy_snapshot *policy_slot_get(struct policy_slot *slot)
{
	struct policy_snapshot *snapshot;

	pthread_mutex_lock(&slot->lock);
	snapshot = slot->current;
	atomic_fetch_add(&snapshot->refs, 1);
	pthread_mutex_unlock(&slot->lock);
	return snapshot;
}

void policy_slot_set(struct policy_slot *slot, struct policy_snapshot *snapshot)
{
	struct policy_snapshot *old;

	if (slot->metrics) {
		name_routes(snapshot, slot->metrics);
		name_limits(snapshot, slot->metrics);
	}
	pthread_mutex_lock(&slot->lock);
	old = slot->current;
	slot->current = snapshot;
	pthread_mutex_unlock(&slot->lock);
	if (slot->on_change)
		slot->on_change(slot->arg, snapshot->policy);
	policy_snapshot_unref(&old);
}

uint64_t policy_slot_version(struct policy_slot *slot)
{
	uint64_t number;

	pthread_mutex_lock(&slot->lock);
	number = slot->current ? slot->current->version.number : 0;
	pthread_mutex_unlock(&slot->lock);
	return number;
}
