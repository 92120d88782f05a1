/*
 * alert_post: the leader takes notices out of the outbox in Redis to their channels, for each channel one
 * after the other in their order; one leaves the outbox when its channel took it, when it is a day old, or
 * when nobody will ever take it. Also tries channels for skeinctl. All calls are for the loop's own thread.
 */
#ifndef NODE_ALERTS_ALERT_POST_H
#define NODE_ALERTS_ALERT_POST_H

#include "access/policy_slot.h"
#include "alerts/alert_send.h"
#include "skein/cluster/alert_store.h"
#include "skein/cluster/member.h"
#include "track/metrics.h"

struct alert_post;

/* All borrowed. */
struct alert_post_options {
	struct loop *loop;
	struct log *log;
	struct meter *meter;
	const struct settings *settings; /* of the start */
	struct redis_link *link;
	const struct member *member;
	struct policy_slot *policy;
	struct alert_sender *sender;
};

struct alert_post *alert_post_new(const struct alert_post_options *options);
/* After the link's connection is freed. Sets the pointer to NULL; NULL inside is fine. */
void alert_post_free(struct alert_post **post);

/* There are notices in the outbox. */
void alert_post_poke(struct alert_post *post);
/* Tries a channel, "" for all, and tells Redis what came of it. At most a few at a time; others are told so.
 */
void alert_post_try(struct alert_post *post, struct span id, struct span channel);

#endif
