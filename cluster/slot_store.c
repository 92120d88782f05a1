#include "skein/cluster/slot_store.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin(call, link, function, mode);
	call_in_room(call, "slots");
	call_key(call, ":routes", SPAN_LIT(""));
}

static void deliver_hold(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct slot_grant grants[SLOT_ASKS_MAX];
	size_t count = 0;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		while (reply_has_more(&reader) && count < SLOT_ASKS_MAX) {
			grants[count].count = reply_u64(&reader);
			grants[count++].yield = reply_u64(&reader);
		}
		if (reader.bad || reply_has_more(&reader))
			outcome_bad_reply(outcome);
	}
	((slot_hold_fn *)target->fn)(target->arg, outcome, grants, count);
}

bool slot_store_hold(struct redis_link *link, struct span holder, uint64_t ttl_ms,
	const struct slot_ask *asks, size_t count, uint64_t now_ms, slot_hold_fn *fn, void *arg)
{
	struct call call;

	CHECK(count > 0 && count <= SLOT_ASKS_MAX && holder.len > 0 && holder.len <= SLOT_HOLDER_MAX);
	begin(&call, link, "slots", CALL_WRITES);
	for (size_t i = 0; i < count; i++)
		call_key(&call, ":at:", asks[i].route);
	call_arg(&call, holder);
	call_arg_u64(&call, ttl_ms);
	for (size_t i = 0; i < count; i++) {
		call_arg(&call, asks[i].route);
		call_arg_u64(&call, asks[i].wants);
		call_arg_u64(&call, asks[i].used);
		call_arg_u64(&call, asks[i].most);
	}
	return call_send(&call, now_ms, deliver_hold, (struct call_target){ (call_any_fn *)fn, arg });
}

static void deliver_list(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct slot_row *rows = NULL;
	size_t count = 0;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		rows = mem_alloc(reply->elements * sizeof(*rows));
		while (reply_has_more(&reader)) {
			struct reply_cursor row = reply_read(reply_array(&reader));
			struct slot_row *to = &rows[count++];

			to->route = reply_span(&row);
			to->holder = reply_span(&row);
			to->count = reply_u64(&row);
			to->wants = reply_u64(&row);
			to->waits_ms = reply_u64(&row);
			to->most = reply_u64(&row);
			reader.bad = reader.bad || row.bad;
		}
		if (reader.bad) {
			outcome_bad_reply(outcome);
			count = 0;
		}
	}
	((slot_list_fn *)target->fn)(target->arg, outcome, rows, count);
	mem_free(rows);
}

bool slot_store_list(struct redis_link *link, uint64_t now_ms, slot_list_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "slot_list", CALL_READS);
	return call_send(&call, now_ms, deliver_list, (struct call_target){ (call_any_fn *)fn, arg });
}
