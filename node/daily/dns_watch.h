/*
 * dns_watch: the leader looks again and again (dns_watch.interval) at what the domains publish that the
 * cluster sends for, as skeinctl dns check does, and tells in the log what has changed since the last time.
 * What was found, and when, is in Redis (daily_store.h), so that another leader goes on from there; a run
 * that a leader does not come to the end of is done again. All calls are for the loop's own thread.
 */
#ifndef NODE_DAILY_DNS_WATCH_H
#define NODE_DAILY_DNS_WATCH_H

#include "access/policy_slot.h"
#include "config/settings.h"
#include "io/loop.h"
#include "outbound/signing_set.h"
#include "skein/cluster/member.h"
#include "track/metrics.h"

struct dns_watch;
struct fetcher;
struct resolver;

/* All borrowed. */
struct dns_watch_options {
	struct loop *loop;
	struct log *log;
	struct meter *meter;
	const struct settings *settings; /* of the start */
	struct redis_link *link;
	const struct member *member;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct policy_slot *policy;
	struct signing_slot *signing;
};

struct dns_watch *dns_watch_new(const struct dns_watch_options *options);
/* After the link's connection is freed. Sets the pointer to NULL; NULL inside is fine. */
void dns_watch_free(struct dns_watch **watch);

#endif
