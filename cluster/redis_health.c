/* Two commands: the first answer waits for the second, which is that of the last one written. */
#include "skein/cluster/redis_health.h"

#include "redis/call.h"
#include "redis/identity.h"
#include "skein/proto/base/alloc.h"

struct question {
	struct redis_identity identity;
	struct outcome outcome;
	redis_health_fn *fn;
	void *arg;
};

static void on_info(void *arg, enum redis_outcome how, const struct redisReply *reply)
{
	struct question *question = arg;
	struct server_state state = { .loading = false };

	question->outcome = outcome_of_plain(how, reply);
	if (outcome_is_ok(&question->outcome) && reply->type == REDIS_REPLY_STRING)
		identity_read_info(span_of(reply->str, (size_t)reply->len), &question->identity, &state);
}

/* Who may not ask for it knows what INFO says. */
static void on_save(void *arg, enum redis_outcome how, const struct redisReply *reply)
{
	struct question *question = arg;

	if (how == REDIS_UNKNOWN)
		question->outcome = outcome_of_plain(how, reply);
	else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2)
		identity_read_save(
			span_of(reply->element[1]->str, (size_t)reply->element[1]->len), &question->identity);
	question->outcome.text = SPAN_LIT("");
	question->fn(question->arg, &question->outcome, &question->identity);
	mem_free(question);
}

bool redis_health_ask(struct redis_link *link, uint64_t now_ms, redis_health_fn *fn, void *arg)
{
	const struct span info[] = { SPAN_LIT("INFO") };
	const struct span save[] = { SPAN_LIT("CONFIG"), SPAN_LIT("GET"), SPAN_LIT("save") };
	struct question *question;

	if (!redis_link_is_ready(link))
		return false;
	question = mem_zalloc(sizeof(*question));
	question->fn = fn;
	question->arg = arg;
	question->identity.persistent = REDIS_FACT_UNKNOWN;
	question->identity.appendonly = REDIS_FACT_UNKNOWN;
	question->identity.noeviction = REDIS_FACT_UNKNOWN;
	/* A link that is ready takes both. */
	CHECK(redis_link_call(link, ARRAY_LEN(info), info, REDIS_CALL_PLAIN, now_ms, on_info, question));
	CHECK(redis_link_call(link, ARRAY_LEN(save), save, REDIS_CALL_PLAIN, now_ms, on_save, question));
	return true;
}
