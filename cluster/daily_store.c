#include "skein/cluster/daily_store.h"

#include "redis/call.h"
#include "skein/proto/base/check.h"

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode,
	const char *job)
{
	call_begin(call, link, function, mode);
	call_in_room(call, "daily");
	call_key(call, ":", span_of_str(job));
}

static void deliver_note(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct daily_note note = { .number = 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		note.now_ms = reply_u64(&reader);
		note.number = reply_u64(&reader);
		note.at_ms = reply_u64(&reader);
		note.by = reply_span(&reader);
		note.text = reply_span(&reader);
		if (reader.bad || note.text.len > DAILY_TEXT_MAX)
			outcome_bad_reply(outcome);
	}
	((daily_get_fn *)target->fn)(target->arg, outcome, &note);
}

bool daily_get(struct redis_link *link, const char *job, uint64_t now_ms, daily_get_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "daily_get", CALL_READS, job);
	return call_send(&call, now_ms, deliver_note, (struct call_target){ (call_any_fn *)fn, arg });
}

bool daily_put(struct redis_link *link, const char *job, const struct daily_put *args, uint64_t now_ms,
	daily_put_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->by.len <= DAILY_BY_MAX && args->text.len <= DAILY_TEXT_MAX);
	begin(&call, link, "daily_put", CALL_WRITES, job);
	call_arg_u64(&call, args->number);
	call_arg(&call, args->by);
	call_arg(&call, args->text);
	return call_send_plain(&call, now_ms, fn, arg);
}
