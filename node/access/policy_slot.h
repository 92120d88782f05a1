/*
 * policy_slot: the policy that this node runs, where all threads find it and one puts a newer one in. Whoever
 * asks it holds a snapshot as long as it uses what a decision points to; the last one frees it.
 */
#ifndef NODE_ACCESS_POLICY_SLOT_H
#define NODE_ACCESS_POLICY_SLOT_H

#include "skein/cluster/policy.h"
#include "skein/cluster/policy_store.h"

#include <pthread.h>
#include <stdatomic.h>

struct policy_snapshot {
	const struct policy *policy;
	struct policy_version version; /* 0: from the settings */
	atomic_uint refs;
};

/* Moves the policy in. */
struct policy_snapshot *policy_snapshot_new(struct policy *policy, struct policy_version version);
/* Any thread. Sets the pointer to NULL. */
void policy_snapshot_unref(struct policy_snapshot **snapshot);

struct policy_slot {
	pthread_mutex_t lock;
	struct policy_snapshot *current; /* never NULL once set */
	_Atomic uint64_t refused;        /* a newer version that this node cannot run; 0: none */
	/* Told of each policy that is put in, by the thread that does it. NULL: nobody wants to know. */
	void (*on_change)(void *arg, const struct policy *policy);
	void *arg;
};

void policy_slot_init(struct policy_slot *slot);
void policy_slot_fini(struct policy_slot *slot);
/* Any thread. A new reference. */
struct policy_snapshot *policy_slot_get(struct policy_slot *slot);
/* Any thread. Moves a reference in. */
void policy_slot_set(struct policy_slot *slot, struct policy_snapshot *snapshot);
/* Any thread. */
uint64_t policy_slot_version(struct policy_slot *slot);

#endif
