/*
 * limiter: decides about limits, one per worker beside its Redis link. Redis is asked when the link is ready,
 * with a deadline; where it does not answer in time, or at all, this node's share (limit_share.h) decides.
 *
 * A question is embedded by its asker. limiter_ask() either decides at once, or calls back exactly once,
 * later, from the link's reply or from limiter_tick(). Questions of many sessions travel in one pipeline.
 * What Redis counted for an asker that is gone, or that the share has refused meanwhile, is given back.
 *
 * Two ways to ask. limiter_ask() refuses what may not be now: for what can be sent away. limiter_reserve()
 * takes a place in the future, up to `ahead_us` away, and says when it may be used: for mail that waits for
 * its turn. Each place is taken once, so that many who wait cost one call each, and a place that is used late
 * leaves the next one where it was. A worker that reserves the next place when it uses the last one holds a
 * rate fully.
 *
 * Where no limit applies nothing is asked: `count` 0 is decided at once.
 */
#ifndef SKEIN_CLUSTER_LIMITER_H
#define SKEIN_CLUSTER_LIMITER_H

#include "skein/cluster/limit_share.h"
#include "skein/cluster/redis_link.h"
#include "skein/proto/base/list.h"

struct limiter;

enum limit_source { LIMIT_BY_REDIS, LIMIT_BY_SHARE };

struct limit_verdict {
	bool is_let_in;
	const struct limit_rule *rule; /* that refused; NULL when let in. Borrowed */
	uint64_t wait_us;              /* refused: ask again then. Reserved: use it then, not before */
	enum limit_source source;
};

typedef void limiter_answer_fn(void *arg, const struct limit_verdict *verdict);

/* Belongs to its asker; the limiter writes it. */
struct limit_question {
	struct list link; /* of those under way, oldest first */
	struct limiter_call *call;
	uint64_t deadline_ms;
	limiter_answer_fn *fn;
	void *arg;
};

struct limiter_stats {
	uint64_t asked;      /* of Redis */
	uint64_t late;       /* of these, without an answer in time */
	uint64_t failed;     /* of these, answered with an error or cut off */
	uint64_t by_redis;   /* of these, decided there */
	uint64_t by_share;   /* decided here */
	uint64_t refused;    /* by either */
	uint64_t given_back; /* late answers that were taken back */
};

struct limiter *limiter_new(struct redis_link *link, struct limit_share *share, uint64_t deadline_ms);
/* No question is under way, and the link has ended its calls. */
void limiter_free(struct limiter **limiter);

/* A question that has never been asked. */
void limit_question_init(struct limit_question *question);
/*
 * True: decided, *verdict_out says how, and `fn` does not run. False: `fn` runs later, unless cancelled.
 * Everything that is asked is copied.
 */
bool limiter_ask(struct limiter *limiter, struct limit_question *question, const struct limit_take *takes,
	size_t count, uint64_t now_ms, limiter_answer_fn *fn, void *arg, struct limit_verdict *verdict_out);
/* The same; it is let in when it may be used in `ahead_us` at most. Not used after all: limiter_refund(). */
bool limiter_reserve(struct limiter *limiter, struct limit_question *question, const struct limit_take *takes,
	size_t count, uint64_t ahead_us, uint64_t now_ms, limiter_answer_fn *fn, void *arg,
	struct limit_verdict *verdict_out);
/* The asker goes away. Harmless when nothing is asked. */
void limiter_cancel(struct limiter *limiter, struct limit_question *question);
bool limit_question_is_asked(const struct limit_question *question);

/* Gives back what a verdict let in, where it was counted: the message was refused after all. */
void limiter_refund(struct limiter *limiter, const struct limit_take *takes, size_t count,
	enum limit_source source, uint64_t now_ms);

/* Decides what is late; returns when it wants to be called again, UINT64_MAX: not until something is asked.
 */
uint64_t limiter_tick(struct limiter *limiter, uint64_t now_ms);

const struct limiter_stats *limiter_stats(const struct limiter *limiter);

#endif
