/* The operator's calls: hold, release, cancel, and what can be seen. */
#include "skein/cluster/queue_view.h"

#include "queue_internal.h"

#include "skein/proto/base/alloc.h"

static const char *const state_names[QUEUE_STATES] = {
	[QUEUE_DUE] = "due",
	[QUEUE_DEFERRED] = "deferred",
	[QUEUE_OWNED] = "owned",
	[QUEUE_HELD] = "held",
	[QUEUE_QUARANTINED] = "quarantined",
};

const char *queue_state_name(enum queue_state state)
{
	return state_names[state];
}

bool queue_state_parse(struct span name, enum queue_state *state_out)
{
	for (size_t i = 0; i < QUEUE_STATES; i++) {
		if (span_eq(name, span_of_str(state_names[i]))) {
			*state_out = (enum queue_state)i;
			return true;
		}
	}
	return false;
}

static void begin_operator(struct call *call, struct redis_link *link, const char *function,
	enum call_mode mode, const struct msg_id *id)
{
	struct span text;

	call_begin(call, link, function, mode);
	text = call_id_text(call, id);
	call_shard_keys(call, msg_id_shard(id));
	call_key(call, "m:", text);
	call_arg(call, text);
}

bool queue_hold(struct redis_link *link, const struct msg_id *id, uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;

	begin_operator(&call, link, "hold", CALL_WRITES, id);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool queue_release(
	struct redis_link *link, const struct msg_id *id, uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;

	begin_operator(&call, link, "release", CALL_WRITES, id);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool queue_cancel(
	struct redis_link *link, const struct msg_id *id, uint64_t now_ms, outcome_fn *fn, void *arg)
{
	struct call call;

	begin_operator(&call, link, "cancel", CALL_WRITES, id);
	return call_send_plain(&call, now_ms, fn, arg);
}

static struct queue_view_record read_row(struct reply_cursor *row)
{
	struct queue_view_record view = { .state = QUEUE_DUE };
	uint64_t state;

	view.record = queue_record_read(row, &view.hold);
	state = reply_u64(row);
	if (state < QUEUE_STATES)
		view.state = (enum queue_state)state;
	else
		row->bad = true;
	view.owner = reply_incarnation(row);
	view.due_in_ms = reply_u64(row);
	view.holders = reply_span(row);
	return view;
}

static void deliver_page(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct reply_cursor rows = reply_read(reply);
	struct queue_view_record *records = NULL;
	struct queue_page page = { .cursor = SPAN_LIT("") };

	if (reply) {
		(void)reply_span(&rows);
		page.cursor = reply_span(&rows);
		records = mem_alloc(reply->elements * sizeof(*records));
		page.records = records;
		while (reply_has_more(&rows)) {
			struct reply_cursor row = reply_read(reply_array(&rows));

			records[page.count++] = read_row(&row);
			rows.bad = rows.bad || row.bad;
		}
		if (rows.bad) {
			outcome_bad_reply(outcome);
			page.count = 0;
		}
	}
	((queue_list_fn *)target->fn)(target->arg, outcome, &page);
	mem_free(records);
}

bool queue_list(
	struct redis_link *link, const struct queue_list *args, uint64_t now_ms, queue_list_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->count >= 1 && args->count <= QUEUE_LIST_MAX);
	call_begin(&call, link, "list", CALL_READS);
	call_shard_keys(&call, args->shard);
	call_arg_u64(&call, args->state);
	call_arg(&call, args->cursor);
	call_arg_u64(&call, args->count);
	return call_send(&call, now_ms, deliver_page, (struct call_target){ (call_any_fn *)fn, arg });
}

static void deliver_show(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct queue_view_record view;
	bool good = false;

	if (reply) {
		struct reply_cursor reader = reply_read(reply), row;

		(void)reply_span(&reader);
		row = reply_read(reply_array(&reader));
		view = read_row(&row);
		good = !reader.bad && !row.bad;
		if (!good)
			outcome_bad_reply(outcome);
	}
	((queue_show_fn *)target->fn)(target->arg, outcome, good ? &view : NULL);
}

bool queue_show(
	struct redis_link *link, const struct msg_id *id, uint64_t now_ms, queue_show_fn *fn, void *arg)
{
	struct call call;

	begin_operator(&call, link, "show", CALL_READS, id);
	return call_send(&call, now_ms, deliver_show, (struct call_target){ (call_any_fn *)fn, arg });
}

static struct queue_counts read_counts(struct reply_cursor *reader)
{
	struct queue_counts counts = { .grace_ms = 0 };

	(void)reply_span(reader);
	counts.states[QUEUE_DUE] = reply_u64(reader);
	counts.states[QUEUE_DEFERRED] = reply_u64(reader);
	counts.states[QUEUE_HELD] = reply_u64(reader);
	counts.states[QUEUE_QUARANTINED] = reply_u64(reader);
	counts.tombstones = reply_u64(reader);
	counts.facts = reply_u64(reader);
	counts.grace_ms = reply_u64(reader);
	counts.generation = reply_span(reader);
	return counts;
}

static bool read_owners(struct queue_counts *counts, struct reply_cursor pairs, struct arena *arena)
{
	struct queue_count_owner *owners;

	if (pairs.bad)
		return false;
	owners = arena_alloc(arena, (pairs.array->elements / 2 + 1) * sizeof(*owners));
	counts->owners = owners;
	while (reply_has_more(&pairs)) {
		struct queue_count_owner owner = { .node = reply_incarnation(&pairs) };

		owner.owned = reply_u64(&pairs);
		if (pairs.bad)
			return false;
		counts->states[QUEUE_OWNED] += owner.owned;
		owners[counts->owner_count++] = owner;
	}
	return true;
}

static bool read_awaited(struct queue_counts *counts, struct reply_cursor pairs, struct arena *arena)
{
	struct queue_count_awaited *awaited;

	if (pairs.bad)
		return false;
	awaited = arena_alloc(arena, (pairs.array->elements / 2 + 1) * sizeof(*awaited));
	counts->awaited = awaited;
	while (reply_has_more(&pairs)) {
		struct queue_count_awaited one = { .node = reply_uuid(&pairs) };

		one.news = reply_u64(&pairs);
		if (pairs.bad)
			return false;
		awaited[counts->awaited_count++] = one;
	}
	return true;
}

static void deliver_status(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct queue_counts counts = { .grace_ms = 0 };
	struct arena arena = { 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);
		bool good;

		counts = read_counts(&reader);
		good = read_owners(&counts, reply_read(reply_array(&reader)), &arena);
		good = read_awaited(&counts, reply_read(reply_array(&reader)), &arena) && good;
		if (!good || reader.bad) {
			outcome_bad_reply(outcome);
			counts = (struct queue_counts){ .grace_ms = 0 };
		}
	}
	((queue_status_fn *)target->fn)(target->arg, outcome, &counts);
	arena_fini(&arena);
}

bool queue_status(struct redis_link *link, unsigned shard, uint64_t now_ms, queue_status_fn *fn, void *arg)
{
	struct call call;

	call_begin(&call, link, "status", CALL_READS);
	call_shard_keys(&call, shard);
	return call_send(&call, now_ms, deliver_status, (struct call_target){ (call_any_fn *)fn, arg });
}
