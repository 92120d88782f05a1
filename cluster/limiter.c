/*
 * Happy path: ask → limit_store_take → reply → answer. A question whose deadline passes first is answered by
 * the share; its call stays until the link ends it, and gives back what Redis took if the share refused. A
 * cancelled question leaves its call behind in the same way.
 */
#include "skein/cluster/limiter.h"

#include "skein/cluster/limit_store.h"
#include "skein/proto/base/alloc.h"

/* One call to Redis. It outlives a question that is late or cancelled: then `question` is NULL. */
struct limiter_call {
	struct limiter *limiter;
	struct limit_question *question;
	bool is_wanted; /* what Redis takes is used: false for a cancelled or refused one */
	uint64_t ahead_us;
	size_t count;
	struct limit_take takes[LIMIT_TAKES_MAX];
	/* Copies: a late answer may come when the policy they were in is gone. */
	struct limit_rule rules[LIMIT_TAKES_MAX];
	char texts[];
};

struct limiter {
	struct redis_link *link;
	struct limit_share *share;
	uint64_t deadline_ms, now_ms;
	struct list waiting; /* limit_question.link; one deadline for all, so in its order */
	size_t in_flight;
	struct limiter_stats stats;
};

struct limiter *limiter_new(struct redis_link *link, struct limit_share *share, uint64_t deadline_ms)
{
	struct limiter *limiter = mem_zalloc(sizeof(*limiter));

	limiter->link = link;
	limiter->share = share;
	limiter->deadline_ms = deadline_ms;
	list_init(&limiter->waiting);
	return limiter;
}

void limiter_free(struct limiter **limiter)
{
	CHECK(list_is_empty(&(*limiter)->waiting) && (*limiter)->in_flight == 0);
	mem_free(*limiter);
	*limiter = NULL;
}

void limit_question_init(struct limit_question *question)
{
	*question = (struct limit_question){ .call = NULL };
	list_init(&question->link);
}

bool limit_question_is_asked(const struct limit_question *question)
{
	return question->call != NULL;
}

static struct limit_verdict ask_share(struct limiter *limiter, const struct limit_take *takes, size_t count,
	uint64_t ahead_us, uint64_t now_ms)
{
	struct limit_verdict verdict = { .source = LIMIT_BY_SHARE };
	size_t refused = 0;

	limiter->stats.by_share++;
	verdict.is_let_in = limit_share_reserve(
		limiter->share, takes, count, ahead_us, now_ms * 1000, &refused, &verdict.wait_us);
	if (!verdict.is_let_in) {
		verdict.rule = takes[refused].rule;
		limiter->stats.refused++;
	}
	return verdict;
}

/* Lets go of the question before its owner hears: it may ask again from there. */
static void answer(struct limiter_call *call, const struct limit_verdict *verdict)
{
	struct limit_question *question = call->question;

	call->question = NULL;
	question->call = NULL;
	list_remove(&question->link);
	question->fn(question->arg, verdict);
}

static void give_back(struct limiter_call *call)
{
	call->limiter->stats.given_back++;
	(void)limit_store_refund(
		call->limiter->link, call->takes, call->count, call->limiter->now_ms, NULL, NULL);
}

static void on_taken(void *arg, const struct outcome *outcome, size_t refused, uint64_t wait_us)
{
	struct limiter_call *call = arg;
	struct limiter *limiter = call->limiter;
	struct limit_verdict verdict = { .source = LIMIT_BY_REDIS };

	limiter->in_flight--;
	if (!call->question) {
		if (outcome_is_ok(outcome) && !call->is_wanted)
			give_back(call);
	} else if (outcome->kind == OUTCOME_NOT) {
		limiter->stats.by_redis++;
		limiter->stats.refused++;
		verdict.rule = call->takes[refused].rule;
		verdict.wait_us = wait_us;
		answer(call, &verdict);
	} else if (outcome_is_ok(outcome)) {
		limiter->stats.by_redis++;
		verdict.is_let_in = true;
		verdict.wait_us = wait_us;
		answer(call, &verdict);
	} else {
		limiter->stats.failed++;
		verdict = ask_share(limiter, call->takes, call->count, call->ahead_us, limiter->now_ms);
		answer(call, &verdict);
	}
	mem_free(call);
}

static char *copy_text(char *at, struct span text)
{
	if (text.len)
		memcpy(at, text.ptr, text.len);
	return at + text.len;
}

static struct limiter_call *call_new(struct limiter *limiter, struct limit_question *question,
	const struct limit_take *takes, size_t count)
{
	struct limiter_call *call;
	size_t bytes = 0;
	char *at;

	CHECK(count <= LIMIT_TAKES_MAX);
	for (size_t i = 0; i < count; i++)
		bytes += takes[i].value.len + strlen(takes[i].rule->name) + 1;
	call = mem_alloc(sizeof(*call) + bytes);
	call->limiter = limiter;
	call->question = question;
	call->is_wanted = true;
	call->count = count;
	at = call->texts;
	for (size_t i = 0; i < count; i++) {
		call->rules[i] = *takes[i].rule;
		call->rules[i].name = at;
		at = copy_text(at, span_of(takes[i].rule->name, strlen(takes[i].rule->name) + 1));
		call->takes[i] =
			(struct limit_take){ &call->rules[i], { at, takes[i].value.len }, takes[i].cost };
		at = copy_text(at, takes[i].value);
	}
	return call;
}

bool limiter_ask(struct limiter *limiter, struct limit_question *question, const struct limit_take *takes,
	size_t count, uint64_t now_ms, limiter_answer_fn *fn, void *arg, struct limit_verdict *verdict_out)
{
	return limiter_reserve(limiter, question, takes, count, 0, now_ms, fn, arg, verdict_out);
}

bool limiter_reserve(struct limiter *limiter, struct limit_question *question, const struct limit_take *takes,
	size_t count, uint64_t ahead_us, uint64_t now_ms, limiter_answer_fn *fn, void *arg,
	struct limit_verdict *verdict_out)
{
	struct limiter_call *call;

	CHECK(!question->call);
	limiter->now_ms = now_ms;
	if (count == 0) {
		*verdict_out = (struct limit_verdict){ .is_let_in = true, .source = LIMIT_BY_SHARE };
		return true;
	}
	call = call_new(limiter, question, takes, count);
	call->ahead_us = ahead_us;
	if (!limit_store_take(limiter->link, call->takes, count, ahead_us, now_ms, on_taken, call)) {
		mem_free(call);
		*verdict_out = ask_share(limiter, takes, count, ahead_us, now_ms);
		return true;
	}
	limiter->stats.asked++;
	limiter->in_flight++;
	question->call = call;
	question->fn = fn;
	question->arg = arg;
	question->deadline_ms = now_ms + limiter->deadline_ms;
	list_push_back(&limiter->waiting, &question->link);
	return false;
}

void limiter_cancel(struct limiter *limiter, struct limit_question *question)
{
	(void)limiter;
	if (!question->call)
		return;
	question->call->is_wanted = false;
	question->call->question = NULL;
	question->call = NULL;
	list_remove(&question->link);
}

void limiter_refund(struct limiter *limiter, const struct limit_take *takes, size_t count,
	enum limit_source source, uint64_t now_ms)
{
	limiter->now_ms = now_ms;
	if (count == 0)
		return;
	if (source == LIMIT_BY_SHARE)
		limit_share_refund(limiter->share, takes, count, now_ms * 1000);
	else
		(void)limit_store_refund(limiter->link, takes, count, now_ms, NULL, NULL);
}

uint64_t limiter_tick(struct limiter *limiter, uint64_t now_ms)
{
	limiter->now_ms = now_ms;
	while (!list_is_empty(&limiter->waiting)) {
		struct limit_question *question = LIST_FIRST(&limiter->waiting, struct limit_question, link);
		struct limiter_call *call = question->call;
		struct limit_verdict verdict;

		if (question->deadline_ms > now_ms)
			return question->deadline_ms;
		limiter->stats.late++;
		verdict = ask_share(limiter, call->takes, call->count, call->ahead_us, now_ms);
		call->is_wanted = verdict.is_let_in;
		answer(call, &verdict);
	}
	return UINT64_MAX;
}

const struct limiter_stats *limiter_stats(const struct limiter *limiter)
{
	return &limiter->stats;
}
