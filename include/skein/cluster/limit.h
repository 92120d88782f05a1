/*
 * limit: what may be taken how often, and its arithmetic: GCRA (a leaky bucket told as one time) in whole
 * microseconds. cluster/redis/functions/limit.lua does the same sums in Redis; this file is used for a node's
 * share without Redis, and by the tests as the reference.
 *
 * A rule of `rate` per `period` with a `burst`: a unit takes period / rate of time; what was taken and is not
 * yet paid back by time is owed; a take is let in when what is owed afterwards is at most the time of `burst`
 * units. So no more than burst + rate x time / period units pass in any stretch of time, and after a pause
 * `burst` may come at once. Times are rounded down to a microsecond, which lets a limit of R takes per second
 * through R + R x R / 1,000,000 times at most.
 *
 * A take that is larger than the burst is let in when nothing at all is owed, and what it owes is paid back
 * in full: a message of 1000 recipients under a burst of 100 has to wait for quiet, not for ever.
 */
#ifndef SKEIN_CLUSTER_LIMIT_H
#define SKEIN_CLUSTER_LIMIT_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

enum {
	LIMIT_NAME_MAX = 64,   /* bytes of a rule's name: letters, digits, '.', '_', '-' */
	LIMIT_VALUE_MAX = 320, /* bytes of what is counted: an address, a domain */
	LIMIT_TAKES_MAX = 32,  /* limits of one call */
};
/* A period, a debt: more than a century is a wrong number, and Redis counts exactly up to 2^53. */
#define LIMIT_TIME_US_MAX 3000000000000000u

/* What a rule counts by: one counter for each client, each sender domain... LIMIT_PER_CLUSTER: one for all.
 */
enum limit_key {
	LIMIT_PER_CLIENT, /* an IPv6 client is its /64 */
	LIMIT_PER_USER,
	LIMIT_PER_SENDER,
	LIMIT_PER_SENDER_DOMAIN,
	LIMIT_PER_RECIPIENT_DOMAIN,
	LIMIT_PER_ROUTE,
	LIMIT_PER_CLUSTER,
	LIMIT_KEYS,
};

/* What it counts. */
enum limit_unit {
	LIMIT_MESSAGES,
	LIMIT_RECIPIENTS,
	LIMIT_BYTES,
	LIMIT_CONNECTIONS,
	LIMIT_AUTH_FAILURES,
	LIMIT_UNITS,
};

enum limit_action {
	LIMIT_DEFER, /* 4yz: come back later */
	LIMIT_REJECT,
	LIMIT_ACTIONS,
};

/* One rule of the policy. */
struct limit_rule {
	const char *name; /* unique; names the counters, so a renamed rule begins anew */
	enum limit_key key;
	enum limit_unit unit;
	uint64_t rate;      /* units per period, 1.. */
	uint64_t period_us; /* 1..LIMIT_TIME_US_MAX */
	uint64_t burst;     /* units at once, 1..; burst x period / rate is at most LIMIT_TIME_US_MAX */
	enum limit_action action;
};

/* "client", "sender_domain"; "messages"; "defer": as the policy writes them, and as metrics and answers name
 * them. */
extern const char *const limit_key_names[LIMIT_KEYS];
extern const char *const limit_unit_names[LIMIT_UNITS];
extern const char *const limit_action_names[LIMIT_ACTIONS];

/* NULL when the numbers are within their bounds, otherwise a phrase that says what is wrong. */
const char *limit_rule_check(const struct limit_rule *rule) WARN_UNUSED;

/* One counter and what is asked of it. */
struct limit_take {
	const struct limit_rule *rule; /* borrowed */
	struct span value;             /* which client, user, domain; borrowed. Compared without case */
	uint64_t cost;                 /* units; 0: nothing is taken, but it may refuse */
};

/* The same as times. */
uint64_t limit_cost_us(const struct limit_rule *rule, uint64_t cost);
uint64_t limit_burst_us(const struct limit_rule *rule);

/*
 * A counter. All zero bytes: nothing owed. `stamp_us` is when it was last written: where a clock went back
 * since, what is owed stays what it was and does not grow by the jump.
 */
struct limit_state {
	uint64_t empty_us; /* when nothing is owed any more, if nothing else is taken */
	uint64_t stamp_us;
};

/* The time that is owed now. */
uint64_t limit_owed_us(const struct limit_state *state, uint64_t now_us);
/* 0: it may be taken; otherwise the time after which it may, if nobody else takes. Changes nothing. */
uint64_t limit_wait_us(const struct limit_state *state, uint64_t now_us, uint64_t cost_us, uint64_t burst_us);
/* Takes, whatever is owed. */
void limit_take(struct limit_state *state, uint64_t now_us, uint64_t cost_us);
/* Gives back what was taken and not used. */
void limit_refund(struct limit_state *state, uint64_t now_us, uint64_t cost_us);

#endif
