/*
 * throttle: what all workers of a node share to hold clients back: this node's shares of the limits, what is
 * known of those who guess passwords, and this node's part of each client's connections. Workers ask those
 * three themselves, each with a Redis link of its own; all calls here are the main thread's.
 */
#ifndef NODE_ACCESS_THROTTLE_H
#define NODE_ACCESS_THROTTLE_H

#include "auth/directory.h"
#include "io/loop.h"
#include "skein/cluster/client_counts.h"
#include "skein/cluster/guard.h"
#include "skein/cluster/policy.h"
#include "track/metrics.h"

struct throttle {
	struct limit_share *share;
	struct guard *guard;
	struct client_counts *clients;

	/* The main thread's. */
	pthread_mutex_t locks[3]; /* of those above */
	struct loop *loop;        /* NULL: not started */
	struct redis_link *link;  /* NULL: standalone */
	struct meter *meter;
	struct loop_timer timer;
	struct guard_stats seen; /* what the metrics know */
	struct abuse_rules rules;
	struct network exempt[POLICY_EXEMPT_MAX];
	size_t exempt_count;
};

struct throttle_options {
	size_t counters_max; /* of limits; of failed logins, as many again */
	size_t bans_max;
	bool has_domain; /* accounts may be locked: until throttle_set_lockout() a strict rule is assumed */
	struct meter *meter;
};

void throttle_init(struct throttle *throttle, const struct throttle_options *options);
/* Stopped; no connection is counted any more, nothing is asked. */
void throttle_fini(struct throttle *throttle);

/* Begins the upkeep. `link` is the loop's; NULL: standalone. */
void throttle_start(struct throttle *throttle, struct loop *loop, struct redis_link *link);
void throttle_stop(struct throttle *throttle);
void throttle_link_lost(struct throttle *throttle);

/* What the policy says about wrong passwords, from now on. */
void throttle_set_abuse(struct throttle *throttle, const struct policy_abuse *abuse);
/* What the domain does about them. */
void throttle_set_lockout(struct throttle *throttle, const struct directory_lockout *lockout);
/* Who we are in the cluster, and how many nodes are alive, ourselves included. */
void throttle_set_cluster(struct throttle *throttle, const struct incarnation *self, unsigned nodes);

#endif
