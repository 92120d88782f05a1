/*
 * slot_share: a node's part of the slots of a route, for when Redis does not answer: the whole part of most /
 * nodes, and what remains goes one by one to the first nodes in the order of their names. So all nodes
 * together never have more than the cluster may; a node beyond the remainder may have none. One for all
 * workers of a node; it counts their slots at any time.
 */
#ifndef SKEIN_CLUSTER_SLOT_SHARE_H
#define SKEIN_CLUSTER_SLOT_SHARE_H

#include "skein/cluster/shared_lock.h"
#include "skein/proto/base/span.h"

struct slot_share;

struct slot_share_options {
	uint64_t seed[2]; /* random */
	struct shared_lock lock;
};

struct slot_share *slot_share_new(const struct slot_share_options *options);
/* Nothing is counted any more. */
void slot_share_free(struct slot_share **share);

/*
 * Nodes that were alive when last seen, ourselves included, and how many of these come before us by name. It
 * begins with us alone; no nodes at all is taken as that.
 */
void slot_share_set_nodes(struct slot_share *share, unsigned nodes, unsigned rank);
uint64_t slot_share_part(struct slot_share *share, uint64_t most);

/* False: the node has its part already, and nothing is counted. */
bool slot_share_take(struct slot_share *share, struct span route, uint64_t most);
/* Counts one that Redis has granted. */
void slot_share_add(struct slot_share *share, struct span route);
/* A worker has none and cannot have one: another of the node is told to yield. To be said again while it is
 * so. */
void slot_share_want(struct slot_share *share, struct span route);
/* True: the node has more than its part, or a worker has none, and the caller gives one back soon; it says so
 * once for each slot. */
bool slot_share_yield(struct slot_share *share, struct span route, uint64_t most);
void slot_share_remove(struct slot_share *share, struct span route, bool is_yielding);

#endif
