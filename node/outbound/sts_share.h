/*
 * sts_share: the MTA-STS policies that any node of the cluster has fetched, and who fetches one now, by the
 * rules of shelf_store.h. One worker's, over its link. Where Redis does not answer, who asks goes on alone.
 */
#ifndef NODE_OUTBOUND_STS_SHARE_H
#define NODE_OUTBOUND_STS_SHARE_H

#include "outbound/sts_store.h"
#include "skein/cluster/redis_link.h"

/* Borrowed. */
struct sts_share {
	struct redis_link *link;
	const char *holder; /* tells this worker from all others */
};

struct sts_shared {
	bool is_answer;       /* false: Redis has not said anything; nothing else is set */
	uint64_t serial;      /* tells the policy there from others; 0: there is none */
	struct span text, id; /* borrowed; "" too where it is the one that a claim knows */
	uint64_t age_ms, left_ms;
	bool is_granted;  /* the caller is to fetch */
	bool has_failed;  /* another has, lately */
	uint64_t wait_ms; /* while another fetches, or has failed to */
};

struct sts_question;

typedef void sts_shared_fn(void *arg, const struct sts_shared *shared);

/*
 * NULL: there is no Redis now. Else `fn` is called exactly once, later, unless it is cancelled before.
 * `known` is the serial of a policy that the caller has no use for.
 */
struct sts_question *sts_share_read(
	const struct sts_share *share, struct span domain, sts_shared_fn *fn, void *arg);
struct sts_question *sts_share_claim(
	const struct sts_share *share, struct span domain, uint64_t known, sts_shared_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL is fine. */
void sts_question_cancel(struct sts_question **question);

/* What came of a claim, or what Redis does not have. */
void sts_share_put(const struct sts_share *share, struct span domain, const struct sts_kept_policy *policy,
	uint64_t now_s);
void sts_share_failed(const struct sts_share *share, struct span domain, struct span why);

#endif
