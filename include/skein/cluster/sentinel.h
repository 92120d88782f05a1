/*
 * sentinel: what Sentinels say about where the master is, and whom to believe. Each Sentinel is asked over a
 * redis_link of its own (is_sentinel). A Sentinel that is cut off together with the old master goes on naming
 * it; so several are asked, and the answer with the highest configuration epoch counts: an epoch is only
 * given out by a majority of the Sentinels, once for each failover.
 */
#ifndef SKEIN_CLUSTER_SENTINEL_H
#define SKEIN_CLUSTER_SENTINEL_H

#include "skein/cluster/redis_link.h"

enum {
	SENTINELS_MAX = 16,
	SENTINEL_HOST_MAX = 253,
	SENTINEL_NAME_MAX = 128, /* of a master */
};

/* Where one Sentinel says that the master is. */
struct sentinel_answer {
	char host[SENTINEL_HOST_MAX +
		  1]; /* an address, or a name if the Sentinels announce names. "": none */
	uint16_t port;
	uint64_t epoch; /* of the configuration that says so */
};

bool sentinel_answers_agree(const struct sentinel_answer *a, const struct sentinel_answer *b);

/*
 * `answer` of each Sentinel, "" for one that does not answer, `held` what was believed until now, "" for
 * nothing. The highest epoch wins, then the number of those who say the same, then the order of the list. An
 * epoch lower than the held one only counts when a majority of all agree on it: then the Sentinels were set
 * up anew. NULL: nobody knows.
 */
const struct sentinel_answer *sentinel_choose(
	const struct sentinel_answer *answers, size_t count, const struct sentinel_answer *held);
/* Have enough answered to know that no failover was missed? */
bool sentinel_is_majority(size_t answered, size_t count);

/* `why` is NULL with an answer, else text for the log; both are borrowed. */
typedef void sentinel_answer_fn(void *arg, const struct sentinel_answer *answer, const char *why);
/*
 * Asks for the master's place. Runs `fn` exactly once, later, unless it returns false: the link is not ready.
 * With `subscribe`, the Sentinel tells of its failovers from then on (redis_link_options.on_published).
 */
bool sentinel_ask(struct redis_link *link, const char *master_name, bool subscribe, uint64_t now_ms,
	sentinel_answer_fn *fn, void *arg);
/* Is it the news that this master has moved? Where to is to be asked: the news have no epoch. */
bool sentinel_is_switch(const struct redisReply *message, const char *master_name);

#endif
