/*
 * limit_store: the counters of limits in Redis, as typed calls over one redis_link. The rules for the calls
 * are those of queue.h: false when the link is not ready, and then the callback never runs; otherwise it runs
 * once, later, and what it is told is borrowed. limiter.h decides with these; skeinctl looks with them.
 *
 * Takes of one call that name the same counter are added up. At most LIMIT_TAKES_MAX, at least one.
 */
#ifndef SKEIN_CLUSTER_LIMIT_STORE_H
#define SKEIN_CLUSTER_LIMIT_STORE_H

#include "skein/cluster/limit.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

/*
 * OK: all is taken, to be used in `wait_us`. NOT: nothing is; takes[`refused`] has to wait longest, and is
 * asked again in `wait_us`.
 */
typedef void limit_taken_fn(void *arg, const struct outcome *outcome, size_t refused, uint64_t wait_us);
/* `ahead_us`: how long before its use it may be taken. 0: what cannot be used now is refused. */
bool limit_store_take(struct redis_link *link, const struct limit_take *takes, size_t count,
	uint64_t ahead_us, uint64_t now_ms, limit_taken_fn *fn, void *arg);

/* Gives back what was taken and not used. `fn` may be NULL. */
typedef void limit_outcome_fn(void *arg, const struct outcome *outcome);
bool limit_store_refund(struct redis_link *link, const struct limit_take *takes, size_t count,
	uint64_t now_ms, limit_outcome_fn *fn, void *arg);

/* OK: the time that each owes; of limit_burst_us() that is how full it is. Nothing is written. */
typedef void limit_peek_fn(void *arg, const struct outcome *outcome, const uint64_t *owed_us, size_t count);
bool limit_store_peek(struct redis_link *link, const struct limit_take *takes, size_t count, uint64_t now_ms,
	limit_peek_fn *fn, void *arg);

/*
 * The name of a counter, behind the prefix and its tag: "<rule>:<value in lower case>". limit_share.h counts
 * by it too.
 */
enum { LIMIT_COUNTER_MAX = LIMIT_NAME_MAX + 1 + LIMIT_VALUE_MAX };
size_t limit_counter_name(const struct limit_take *take, char name[LIMIT_COUNTER_MAX]);

#endif
