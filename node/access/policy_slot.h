/*
 * policy_slot: the policy that this node runs, where all threads find it and one puts a newer one in. Whoever
 * asks it holds a snapshot as long as it uses what a decision points to; the last one frees it.
 */
#ifndef NODE_ACCESS_POLICY_SLOT_H
#define NODE_ACCESS_POLICY_SLOT_H

#include "skein/cluster/policy.h"
#include "skein/cluster/policy_store.h"
#include "track/metrics.h"

#include <pthread.h>
#include <stdatomic.h>

struct policy_snapshot {
	const struct policy *policy;
	struct policy_version version; /* 0: from the settings */
	atomic_uint refs;
	/* metrics_name() of each route and limit, by number; behind the routes that of the settings. NULL:
	 * nobody has named them. */
	uint16_t *route_names, *limit_names;
};

/* Moves the policy in. */
struct policy_snapshot *policy_snapshot_new(struct policy *policy, struct policy_version version);
/* Any thread. Sets the pointer to NULL. */
void policy_snapshot_unref(struct policy_snapshot **snapshot);

/* How a node's own route.next_hops are named among routes. */
#define POLICY_SLOT_SETTINGS "settings"

/*
 * The number of a route, a limit in the metrics; METRIC_NAME_OTHER where nobody named them. A route that is
 * not the policy's is that of the settings.
 */
unsigned policy_snapshot_route_name(const struct policy_snapshot *snapshot, const struct route *route);
unsigned policy_snapshot_limit_name(const struct policy_snapshot *snapshot, const struct limit_rule *limit);

struct policy_slot {
	pthread_mutex_t lock;
	struct policy_snapshot *current; /* never NULL once set */
	struct metrics *metrics;         /* where names of what is put in are numbered; NULL: nowhere */
	_Atomic uint64_t refused;        /* a newer version that this node cannot run; 0: none */
	/* Told of each policy that is put in, by the thread that does it. NULL: nobody wants to know. */
	void (*on_change)(void *arg, const struct policy *policy);
	void *arg;
};

void policy_slot_init(struct policy_slot *slot);
void policy_slot_fini(struct policy_slot *slot);
/* Any thread. A new reference. */
struct policy_snapshot *policy_slot_get(struct policy_slot *slot);
/* Any thread. Moves a reference in, that nobody else has yet. */
void policy_slot_set(struct policy_slot *slot, struct policy_snapshot *snapshot);
/* Any thread. */
uint64_t policy_slot_version(struct policy_slot *slot);

#endif
