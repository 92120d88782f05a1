/* How messages find an owner, and what an owner is given. */
#include "queue_internal.h"

#include "skein/proto/base/alloc.h"

static bool has_flag(struct span flags, char flag)
{
	return span_find(flags, flag) < flags.len;
}

struct queue_record queue_record_read(struct reply_cursor *reader, bool *hold_out)
{
	struct queue_record record = { .id = reply_id(reader) };
	struct span flags;

	record.turn = reply_u64(reader);
	record.env = reply_span(reader);
	record.settled = reply_span(reader);
	record.size = reply_u64(reader);
	record.pieces = (unsigned)reply_u64(reader);
	record.attempts = (unsigned)reply_u64(reader);
	record.takeovers = (unsigned)reply_u64(reader);
	record.age_ms = reply_u64(reader);
	record.expires_in_ms = reply_u64(reader);
	record.origin = reply_uuid(reader);
	record.body_at = reply_uuid(reader);
	record.to_journal = reply_u64(reader) == 1;
	flags = reply_span(reader);
	record.cancel = has_flag(flags, 'c');
	*hold_out = has_flag(flags, 'h');
	return record;
}

static void deliver_records(
	const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct queue_record records[QUEUE_CLAIM_MAX];
	struct reply_cursor rows = reply_read(reply);
	size_t count = 0;

	if (reply)
		(void)reply_span(&rows);
	while (reply && reply_has_more(&rows) && count < QUEUE_CLAIM_MAX) {
		struct reply_cursor row = reply_read(reply_array(&rows));
		bool hold;

		records[count++] = queue_record_read(&row, &hold);
		rows.bad = rows.bad || row.bad;
	}
	if (reply && rows.bad) {
		outcome_bad_reply(outcome);
		count = 0;
	}
	((queue_records_fn *)target->fn)(target->arg, outcome, records, count);
}

static bool send_records(struct call *call, uint64_t now_ms, queue_records_fn *fn, void *arg)
{
	return call_send(call, now_ms, deliver_records, (struct call_target){ (call_any_fn *)fn, arg });
}

bool queue_claim(struct redis_link *link, const struct queue_claim *args, uint64_t now_ms,
	queue_records_fn *fn, void *arg)
{
	struct call call;
	struct span own;

	CHECK(args->count >= 1 && args->count <= QUEUE_CLAIM_MAX);
	call_begin(&call, link, "claim", CALL_WRITES);
	own = call_incarnation_text(&call, &args->node);
	call_shard_keys(&call, args->shard);
	call_key(&call, "own:", own);
	call_key(&call, "due:", node_uuid_span(&args->node.node));
	call_arg(&call, own);
	call_arg(&call, args->generation);
	call_arg_u64(&call, args->count);
	return send_records(&call, now_ms, fn, arg);
}

void queue_begin_owned(struct call *call, struct redis_link *link, const char *function,
	const struct incarnation *node, const struct msg_id *id)
{
	struct span id_text, own;

	call_begin(call, link, function, CALL_WRITES);
	id_text = call_id_text(call, id);
	own = call_incarnation_text(call, node);
	call_shard_keys(call, msg_id_shard(id));
	call_key(call, "m:", id_text);
	call_key(call, "own:", own);
	call_arg(call, id_text);
	call_arg(call, own);
}

bool queue_takeup(struct redis_link *link, const struct queue_takeup *args, uint64_t now_ms,
	queue_records_fn *fn, void *arg)
{
	struct call call;

	queue_begin_owned(&call, link, "takeup", &args->node, &args->id);
	call_arg(&call, args->generation);
	return send_records(&call, now_ms, fn, arg);
}

/* Key names and bare ids both end with the id. A key of another form ("m:junk") is not ours. */
static size_t read_ids(const redisReply *list, struct msg_id *ids)
{
	size_t count = 0;

	for (size_t i = 0; i < list->elements; i++) {
		struct span text = span_of(list->element[i]->str, (size_t)list->element[i]->len);

		if (text.len > MSG_ID_TEXT_LEN)
			text = span_drop(text, text.len - MSG_ID_TEXT_LEN);
		if (msg_id_parse(text, &ids[count]))
			count++;
	}
	return count;
}

static void deliver_ids(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct reply_cursor reader = reply_read(reply);
	const redisReply *list = NULL;
	struct msg_id *ids = NULL;
	uint64_t cursor = 0;
	size_t count = 0;

	if (reply) {
		cursor = reply_u64(&reader);
		list = reply_array(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	if (list && list->elements > 0) {
		ids = mem_alloc(list->elements * sizeof(*ids));
		count = read_ids(list, ids);
	}
	((queue_ids_fn *)target->fn)(target->arg, outcome, cursor, ids, count);
	mem_free(ids);
}

bool queue_send_ids(struct call *call, uint64_t now_ms, queue_ids_fn *fn, void *arg)
{
	return call_send(call, now_ms, deliver_ids, (struct call_target){ (call_any_fn *)fn, arg });
}

bool queue_own(
	struct redis_link *link, const struct queue_own *args, uint64_t now_ms, queue_ids_fn *fn, void *arg)
{
	struct call call;

	call_begin_plain(&call, link, "SSCAN");
	call_in_shard(&call, args->shard);
	call_key(&call, "own:", call_incarnation_text(&call, &args->node));
	call_arg_u64(&call, args->cursor);
	call_arg(&call, SPAN_LIT("COUNT"));
	call_arg_u64(&call, QUEUE_BATCH_MAX);
	return queue_send_ids(&call, now_ms, fn, arg);
}
