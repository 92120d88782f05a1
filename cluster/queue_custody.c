/* How messages come into Redis: bodies, accept, adopt, keep; and bounce, which brings one along. */
#include "queue_internal.h"

static const char piece_ttl_ms[] = "3600000";

/* A piece that exists answers nil, which is as good. */
bool queue_put_piece(struct redis_link *link, const struct msg_id *id, unsigned index, struct span bytes,
	uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;

	call_begin_plain(&call, link, "SET");
	call_in_shard(&call, msg_id_shard(id));
	call_piece_key(&call, call_id_text(&call, id), index);
	call_arg(&call, bytes);
	call_arg(&call, SPAN_LIT("NX"));
	call_arg(&call, SPAN_LIT("PX"));
	call_arg(&call, span_of_str(piece_ttl_ms));
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_piece(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct span bytes = SPAN_LIT("");

	if (reply && reply->type == REDIS_REPLY_NIL)
		outcome->kind = OUTCOME_GONE;
	else if (reply && reply->type == REDIS_REPLY_STRING)
		bytes = span_of(reply->str, (size_t)reply->len);
	else if (reply)
		outcome_bad_reply(outcome);
	((queue_piece_fn *)target->fn)(target->arg, outcome, bytes);
}

bool queue_get_piece(struct redis_link *link, const struct msg_id *id, unsigned index, uint64_t now_ms,
	queue_piece_fn *fn, void *arg)
{
	struct call call;

	call_begin_plain(&call, link, "GET");
	call_in_shard(&call, msg_id_shard(id));
	call_piece_key(&call, call_id_text(&call, id), index);
	return call_send(&call, now_ms, deliver_piece, (struct call_target){ (call_any_fn *)fn, arg });
}

static void put_piece_keys(struct call *call, const struct queue_message *message, struct span id_text)
{
	CHECK(message->pieces <= QUEUE_PIECES_MAX);
	for (unsigned i = 0; i < message->pieces; i++)
		call_piece_key(call, id_text, i);
}

static void put_message(struct call *call, const struct queue_message *message, struct span id_text)
{
	CHECK(message->settled.len >= 1 && message->settled.len <= QUEUE_RECIPIENTS_MAX);
	call_arg(call, id_text);
	call_arg(call, message->env);
	call_arg(call, message->settled);
	call_arg_u64(call, message->size);
	call_arg_u64(call, message->age_ms);
	call_arg_u64(call, message->expires_in_ms);
	call_arg_u64(call, message->attempts);
}

static void deliver_turn(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct queue_turn turn = { .settled = SPAN_LIT("") };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		turn.turn = reply_u64(&reader);
		turn.settled = reply_span(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((queue_turn_fn *)target->fn)(target->arg, outcome, &turn);
}

static bool send_turn(struct call *call, uint64_t now_ms, queue_turn_fn *fn, void *arg)
{
	call->flags = REDIS_CALL_REPLICATED;
	return call_send(call, now_ms, deliver_turn, (struct call_target){ (call_any_fn *)fn, arg });
}

/* accept, adopt and keep have this in common. */
static void begin_with_message(struct call *call, struct redis_link *link, const char *function,
	const struct incarnation *node, const struct queue_message *message)
{
	struct span id, own;

	call_begin(call, link, function, CALL_WRITES);
	id = call_id_text(call, &message->id);
	own = call_incarnation_text(call, node);
	call_shard_keys(call, msg_id_shard(&message->id));
	call_key(call, "m:", id);
	call_key(call, "own:", own);
	put_piece_keys(call, message, id);
	call_arg(call, own);
	put_message(call, message, id);
}

bool queue_accept(struct redis_link *link, const struct queue_accept *args, uint64_t now_ms,
	queue_turn_fn *fn, void *arg)
{
	struct call call;

	begin_with_message(&call, link, "accept", &args->node, args->message);
	return send_turn(&call, now_ms, fn, arg);
}

bool queue_adopt(struct redis_link *link, const struct queue_adopt *args, uint64_t now_ms, queue_turn_fn *fn,
	void *arg)
{
	struct call call;

	begin_with_message(&call, link, "adopt", &args->node, args->message);
	call_arg_u64(&call, args->turn);
	call_arg_u64(&call, args->holder);
	call_arg_u64(&call, args->takeovers_max);
	return send_turn(&call, now_ms, fn, arg);
}

bool queue_keep(
	struct redis_link *link, const struct queue_keep *args, uint64_t now_ms, queue_turn_fn *fn, void *arg)
{
	struct call call;

	begin_with_message(&call, link, "keep", &args->node, args->message);
	call_arg_u64(&call, args->turn);
	return send_turn(&call, now_ms, fn, arg);
}

bool queue_bounce(struct redis_link *link, const struct queue_bounce *args, uint64_t now_ms,
	queue_turn_fn *fn, void *arg)
{
	struct call call;
	struct span id, dsn, own;

	CHECK(msg_id_shard(&args->id) == msg_id_shard(&args->dsn->id));
	call_begin(&call, link, "bounce", CALL_WRITES);
	id = call_id_text(&call, &args->id);
	dsn = call_id_text(&call, &args->dsn->id);
	own = call_incarnation_text(&call, &args->node);
	call_shard_keys(&call, msg_id_shard(&args->id));
	call_key(&call, "m:", id);
	call_key(&call, "own:", own);
	call_key(&call, "m:", dsn);
	put_piece_keys(&call, args->dsn, dsn);
	call_arg(&call, id);
	call_arg(&call, own);
	call_arg_u64(&call, args->turn);
	call_arg(&call, args->settled);
	put_message(&call, args->dsn, dsn);
	return send_turn(&call, now_ms, fn, arg);
}
