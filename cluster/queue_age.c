#include "skein/cluster/queue_age.h"

#include "redis/call.h"

static void deliver_age(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct queue_age age = { .count = 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);
		struct span oldest;

		(void)reply_span(&reader);
		age.count = reply_u64(&reader);
		oldest = reply_span(&reader);
		age.has_oldest = oldest.len > 0;
		if (reader.bad || (age.has_oldest && !msg_id_parse(oldest, &age.oldest))) {
			outcome_bad_reply(outcome);
			age = (struct queue_age){ .count = 0 };
		}
	}
	((queue_age_fn *)target->fn)(target->arg, outcome, &age);
}

bool queue_age(struct redis_link *link, unsigned shard, uint64_t now_ms, queue_age_fn *fn, void *arg)
{
	struct call call;

	call_begin(&call, link, "age", CALL_READS);
	call_shard_keys(&call, shard);
	return call_send(&call, now_ms, deliver_age, (struct call_target){ (call_any_fn *)fn, arg });
}
