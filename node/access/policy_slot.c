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
	mem_free(snapshot);
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
