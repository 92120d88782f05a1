#include "redis/call.h"

#include "skein/cluster/redis_functions.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { ARGV_FIRST_CAP = 48, FCALL_HEAD = 3 };

struct pending {
	bool is_function;
	call_deliver_fn *deliver;
	struct call_target target;
};

static void put(struct call *call, struct span arg)
{
	if (call->argc == call->cap) {
		size_t cap = call->cap ? call->cap * 4 : ARGV_FIRST_CAP;
		struct span *grown = arena_alloc(&call->arena, cap * sizeof(*grown));

		if (call->argc)
			memcpy(grown, call->argv, call->argc * sizeof(*grown));
		call->argv = grown;
		call->cap = cap;
	}
	call->argv[call->argc++] = arg;
}

static struct span join(struct call *call, struct span a, struct span b, struct span c)
{
	char *text = arena_alloc(&call->arena, a.len + b.len + c.len + 1);

	memcpy(text, a.ptr, a.len);
	memcpy(text + a.len, b.ptr, b.len);
	if (c.len)
		memcpy(text + a.len + b.len, c.ptr, c.len);
	return span_of(text, a.len + b.len + c.len);
}

static struct span u64_text(struct call *call, uint64_t value)
{
	char *text = arena_alloc(&call->arena, 21);

	return span_of(text, (size_t)snprintf(text, 21, "%llu", (unsigned long long)value));
}

void call_begin_plain(struct call *call, struct redis_link *link, const char *command)
{
	*call = (struct call){ .link = link };
	put(call, span_of_str(command));
}

void call_begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin_plain(call, link, mode == CALL_READS ? "FCALL_RO" : "FCALL");
	call->is_function = true;
	put(call, join(call, span_of_str(redis_functions_name), SPAN_LIT("_"), span_of_str(function)));
	put(call, SPAN_LIT("")); /* the number of keys, once it is known */
}

void call_in_shard(struct call *call, unsigned shard)
{
	call->base =
		join(call, span_of_str(redis_link_prefix(call->link)), SPAN_LIT("{s"), u64_text(call, shard));
	call->base = join(call, call->base, SPAN_LIT("}:"), SPAN_LIT(""));
}

void call_in_room(struct call *call, const char *room)
{
	call->base =
		join(call, span_of_str(redis_link_prefix(call->link)), SPAN_LIT("{"), span_of_str(room));
	call->base = join(call, call->base, SPAN_LIT("}"), SPAN_LIT(""));
}

void call_shard_keys(struct call *call, unsigned shard)
{
	call_in_shard(call, shard);
	call_key(call, "shard", SPAN_LIT(""));
	call_key(call, "due", SPAN_LIT(""));
	call_key(call, "held", SPAN_LIT(""));
	call_key(call, "gone", SPAN_LIT(""));
	call_key(call, "facts", SPAN_LIT(""));
}

void call_key(struct call *call, const char *kind, struct span name)
{
	CHECK(!call->is_function || call->argc == FCALL_HEAD + call->keys);
	call->keys++;
	put(call, join(call, call->base, span_of_str(kind), name));
}

void call_piece_key(struct call *call, struct span id_text, unsigned index)
{
	struct span name = join(call, id_text, SPAN_LIT(":"), u64_text(call, index));

	call_key(call, "b:", name);
}

void call_meta_key(struct call *call, const char *kind, struct span name)
{
	call->base = join(call, span_of_str(redis_link_prefix(call->link)), SPAN_LIT("{meta}"), SPAN_LIT(""));
	call_key(call, kind, name);
}

void call_policy_key(struct call *call, const char *kind)
{
	call->base =
		join(call, span_of_str(redis_link_prefix(call->link)), SPAN_LIT("{policy}"), SPAN_LIT(""));
	call_key(call, kind, SPAN_LIT(""));
}

void call_secrets_key(struct call *call, const char *kind)
{
	call->base =
		join(call, span_of_str(redis_link_prefix(call->link)), SPAN_LIT("{secrets}"), SPAN_LIT(""));
	call_key(call, kind, SPAN_LIT(""));
}

void call_arg(struct call *call, struct span arg)
{
	put(call, arg.ptr ? arg : SPAN_LIT(""));
}

void call_arg_u64(struct call *call, uint64_t value)
{
	put(call, u64_text(call, value));
}

struct span call_id_text(struct call *call, const struct msg_id *id)
{
	struct msg_id_text text = msg_id_format(id);

	return arena_dup(&call->arena, span_of(text.text, MSG_ID_TEXT_LEN));
}

struct span call_incarnation_text(struct call *call, const struct incarnation *node)
{
	return join(call, node_uuid_span(&node->node), SPAN_LIT("#"), u64_text(call, node->epoch));
}

struct span call_uuid_list(struct call *call, const struct node_uuid *uuids, size_t count)
{
	char *text = arena_alloc(&call->arena, count * (NODE_UUID_LEN + 1) + 1);

	for (size_t i = 0; i < count; i++) {
		memcpy(text + i * (NODE_UUID_LEN + 1), uuids[i].text, NODE_UUID_LEN);
		text[i * (NODE_UUID_LEN + 1) + NODE_UUID_LEN] = ' ';
	}
	return span_of(text, count ? count * (NODE_UUID_LEN + 1) - 1 : 0);
}

static void on_reply(void *arg, enum redis_outcome how, const struct redisReply *reply)
{
	struct pending *pending = arg;
	struct outcome outcome =
		pending->is_function ? outcome_of_reply(how, reply) : outcome_of_plain(how, reply);

	pending->deliver(&pending->target, &outcome, outcome_is_ok(&outcome) ? reply : NULL);
	mem_free(pending);
}

bool call_send(struct call *call, uint64_t now_ms, call_deliver_fn *deliver, struct call_target target)
{
	struct pending *pending = NULL;
	bool sent;

	if (call->is_function)
		call->argv[FCALL_HEAD - 1] = u64_text(call, call->keys);
	if (target.fn) {
		pending = mem_alloc(sizeof(*pending));
		*pending = (struct pending){ call->is_function, deliver, target };
	}
	sent = redis_link_call(
		call->link, call->argc, call->argv, call->flags, now_ms, pending ? on_reply : NULL, pending);
	if (!sent)
		mem_free(pending);
	arena_fini(&call->arena);
	return sent;
}

static void deliver_plain(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	(void)reply;
	((void (*)(void *, const struct outcome *))target->fn)(target->arg, outcome);
}

bool call_send_plain(
	struct call *call, uint64_t now_ms, void (*fn)(void *, const struct outcome *), void *arg)
{
	return call_send(call, now_ms, deliver_plain, (struct call_target){ (call_any_fn *)fn, arg });
}
