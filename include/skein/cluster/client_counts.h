/*
 * client_counts: how many connections a client has at once, in the whole cluster. One per node. A client is
 * an IPv4 address or an IPv6 /64.
 *
 * Nobody is asked at connect: each node reserves places for a client in Redis, those in use and its part of
 * what is free, and lets connections in up to that. What nodes reserve together never exceeds the limit. What
 * is not exact, and by how much:
 *
 * - a client that is new to a node gets limit / nodes places (at least 1) until Redis was heard, within
 *   CLIENT_COUNTS_REPORT_MS and a round trip: so much more may come in at each such node;
 * - free places move between nodes with their reports: a node may refuse for a few seconds while another
 *   still has some;
 * - without Redis for CLIENT_COUNTS_HEARD_MS, or when it has lost its data, each node has limit / nodes
 * places;
 * - what a dead node held is free after 10 s.
 */
#ifndef SKEIN_CLUSTER_CLIENT_COUNTS_H
#define SKEIN_CLUSTER_CLIENT_COUNTS_H

#include "skein/cluster/incarnation.h"
#include "skein/cluster/network.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/shared_lock.h"

struct client_counts;

enum {
	CLIENT_COUNTS_REPORT_MS = 200,
	CLIENT_COUNTS_REFRESH_MS = 1000, /* every client is reported at least so often */
	CLIENT_COUNTS_HEARD_MS = 10000,
};

struct client_counts *client_counts_new(const uint64_t seed[2], const struct shared_lock *lock);
/* No connection is counted any more, and the link has ended its calls. */
void client_counts_free(struct client_counts **counts);

/* Epoch 0: not in a cluster (yet). `nodes`: alive when last seen, ourselves included. */
void client_counts_set_self(struct client_counts *counts, const struct incarnation *self, unsigned nodes);

/* False: it has as many as it may. Each true wants a client_counts_leave(). `limit` >= 1. */
bool client_counts_enter(
	struct client_counts *counts, const struct network *address, uint64_t limit, uint64_t now_ms);
void client_counts_leave(struct client_counts *counts, const struct network *address);

/* Reports what has changed. By the thread of the link; returns when it wants to be called again. */
uint64_t client_counts_tick(struct client_counts *counts, struct redis_link *link, uint64_t now_ms);

#endif
