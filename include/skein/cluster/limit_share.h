/*
 * limit_share: a node's share of the limits, for when Redis does not answer: rate and burst divided by the
 * nodes that were alive when last seen, and at least one take at a time. One for all workers of a node.
 *
 * Bounded: a full table forgets the counter that has least to pay back. What is counted here is unknown to
 * Redis and the other way round: a limit is exceeded by up to one burst when Redis goes and by one when it
 * comes.
 */
#ifndef SKEIN_CLUSTER_LIMIT_SHARE_H
#define SKEIN_CLUSTER_LIMIT_SHARE_H

#include "skein/cluster/limit.h"
#include "skein/cluster/shared_lock.h"

struct limit_share;

struct limit_share_options {
	size_t counters_max; /* 1.. */
	uint64_t seed[2];    /* random */
	struct shared_lock lock;
};

struct limit_share *limit_share_new(const struct limit_share_options *options);
void limit_share_free(struct limit_share **share);

/* Nodes that were alive when last seen, ourselves included; 0 is taken as 1, which is also where it begins.
 */
void limit_share_set_nodes(struct limit_share *share, unsigned nodes);

/*
 * 0: all is taken. Otherwise nothing is, and *refused_out is the take that has to wait longest, for the time
 * returned. `now_us` is any clock that does not jump back.
 */
uint64_t limit_share_take(struct limit_share *share, const struct limit_take *takes, size_t count,
	uint64_t now_us, size_t *refused_out);
/*
 * True: all is taken, to be used in *wait_us_out, which is at most `ahead_us`. Otherwise nothing is;
 * *refused_out is the take that has to wait longest, and is asked again in *wait_us_out.
 */
bool limit_share_reserve(struct limit_share *share, const struct limit_take *takes, size_t count,
	uint64_t ahead_us, uint64_t now_us, size_t *refused_out, uint64_t *wait_us_out);
void limit_share_refund(
	struct limit_share *share, const struct limit_take *takes, size_t count, uint64_t now_us);

/* Takes of this cost that are owed; rounded up. */
uint64_t limit_share_used(struct limit_share *share, const struct limit_take *take, uint64_t now_us);

#endif
