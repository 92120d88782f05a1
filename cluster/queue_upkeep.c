/* What keeps a shard right: the grace after a change of Redis, the leader's sweep, trim and repair. */
#include "queue_internal.h"

#include "skein/proto/base/alloc.h"

bool queue_recover(
	struct redis_link *link, const struct queue_recover *args, uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;

	call_begin(&call, link, "recover", CALL_WRITES);
	call_shard_keys(&call, args->shard);
	call_arg(&call, args->generation);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool queue_asserted(struct redis_link *link, const struct queue_asserted *args, uint64_t now_ms,
	outcome_fn *fn, void *arg)
{
	struct call call;

	call_begin(&call, link, "asserted", CALL_WRITES);
	call_shard_keys(&call, args->shard);
	call_arg(&call, call_incarnation_text(&call, &args->node));
	call_arg(&call, args->generation);
	call_arg(&call, call_uuid_list(&call, args->living, args->living_count));
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_swept(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct reply_cursor reader = reply_read(reply);
	struct incarnation *unknown = NULL;
	struct queue_swept swept = { 0 };

	if (reply) {
		(void)reply_span(&reader);
		swept.moved = (unsigned)reply_u64(&reader);
		swept.quarantined = (unsigned)reply_u64(&reader);
		swept.more = reply_u64(&reader) == 1;
		unknown = mem_alloc(reply->elements * sizeof(*unknown));
		swept.unknown = unknown;
		while (reply_has_more(&reader))
			unknown[swept.unknown_count++] = reply_incarnation(&reader);
		if (reader.bad) {
			outcome_bad_reply(outcome);
			swept = (struct queue_swept){ 0 };
		}
	}
	((queue_swept_fn *)target->fn)(target->arg, outcome, &swept);
	mem_free(unknown);
}

bool queue_sweep(struct redis_link *link, const struct queue_sweep *args, uint64_t now_ms, queue_swept_fn *fn,
	void *arg)
{
	struct call call;

	call_begin(&call, link, "sweep", CALL_WRITES);
	call_shard_keys(&call, args->shard);
	call_arg(&call, args->generation);
	call_arg_u64(&call, args->takeovers_max);
	call_arg_u64(&call, args->wait_max_ms);
	for (size_t i = 0; i < args->node_count; i++) {
		call_arg(&call, node_uuid_span(&args->nodes[i].node));
		call_arg_u64(&call, args->nodes[i].floor);
		call_arg_u64(&call, args->nodes[i].epoch);
		call_arg_u64(&call, args->nodes[i].fate);
	}
	return call_send(&call, now_ms, deliver_swept, (struct call_target){ (call_any_fn *)fn, arg });
}

static void deliver_count(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct reply_cursor reader = reply_read(reply);
	unsigned count = 0;

	if (reply) {
		(void)reply_span(&reader);
		count = (unsigned)reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((queue_count_fn *)target->fn)(target->arg, outcome, count);
}

static bool send_count(struct call *call, uint64_t now_ms, queue_count_fn *fn, void *arg)
{
	return call_send(call, now_ms, deliver_count, (struct call_target){ (call_any_fn *)fn, arg });
}

bool queue_trim(struct redis_link *link, const struct queue_trim *args, uint64_t now_ms, queue_count_fn *fn,
	void *arg)
{
	struct call call;

	call_begin(&call, link, "trim", CALL_WRITES);
	call_shard_keys(&call, args->shard);
	call_arg_u64(&call, args->age_min_ms);
	return send_count(&call, now_ms, fn, arg);
}

bool queue_repair(struct redis_link *link, const struct queue_repair *args, uint64_t now_ms,
	queue_count_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->count <= QUEUE_BATCH_MAX);
	call_begin(&call, link, "repair", CALL_WRITES);
	call_shard_keys(&call, args->shard);
	call_arg(&call, args->generation);
	for (size_t i = 0; i < args->count; i++)
		call_arg(&call, call_id_text(&call, &args->ids[i]));
	return send_count(&call, now_ms, fn, arg);
}

/* What has a meaning in a pattern of MATCH stands for itself. */
static struct span escape_pattern(struct arena *arena, const char *text)
{
	char *out = arena_alloc(arena, 2 * strlen(text) + 1);
	size_t len = 0;

	for (; *text; text++) {
		if (strchr("*?[]^\\", *text))
			out[len++] = '\\';
		out[len++] = *text;
	}
	return span_of(out, len);
}

bool queue_scan(struct redis_link *link, uint64_t cursor, uint64_t now_ms, queue_ids_fn *fn, void *arg)
{
	struct call call;

	call_begin_plain(&call, link, "SCAN");
	call_arg_u64(&call, cursor);
	call_arg(&call, SPAN_LIT("MATCH"));
	call.base = escape_pattern(&call.arena, redis_link_prefix(link));
	call_key(&call, "{s*}:m:*", SPAN_LIT(""));
	call_arg(&call, SPAN_LIT("COUNT"));
	call_arg_u64(&call, QUEUE_BATCH_MAX);
	return queue_send_ids(&call, now_ms, fn, arg);
}
