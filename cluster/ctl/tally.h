/* tally: the whole queue in numbers, summed over the shards. */
#ifndef CTL_TALLY_H
#define CTL_TALLY_H

#include "session.h"
#include "skein/cluster/queue_view.h"

enum { TALLY_NODES_MAX = 1024 };

struct tally_node {
	struct node_uuid node;
	uint64_t owned;   /* messages it is at, all its incarnations together */
	uint64_t awaited; /* ends that its journal has not been told of */
};

struct tally {
	uint64_t states[QUEUE_STATES];
	uint64_t tombstones, facts;
	unsigned shards_in_grace;
	struct tally_node nodes[TALLY_NODES_MAX]; /* those that own or await something */
	size_t node_count;
};

WARN_UNUSED enum ctl_exit tally_load(struct tally *tally, struct session *session);
/* Zeros where there is nothing. */
struct tally_node tally_of_node(const struct tally *tally, const struct node_uuid *node);

#endif
