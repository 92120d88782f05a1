/*
 * guard: keeps guessers of passwords out, for the whole cluster. One per node, for all workers; each brings
 * its own Redis link. What happens in a session:
 *
 *   connect              guard_banned_until(): refuse, without asking anybody
 *   before the directory guard_begin(): ask it, refuse without asking, or wait a moment
 *   after it             guard_end(): a failure is answered only after `delay_ms`
 *
 * Each attempt that was told ABUSE_ASK must be ended, whatever becomes of the session: its account counts it
 * as a failure otherwise. A stopped one is ended with GUARD_FAILED like a wrong password, so that it is
 * counted for its address and answered in the same time. A positive cache is asked before the guard.
 *
 * Without Redis the node counts by itself: account stops are divided by the nodes that were alive when last
 * seen, at least 1 each; so an account may meet as many failures more as there are nodes, or its stop again,
 * when Redis goes away in the middle of an attack. Bans of others stay known until they end.
 */
#ifndef SKEIN_CLUSTER_GUARD_H
#define SKEIN_CLUSTER_GUARD_H

#include "skein/cluster/abuse_store.h"
#include "skein/cluster/limit_share.h"

struct guard;

enum { GUARD_EXEMPT_MAX = 256, GUARD_PENDING_MS = 60000, GUARD_POLL_MS = 1000 };

struct guard_options {
	size_t bans_max, counters_max; /* that are known here; counters: of accounts, and of addresses */
	uint64_t seed[2];              /* random, and new with each start */
	struct shared_lock lock;
};

struct guard *guard_new(const struct guard_options *options);
/* Nothing is asked any more. */
void guard_free(struct guard **guard);

/* `exempt`: networks whose failures ban nobody, such as webmail's; accounts count them all the same. Copied.
 */
void guard_set_rules(struct guard *guard, const struct abuse_rules *rules, const struct network *exempt,
	size_t exempt_count);
/* Nodes that were alive when last seen. */
void guard_set_nodes(struct guard *guard, unsigned nodes);

/* 0: not banned. */
uint64_t guard_banned_until(struct guard *guard, const struct network *address, uint64_t now_ms);

/* ---- one attempt, embedded by its session ---- */

struct guard_verdict {
	enum abuse_answer answer;
	bool is_local; /* without Redis */
};
struct guard_result {
	uint64_t delay_ms;
	uint64_t ban_ms; /* of the client; close the session after the answer. 0: none */
};
typedef void guard_verdict_fn(void *arg, const struct guard_verdict *verdict);
typedef void guard_result_fn(void *arg, const struct guard_result *result);

struct guard_attempt {
	struct guard_call *call; /* under way */
	struct network address;
	size_t account_len;
	char account[ABUSE_ACCOUNT_MAX];
	char token[ABUSE_TOKEN_MAX]; /* empty: the account does not count this one */
	bool is_local;
	guard_verdict_fn *on_verdict;
	guard_result_fn *on_result;
	void *arg;
};

/*
 * `account`: the canonical user (a SID, or the name in lower case). True: decided, see *verdict_out. False:
 * `fn` runs once, later, unless cancelled.
 */
bool guard_begin(struct guard *guard, struct redis_link *link, struct guard_attempt *attempt,
	struct span account, const struct network *address, uint64_t now_ms, guard_verdict_fn *fn, void *arg,
	struct guard_verdict *verdict_out);

enum guard_end {
	GUARD_PROVEN,
	GUARD_FAILED,    /* wrong password, unknown user, stopped */
	GUARD_REFUSED,   /* not over a password: a disabled account. Counts for nobody, but takes its time */
	GUARD_UNKNOWN,   /* asked, and no answer came: the account counts it, nobody is punished */
	GUARD_NOT_ASKED, /* the directory, after all */
};
/* As guard_begin(). Only GUARD_FAILED is ever decided later. `random` is for the delay. */
bool guard_end(struct guard *guard, struct redis_link *link, struct guard_attempt *attempt,
	enum guard_end end, uint32_t random, uint64_t now_ms, guard_result_fn *fn, void *arg,
	struct guard_result *result_out);
/* The session goes away while something is asked: no callback, and what was begun is ended. */
void guard_cancel(struct guard_attempt *attempt);

/* ---- bans of the cluster, by one thread ---- */

/* Call when the link is ready, and by time; returns when it wants to be called again. */
uint64_t guard_poll(struct guard *guard, struct redis_link *link, uint64_t now_ms);
/* The link was lost: the next poll asks for all. */
void guard_link_lost(struct guard *guard);

struct guard_stats {
	uint64_t asked, stopped, busy, failed, local; /* attempts; local: begun without Redis */
	uint64_t bans;                                /* made by failures here */
	uint64_t bans_known;
};
struct guard_stats guard_stats(struct guard *guard);

#endif
