/*
 * member: this node's place in the cluster, as a pure machine over one Redis link: its incarnation (epoch),
 * its lease, and, while it is the leader, the death of others and the sweep of what they owned (protocol.md:
 * register, renew, settled, kill, lead, sweep, trim, repair). Time is handed in: milliseconds of a clock that
 * counts a suspended machine (CLOCK_BOOTTIME).
 *
 * The lease is a counter in Redis, judged by whoever leads by its own clock. We trust it from the moment of
 * *sending* the last renewal that succeeded, for ttl - margin. Nothing that Redis says we own is delivered
 * past that.
 *
 * A new epoch is born in three steps: Redis grants it; the owner makes it durable (on_granted, then
 * member_epoch_is_durable()); every worker adopts what it carries on with and reports (on_lease, then
 * member_switched()), after which everything older of this node may be swept.
 */
#ifndef SKEIN_CLUSTER_MEMBER_H
#define SKEIN_CLUSTER_MEMBER_H

#include "skein/cluster/incarnation.h"
#include "skein/cluster/redis_link.h"

struct member;

enum { MEMBER_LIVING_MAX = 32, GENERATION_LEN = 40, MEMBER_CLUSTER_ID_MAX = 64 };

struct member_options {
	struct node_uuid uuid;
	const char *name, *host; /* host: what says that a spool was not cloned, such as the machine id */
	const char *address, *admin_address, *version;
	const char *cluster_id; /* to give to a cluster that is new; random text */
	uint64_t epoch;         /* the highest ever used, from the spool */
	uint64_t ttl_ms, renew_ms, margin_ms;
	unsigned shards;        /* for a cluster that is new; an existing one must have as many */
	uint64_t wait_max_ms;   /* a due time further away is wrong (a clock jumped): longest retry step */
	unsigned takeovers_max; /* a message moved more often after crashes is quarantined */
};

/* What workers need to know of the lease; a copy is sent to them whenever it changes. */
struct lease {
	uint64_t epoch;                      /* 0: none yet */
	uint64_t trust_until_ms;             /* 0: not trusted */
	char generation[GENERATION_LEN + 1]; /* the Redis it was granted by */
	struct node_uuid
		living[MEMBER_LIVING_MAX]; /* see queue_asserted(); none: who lives is not known yet */
	size_t living_count;
};

struct member_owner {
	void *ctx;
	void (*on_granted)(void *ctx, uint64_t epoch);
	void (*on_lease)(void *ctx, const struct lease *lease);
	/* Another living node has our name, or another host our spool: `why` names the cure. Tried again
	 * later. */
	void (*on_refused)(void *ctx, const char *why);
	void (*on_leader)(void *ctx, bool leads);
	/* A node was declared dead by us; its mail moves on. */
	void (*on_death)(void *ctx, const struct incarnation *node);
	void (*on_swept)(void *ctx, unsigned moved, unsigned quarantined);
	/* The administrator wants this node to hand its mail over, or no longer. */
	void (*on_drain)(void *ctx, bool drain);
};

/* Strings in `options` are borrowed for the member's life. */
struct member *member_new(
	const struct member_options *options, struct redis_link *link, const struct member_owner *owner);
void member_free(struct member **member);

void member_link_ready(struct member *member, uint64_t now_ms);
void member_link_lost(struct member *member, uint64_t now_ms);
/* Does what is due; returns when it wants to be called again at the latest. */
uint64_t member_tick(struct member *member, uint64_t now_ms);

void member_epoch_is_durable(struct member *member, uint64_t epoch, uint64_t now_ms);
/* All workers carry on under `epoch`. Ignored for one that is no longer ours. */
void member_switched(struct member *member, uint64_t epoch, uint64_t now_ms);
/* A worker was told FENCED: trust ends now and a new epoch is asked for. `fence` as told, or 0. */
void member_fenced(struct member *member, uint64_t epoch, uint64_t fence, uint64_t now_ms);
/* For renew: what others may want to know of us; borrowed until the next call. JSON. */
void member_set_load(struct member *member, const char *load);

const struct lease *member_lease(const struct member *member);
/* Our lease's counter as Redis last told it: for a goodbye (registry_kill). */
uint64_t member_counter(const struct member *member);
bool member_is_leader(const struct member *member);
/* Nodes alive when last seen, ourselves included; 0 when never seen. */
unsigned member_nodes_alive(const struct member *member);
/* Of these, those that come before us by name. */
unsigned member_nodes_before(const struct member *member);

#endif
