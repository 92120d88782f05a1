/*
 * abuse: how wrong passwords are counted and what follows, as arithmetic. guard.h applies it.
 *
 * - An address, and its network (IPv4 /24, IPv6 /64), may fail so many times per window, as a limit (limit.h)
 *   with a burst of that size. One more bans it. A ban ends; the next one of the same subject is twice as
 *   long. The right password clears the address, not its network.
 * - An account's failures are counted as Active Directory counts them: a failure adds one, the right password
 *   clears them, and so does a window without a failure. At the stop the directory is not asked any more, so
 *   that nobody can lock an account through us. An attempt counts from before the directory is asked until
 *   its answer is known: many at once cannot pass the stop.
 * - The answer to a failure is held back, twice as long with each further one, the same for an unknown user,
 * a wrong password and a stopped account.
 */
#ifndef SKEIN_CLUSTER_ABUSE_H
#define SKEIN_CLUSTER_ABUSE_H

#include "skein/cluster/limit.h"

struct abuse_rules {
	unsigned address_failures, network_failures; /* per window; one more is a ban. 0: never */
	uint64_t window_ms;
	uint64_t ban_first_ms, ban_max_ms;
	uint64_t ban_memory_ms; /* after the end of a ban the next one is still twice as long */
	uint64_t delay_first_ms, delay_max_ms;
	unsigned account_failures; /* 0: only the directory's threshold counts */
	uint64_t account_window_ms;
	/* What the directory does by itself: lockoutThreshold, lockOutObservationWindow. 0: it locks nobody.
	 */
	unsigned directory_threshold;
	uint64_t directory_window_ms;
};

/*
 * Failures of an account at which the directory is not asked any more. Below half of its threshold and below
 * the threshold less two: the rest is for the user's own mistakes elsewhere. At least 1, so a threshold of 1
 * or 2 does not protect. UINT_MAX: no stop.
 */
unsigned abuse_account_stop(const struct abuse_rules *rules);
/* Without a failure for this long an account's count is cleared: never before the directory clears its own.
 */
uint64_t abuse_account_window_ms(const struct abuse_rules *rules);
/* `failures` of whoever has most, 1..; `random` takes away up to a quarter. */
uint64_t abuse_delay_ms(const struct abuse_rules *rules, uint64_t failures, uint32_t random);
uint64_t abuse_ban_ms(const struct abuse_rules *rules, uint64_t bans_before);

/* One account. All zero bytes: nothing is known of it. */
struct abuse_account {
	unsigned failures, pending;
	uint64_t failed_ms, asked_ms; /* the last time */
};

enum abuse_answer {
	ABUSE_ASK,  /* the directory */
	ABUSE_STOP, /* refuse as if the password were wrong, without asking */
	ABUSE_BUSY, /* as many are being asked as may fail: again in a moment */
};

/* An attempt whose end is not told for `pending_ms` has failed. */
void abuse_account_age(
	struct abuse_account *account, uint64_t window_ms, uint64_t pending_ms, uint64_t now_ms);
/* After abuse_account_age(). ASK counts it as pending. */
enum abuse_answer abuse_account_ask(struct abuse_account *account, unsigned stop, uint64_t now_ms);

#endif
