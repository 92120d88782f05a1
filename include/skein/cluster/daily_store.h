/*
 * daily_store: what came of a job that the leader does again and again, and when it was done last, in Redis,
 * as typed calls over one redis_link: so a new leader goes on where the old one was. The rules for the calls
 * are those of queue.h. What the text says is the job's affair.
 */
#ifndef SKEIN_CLUSTER_DAILY_STORE_H
#define SKEIN_CLUSTER_DAILY_STORE_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum { DAILY_BY_MAX = 200, DAILY_TEXT_MAX = 1024 * 1024 };

struct daily_note {
	uint64_t number;        /* of times that it was done; 0: never */
	uint64_t at_ms, now_ms; /* when it was done, and now, by Redis' clock */
	struct span by, text;   /* borrowed */
};

/* `job`: a word. */
typedef void daily_get_fn(void *arg, const struct outcome *outcome, const struct daily_note *note);
bool daily_get(struct redis_link *link, const char *job, uint64_t now_ms, daily_get_fn *fn, void *arg);

struct daily_put {
	uint64_t number; /* of the note that it goes on from */
	struct span by, text;
};
/* NOT: somebody else was faster, and nothing was changed. */
typedef void daily_put_fn(void *arg, const struct outcome *outcome);
bool daily_put(struct redis_link *link, const char *job, const struct daily_put *args, uint64_t now_ms,
	daily_put_fn *fn, void *arg);

#endif
