/*
 * policy_store: the versions of the policy in Redis, as typed calls over one redis_link. The rules for the
 * calls are those of queue.h. What is stored is the author's text; whether it is a policy is checked by
 * whoever puts it, with policy_parse().
 */
#ifndef SKEIN_CLUSTER_POLICY_STORE_H
#define SKEIN_CLUSTER_POLICY_STORE_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum { POLICY_AUTHOR_MAX = 255, POLICY_COMMENT_MAX = 1024, POLICY_VERSIONS_KEPT = 100 };

/* Which text is meant. Number 0: none. After Redis went back in time a number may come again; `at_ms` differs
 * then. */
struct policy_version {
	uint64_t number;
	uint64_t at_ms; /* when it was made, by Redis' clock */
};

struct policy_note {
	struct policy_version version;
	struct span author, comment; /* borrowed */
	uint64_t size;
};

/*
 * OK: `text` is the version after `expected`. NOT: another version is there already, `note` says which and
 * whose; nothing was changed. Waits for replicas.
 */
struct policy_put {
	uint64_t expected; /* number of the version that the author looked at; 0: there is none */
	struct span author, comment, text;
};
typedef void policy_put_fn(void *arg, const struct outcome *outcome, const struct policy_note *note);
bool policy_put(struct redis_link *link, const struct policy_put *args, uint64_t now_ms, policy_put_fn *fn,
	void *arg);

/* What a node runs and Redis has lost: OK, or NOT where Redis has that number or a higher one. */
bool policy_restore(struct redis_link *link, const struct policy_note *note, struct span text,
	uint64_t now_ms, policy_put_fn *fn, void *arg);

/* One version; `number` 0: the current one. GONE: there is none, or none any more. */
typedef void policy_get_fn(
	void *arg, const struct outcome *outcome, const struct policy_note *note, struct span text);
bool policy_get(struct redis_link *link, uint64_t number, uint64_t now_ms, policy_get_fn *fn, void *arg);

/* Which version is the current one: one cheap command. */
typedef void policy_version_fn(
	void *arg, const struct outcome *outcome, const struct policy_version *version);
bool policy_current(struct redis_link *link, uint64_t now_ms, policy_version_fn *fn, void *arg);

struct policy_history {
	uint64_t current;
	const struct policy_note *notes; /* newest first */
	size_t count;
};
typedef void policy_history_fn(
	void *arg, const struct outcome *outcome, const struct policy_history *history);
bool policy_history(struct redis_link *link, uint64_t now_ms, policy_history_fn *fn, void *arg);

#endif
