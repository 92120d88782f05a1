/*
 * alert_facts: what the leader knows when it looks, and what of it alerts are about. Pure. Text is borrowed.
 */
#ifndef SKEIN_CLUSTER_ALERT_FACTS_H
#define SKEIN_CLUSTER_ALERT_FACTS_H

#include "skein/cluster/alert.h"
#include "skein/proto/base/arena.h"

/* What nodes count, summed up over the window. */
enum alert_counter {
	ALERT_COUNT_ACCEPTED,
	ALERT_COUNT_REJECTED,
	ALERT_COUNT_DELIVERED,
	ALERT_COUNT_DEFERRED,
	ALERT_COUNT_FAILED,
	ALERT_COUNT_EXPIRED,
	ALERT_COUNT_LOGINS_FAILED,
	ALERT_COUNT_DEGRADED,
	ALERT_COUNT_LOG_DROPPED,
	ALERT_COUNT_TRACK_LOST,
	ALERT_COUNT_LEADER_CHANGES, /* Redis counts them itself */
	ALERT_COUNTERS
};

const char *alert_counter_name(enum alert_counter counter);

struct alert_sender_facts {
	struct span name;
	uint64_t recent; /* messages in the last hour */
	uint64_t usual;  /* in an hour, so far */
};

struct alert_login {
	struct span who; /* "user NAME", "client ADDRESS" */
	uint64_t failures;
};

struct alert_certificate {
	struct span what; /* the file, or whose it is */
	int64_t ends_s;   /* unix */
};

/* Of a next hop, as a node saw it last. */
struct alert_hop_certificate {
	struct span host;
	int64_t ends_s, seen_s; /* unix */
};

enum {
	ALERT_HOPS_JUDGED = 100, /* certificates of next hops */
	/* A host may have servers with different ones: what was seen so long before the last look at it still
	   counts. */
	ALERT_HOP_MIXED_S = 3600,
};

enum alert_node_life { ALERT_NODE_ALIVE, ALERT_NODE_DEAD, ALERT_NODE_LEFT };

struct alert_node {
	struct span name;
	enum alert_node_life life;
	uint64_t policy, policy_refused; /* versions; refused 0: none */
	bool has_said;                   /* what follows is known */
	uint64_t disk_percent;           /* how near journal and disk are to where no mail is taken */
	const struct alert_certificate *certificates;
	size_t certificate_count;
	const struct alert_hop_certificate *hops;
	size_t hop_count;
};

struct alert_redis {
	bool evicts;  /* throws keys away when full */
	bool forgets; /* neither on disk nor on a replica */
	uint64_t replicas, replicas_wanted;
	uint64_t memory_used, memory_max; /* max 0: no bound */
};

struct alert_facts {
	uint64_t now_ms;
	uint64_t counters[ALERT_COUNTERS];
	const struct alert_sender_facts *senders;
	size_t sender_count;
	const struct alert_login *logins;
	size_t login_count;
	const struct alert_node *nodes;
	size_t node_count;
	uint64_t policy; /* the version that holds; 0: there is none */
	bool has_redis;
	struct alert_redis redis;
	bool has_queue;
	uint64_t queue_size, queue_oldest_ms; /* age; 0: nothing waits */
	bool has_dns;
	uint64_t dns_failing; /* domains */
};

/* One value of one alert about one subject. */
struct alert_value {
	enum alert alert;
	struct span subject, text; /* in the arena; of up to ALERT_SUBJECT_MAX, ALERT_TEXT_MAX bytes */
	uint64_t value;
};

struct alert_values {
	struct alert_value items[ALERT_FIRING_MAX];
	size_t count;
	size_t left_out;
};

/*
 * Values of all alerts that are on; where there are none of a subject, nothing is known to be wrong. Only
 * what fires or nearly does is asked for of senders and logins.
 */
void alert_judge(const struct alert_facts *facts, const struct alert_policy *policy, struct arena *arena,
	struct alert_values *values_out);

#endif
