/*
 * registry: the cluster's list of nodes, its leases and its leader, as typed calls over one redis_link. The
 * rules for the calls are those of queue.h.
 *
 * A lease is a counter that its node raises; nothing in Redis expires. Whether a counter stands still is
 * judged by the reader, by its own clock.
 */
#ifndef SKEIN_CLUSTER_REGISTRY_H
#define SKEIN_CLUSTER_REGISTRY_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	REGISTRY_FORMAT = 1, /* of everything in Redis */
	REGISTRY_TEXT_MAX = 255,
	REGISTRY_LOAD_MAX = 4096,
	REGISTRY_NODES_MAX = 1024,
};

typedef void registry_outcome_fn(void *arg, const struct outcome *outcome);

/*
 * Which cluster this is; the first node makes it. `cluster_id` is the caller's known one, else random text.
 * OK with what holds; REFUSED FORMAT, or CLUSTER if `must_match` and the id is another.
 */
struct registry_open {
	struct span cluster_id; /* 1..REGISTRY_TEXT_MAX */
	bool must_match;
	unsigned shards; /* used if the cluster is new */
};
struct registry_cluster {
	struct span cluster_id;
	unsigned shards;
	unsigned format;
	uint64_t last_write_ago_ms; /* the last renewal of any node; 0 if there was none. After a failover:
				       how far Redis went back */
};
typedef void registry_open_fn(
	void *arg, const struct outcome *outcome, const struct registry_cluster *cluster);
bool registry_open(struct redis_link *link, const struct registry_open *args, uint64_t now_ms,
	registry_open_fn *fn, void *arg);

/*
 * A new incarnation: OK with its epoch, higher than Redis' clock in µs, `last_epoch`, the registered one and
 * `told_fence`. The epoch is made durable in the spool before its first use. REFUSED NAME, HOST, FORGOTTEN.
 * Waits for replicas.
 */
struct registry_register {
	struct node_uuid node;
	struct span name, host; /* host: compared only; machine id, or what proves the old process gone */
	struct span address, admin, version; /* shown */
	uint64_t last_epoch;
	uint64_t told_fence; /* of the last FENCED, else 0 */
};
typedef void registry_epoch_fn(void *arg, const struct outcome *outcome, uint64_t epoch);
bool registry_register(struct redis_link *link, const struct registry_register *args, uint64_t now_ms,
	registry_epoch_fn *fn, void *arg);

/*
 * OK: the lease is good, from the moment of sending. FENCED: dead or replaced, for ever; register.
 * UNREPLICATED does not count as a renewal where replicas exist. Waits for replicas.
 */
struct registry_renew {
	struct incarnation node;
	struct span load; /* opaque, shown; empty: as it was. <= REGISTRY_LOAD_MAX */
};
struct registry_renewed {
	uint64_t counter;
	bool drain; /* an operator wants this node drained */
};
typedef void registry_renew_fn(
	void *arg, const struct outcome *outcome, const struct registry_renewed *renewed);
bool registry_renew(struct redis_link *link, const struct registry_renew *args, uint64_t now_ms,
	registry_renew_fn *fn, void *arg);

/* Ends a lease for ever if its counter is still the one seen: OK (again OK). ALIVE. `left`: the node said
 * goodbye itself. */
struct registry_kill {
	struct incarnation node;
	uint64_t counter;
	bool left;
};
bool registry_kill(struct redis_link *link, const struct registry_kill *args, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg);

/* Everything that goes on is adopted: the node's older epochs may be swept. OK, FENCED. Waits for replicas.
 */
bool registry_settled(struct redis_link *link, const struct incarnation *node, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg);

/*
 * Leads on, takes an empty place, or takes the place of a leader whose counter stood still. OK: the caller
 * leads. NOT: another does, see `leader`. FENCED: the caller's lease is gone.
 */
struct registry_lead {
	struct incarnation node;
	struct incarnation stale; /* the leader that may be replaced, if its counter is still stale_counter;
				     epoch 0: none */
	uint64_t stale_counter;
};
struct registry_leader {
	struct incarnation node; /* epoch 0: none */
	uint64_t counter;
};
typedef void registry_lead_fn(void *arg, const struct outcome *outcome, const struct registry_leader *leader);
bool registry_lead(struct redis_link *link, const struct registry_lead *args, uint64_t now_ms,
	registry_lead_fn *fn, void *arg);

/* A dead node never returns: OK; ALIVE; GONE: no such node. Shards follow with the next sweep. */
bool registry_forget(struct redis_link *link, const struct node_uuid *node, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg);

/* Asks a node to drain, or no longer; it hears with its next renewal. Outlives restarts of the node. OK;
 * GONE: no such node. */
struct registry_drain {
	struct node_uuid node;
	bool drain;
};
bool registry_drain(struct redis_link *link, const struct registry_drain *args, uint64_t now_ms,
	registry_outcome_fn *fn, void *arg);

enum registry_state { NODE_ALIVE, NODE_DEAD, NODE_LEFT, NODE_FORGOTTEN };

struct registry_node {
	struct node_uuid node;
	struct span name, host, address, admin, version, load;
	uint64_t epoch;
	uint64_t counter;
	uint64_t floor; /* what queue_sweep() is to be told: the epoch itself once it is dead */
	enum registry_state state;
	bool drain;
};
struct registry_view {
	const struct registry_node *nodes; /* by name */
	size_t count;
	struct registry_leader leader;
};
/* All nodes, dead and forgotten ones too, and the leader. */
typedef void registry_nodes_fn(void *arg, const struct outcome *outcome, const struct registry_view *view);
bool registry_nodes(struct redis_link *link, uint64_t now_ms, registry_nodes_fn *fn, void *arg);

#endif
