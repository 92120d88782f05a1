#include "skein/cluster/shelf_store.h"

#include "redis/call.h"

static const struct {
	const char *room;
	uint64_t names_max, bytes_max;
} shelves[SHELVES] = {
	[SHELF_STS] = { "sts", 10000, 32 * 1024 * 1024 },
	[SHELF_TOKENS] = { "tokens", 1024, 8 * 1024 * 1024 },
};

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode,
	const struct shelf_place *place)
{
	CHECK(place->name.len > 0 && place->name.len <= SHELF_NAME_MAX);
	call_begin(call, link, function, mode);
	call_in_room(call, shelves[place->shelf].room);
	call_key(call, ":names", SPAN_LIT(""));
	call_key(call, ":sizes", SPAN_LIT(""));
	call_key(call, ":bytes", SPAN_LIT(""));
	call_key(call, ":at:", place->name);
}

static void begin_writing(
	struct call *call, struct redis_link *link, const char *function, const struct shelf_place *place)
{
	begin(call, link, function, CALL_WRITES, place);
	call_arg(call, place->name);
	call_arg_u64(call, shelves[place->shelf].names_max);
	call_arg_u64(call, shelves[place->shelf].bytes_max);
}

static void deliver_item(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct shelf_item item = { .serial = 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		item.serial = reply_u64(&reader);
		item.age_ms = reply_u64(&reader);
		item.left_ms = reply_u64(&reader);
		item.text = reply_span(&reader);
		item.gone = reply_u64(&reader);
		item.is_granted = reply_u64(&reader) == 1;
		item.wait_ms = reply_u64(&reader);
		item.failed = reply_span(&reader);
		if (reader.bad || item.text.len > SHELF_TEXT_MAX) {
			outcome_bad_reply(outcome);
			item = (struct shelf_item){ .serial = 0 };
		}
	}
	((shelf_item_fn *)target->fn)(target->arg, outcome, &item);
}

bool shelf_store_read(struct redis_link *link, struct shelf_place place, uint64_t known, uint64_t now_ms,
	shelf_item_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "shelf_read", CALL_READS, &place);
	call_arg_u64(&call, known);
	return call_send(&call, now_ms, deliver_item, (struct call_target){ (call_any_fn *)fn, arg });
}

bool shelf_store_claim(struct redis_link *link, const struct shelf_claim *claim, uint64_t now_ms,
	shelf_item_fn *fn, void *arg)
{
	struct call call;

	CHECK(claim->holder.len > 0 && claim->holder.len <= SHELF_HOLDER_MAX && claim->claim_ms > 0);
	begin_writing(&call, link, "shelf_claim", &claim->place);
	call_arg_u64(&call, claim->known);
	call_arg_u64(&call, claim->is_bad);
	call_arg(&call, claim->holder);
	call_arg_u64(&call, claim->claim_ms);
	return call_send(&call, now_ms, deliver_item, (struct call_target){ (call_any_fn *)fn, arg });
}

static void deliver_serial(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	uint64_t serial = 0;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		serial = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((shelf_serial_fn *)target->fn)(target->arg, outcome, serial);
}

bool shelf_store_put(
	struct redis_link *link, const struct shelf_put *put, uint64_t now_ms, shelf_serial_fn *fn, void *arg)
{
	struct call call;

	CHECK(put->text.len > 0 && put->text.len <= SHELF_TEXT_MAX);
	CHECK(put->left_ms > 0 && put->left_ms <= SHELF_AGE_MAX_MS);
	begin_writing(&call, link, "shelf_put", &put->place);
	call_arg_u64(&call, put->left_ms);
	call_arg(&call, put->text);
	return call_send(&call, now_ms, deliver_serial, (struct call_target){ (call_any_fn *)fn, arg });
}

bool shelf_store_failed(struct redis_link *link, const struct shelf_failure *failure, uint64_t now_ms)
{
	struct call call;

	CHECK(failure->holder.len > 0 && failure->holder.len <= SHELF_HOLDER_MAX);
	CHECK(failure->why.len > 0 && failure->why.len <= SHELF_WHY_MAX && failure->pause_ms > 0);
	begin_writing(&call, link, "shelf_failed", &failure->place);
	call_arg(&call, failure->holder);
	call_arg_u64(&call, failure->pause_ms);
	call_arg(&call, failure->why);
	return call_send_plain(&call, now_ms, NULL, NULL);
}
