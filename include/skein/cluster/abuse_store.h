/*
 * abuse_store: wrong passwords and bans in Redis, as typed calls over one redis_link. The rules for the calls
 * are those of queue.h. guard.h decides with these; skeinctl lists and changes bans with them.
 */
#ifndef SKEIN_CLUSTER_ABUSE_STORE_H
#define SKEIN_CLUSTER_ABUSE_STORE_H

#include "skein/cluster/abuse.h"
#include "skein/cluster/network.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	ABUSE_ACCOUNT_MAX = 256,
	ABUSE_TOKEN_MAX = 48,
	BAN_BY_MAX = 200,  /* without blanks */
	BAN_WHY_MAX = 200, /* one line */
};

struct abuse_attempt {
	struct span account; /* 1..ABUSE_ACCOUNT_MAX bytes, compared as they are */
	struct span token;   /* of this attempt alone */
};

/* OK: `answer`; a stop ends in `wait_ms`. ASK: an end must be told, or it fails by itself in `pending_ms`. */
typedef void abuse_attempt_fn(
	void *arg, const struct outcome *outcome, enum abuse_answer answer, uint64_t wait_ms);
bool abuse_store_attempt(struct redis_link *link, const struct abuse_attempt *attempt, unsigned stop,
	uint64_t window_ms, uint64_t pending_ms, uint64_t now_ms, abuse_attempt_fn *fn, void *arg);

/* Not a failure: the directory was not asked, or the password was right. `fn` may be NULL. */
typedef void abuse_outcome_fn(void *arg, const struct outcome *outcome);
bool abuse_store_ended(struct redis_link *link, const struct abuse_attempt *attempt,
	const struct network *address, bool is_proven, uint64_t now_ms, abuse_outcome_fn *fn, void *arg);

struct abuse_failure {
	struct abuse_attempt attempt; /* an empty token: the account does not count it */
	struct network address;
	bool counts_address; /* and its network; false for an exempt one */
};
struct abuse_counted {
	uint64_t account, address, network;      /* failures in the window */
	uint64_t address_ban_ms, network_ban_ms; /* 0: not banned by this one */
};
typedef void abuse_failed_fn(void *arg, const struct outcome *outcome, const struct abuse_counted *counted);
bool abuse_store_failed(struct redis_link *link, const struct abuse_failure *failure,
	const struct abuse_rules *rules, uint64_t now_ms, abuse_failed_fn *fn, void *arg);

struct ban {
	struct network network;
	uint64_t left_ms; /* 0: it has ended, or was removed */
	uint64_t made_ago_ms;
	uint64_t bans;       /* how many in a row, with this one */
	struct span by, why; /* `by` is "-" for one that the cluster made itself; borrowed */
};
struct ban_changes {
	uint64_t version;
	bool is_all; /* what is not in here is not banned */
	const struct ban *bans;
	size_t count;
};
/* OK: what changed after `version`; 0: all that hold. */
typedef void abuse_bans_fn(void *arg, const struct outcome *outcome, const struct ban_changes *changes);
bool abuse_store_bans(
	struct redis_link *link, uint64_t version, uint64_t now_ms, abuse_bans_fn *fn, void *arg);

struct ban_order {
	struct network network;
	uint64_t ms; /* 1..LIMIT_TIME_US_MAX / 1000 */
	struct span by, why;
};
bool abuse_store_ban(struct redis_link *link, const struct ban_order *order, uint64_t now_ms,
	abuse_outcome_fn *fn, void *arg);
/* NOT: it was not banned. */
bool abuse_store_unban(struct redis_link *link, const struct network *network, uint64_t now_ms,
	abuse_outcome_fn *fn, void *arg);

#endif
