/* How work on messages ends, and how the journals that have them hear of it. */
#include "queue_internal.h"

#include "skein/proto/base/alloc.h"

static void put_seen(struct call *call, const struct queue_seen_item *items, size_t count)
{
	CHECK(count <= QUEUE_BATCH_MAX);
	for (size_t i = 0; i < count; i++) {
		call_arg(call, call_id_text(call, &items[i].id));
		call_arg(call, items[i].settled);
	}
}

bool queue_settle(
	struct redis_link *link, const struct queue_settle *args, uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;
	struct span id;

	CHECK(args->settled.len >= 1 && args->settled.len <= QUEUE_RECIPIENTS_MAX);
	CHECK(args->holder_count <= QUEUE_HOLDERS_MAX);
	call_begin(&call, link, "settle", CALL_WRITES);
	id = call_id_text(&call, &args->id);
	call_shard_keys(&call, msg_id_shard(&args->id));
	call_key(&call, "m:", id);
	call_key(&call, "gone:", node_uuid_span(&args->node));
	call_arg(&call, id);
	call_arg(&call, args->settled);
	call_arg(&call, call_uuid_list(&call, args->holders, args->holder_count));
	put_seen(&call, args->seen, args->seen_count);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool queue_defer(
	struct redis_link *link, const struct queue_defer *args, uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;

	queue_begin_owned(&call, link, "defer", &args->node, &args->id);
	call_arg_u64(&call, args->turn);
	call_arg_u64(&call, args->delay_ms);
	call_arg_u64(&call, args->attempts);
	call_arg(&call, args->env);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool queue_withdraw(struct redis_link *link, const struct queue_withdraw *args, uint64_t now_ms,
	outcome_fn *fn, void *arg)
{
	struct call call;
	struct span id;

	call_begin(&call, link, "withdraw", CALL_WRITES);
	id = call_id_text(&call, &args->id);
	call_shard_keys(&call, msg_id_shard(&args->id));
	call_key(&call, "m:", id);
	call_key(&call, "gone:", node_uuid_span(&args->node));
	call_arg(&call, id);
	call_arg(&call, node_uuid_span(&args->node));
	return call_send_plain(&call, now_ms, fn, arg);
}

/* "<why><settled>", as record.tell() writes it. */
static struct queue_news_item read_news(struct reply_cursor *reader)
{
	struct queue_news_item item = { .id = reply_id(reader), .why = SETTLED_PENDING };
	struct span value = reply_span(reader);

	if (value.len == 0 || value.ptr[0] < SETTLED_PENDING || value.ptr[0] > SETTLED_DELIVERED) {
		reader->bad = true;
		return item;
	}
	item.why = (enum settled)value.ptr[0];
	item.settled = span_drop(value, 1);
	return item;
}

static void deliver_news(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct reply_cursor reader = reply_read(reply), pairs;
	struct queue_news_item *items = NULL;
	const redisReply *list = NULL;
	uint64_t cursor = 0;
	size_t count = 0;

	if (reply) {
		(void)reply_span(&reader);
		cursor = reply_u64(&reader);
		list = reply_array(&reader);
	}
	pairs = reply_read(list);
	if (list && list->elements > 0)
		items = mem_alloc(list->elements / 2 * sizeof(*items));
	while (list && reply_has_more(&pairs) && count < list->elements / 2)
		items[count++] = read_news(&pairs);
	if (reply && (reader.bad || pairs.bad)) {
		outcome_bad_reply(outcome);
		count = 0;
	}
	((queue_news_fn *)target->fn)(target->arg, outcome, cursor, items, count);
	mem_free(items);
}

bool queue_news(
	struct redis_link *link, const struct queue_news *args, uint64_t now_ms, queue_news_fn *fn, void *arg)
{
	struct call call;

	call_begin(&call, link, "news", CALL_READS);
	call_shard_keys(&call, args->shard);
	call_key(&call, "gone:", node_uuid_span(&args->node));
	call_arg_u64(&call, args->cursor);
	return call_send(&call, now_ms, deliver_news, (struct call_target){ (call_any_fn *)fn, arg });
}

bool queue_seen(
	struct redis_link *link, const struct queue_seen *args, uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;

	call_begin(&call, link, "seen", CALL_WRITES);
	call_shard_keys(&call, args->shard);
	call_key(&call, "gone:", node_uuid_span(&args->node));
	put_seen(&call, args->items, args->count);
	return call_send_plain(&call, now_ms, fn, arg);
}
