/*
 * alert_watch: the leader looks again and again (alerts.interval) at what the cluster has counted, judges it
 * by the policy, and writes what has changed to Redis, with the notices that are due: in one call, which
 * fails when another leader was faster. All calls are for the loop's own thread.
 */
#ifndef NODE_ALERTS_ALERT_WATCH_H
#define NODE_ALERTS_ALERT_WATCH_H

#include "alerts/alert_post.h"

struct alert_watch;

/* All borrowed. */
struct alert_watch_options {
	struct loop *loop;
	struct log *log;
	struct meter *meter;
	struct metrics *metrics;
	const struct settings *settings; /* of the start */
	struct redis_link *link;
	const struct member *member;
	struct policy_slot *policy;
	struct alert_post *post;
	struct node_uuid uuid;
};

struct alert_watch *alert_watch_new(const struct alert_watch_options *options);
/* After the link's connection is freed. Sets the pointer to NULL; NULL inside is fine. */
void alert_watch_free(struct alert_watch **watch);

#endif
