#include "skein/cluster/policy_store.h"

#include "redis/call.h"

#include "skein/cluster/policy.h"
#include "skein/proto/base/alloc.h"

#include <stdlib.h>

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin(call, link, function, mode);
	call_policy_key(call, "");
	call_policy_key(call, ":texts");
	call_policy_key(call, ":notes");
}

static void deliver_put(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct policy_note note = { .size = 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		if (reply_u64(&reader) == 0)
			outcome->kind = OUTCOME_NOT;
		note.version.number = reply_u64(&reader);
		note.version.at_ms = reply_u64(&reader);
		note.author = reply_span(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((policy_put_fn *)target->fn)(target->arg, outcome, &note);
}

bool policy_put(
	struct redis_link *link, const struct policy_put *args, uint64_t now_ms, policy_put_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->author.len <= POLICY_AUTHOR_MAX && args->comment.len <= POLICY_COMMENT_MAX);
	CHECK(args->text.len <= POLICY_TEXT_MAX);
	begin(&call, link, "policy_put", CALL_WRITES);
	call_arg_u64(&call, args->expected);
	call_arg(&call, args->author);
	call_arg(&call, args->comment);
	call_arg(&call, args->text);
	call.flags = REDIS_CALL_REPLICATED;
	return call_send(&call, now_ms, deliver_put, (struct call_target){ (call_any_fn *)fn, arg });
}

bool policy_restore(struct redis_link *link, const struct policy_note *note, struct span text,
	uint64_t now_ms, policy_put_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "policy_restore", CALL_WRITES);
	call_arg_u64(&call, note->version.number);
	call_arg_u64(&call, note->version.at_ms);
	call_arg(&call, note->author);
	call_arg(&call, note->comment);
	call_arg(&call, text);
	call.flags = REDIS_CALL_REPLICATED;
	return call_send(&call, now_ms, deliver_put, (struct call_target){ (call_any_fn *)fn, arg });
}

static struct policy_note read_note(struct reply_cursor *reader)
{
	struct policy_note note = { .size = 0 };

	note.version.number = reply_u64(reader);
	note.version.at_ms = reply_u64(reader);
	note.author = reply_span(reader);
	note.comment = reply_span(reader);
	return note;
}

static void deliver_get(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct policy_note note = { .size = 0 };
	struct span text = { 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		note = read_note(&reader);
		text = reply_span(&reader);
		note.size = text.len;
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((policy_get_fn *)target->fn)(target->arg, outcome, &note, text);
}

bool policy_get(struct redis_link *link, uint64_t number, uint64_t now_ms, policy_get_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "policy_get", CALL_READS);
	call_arg_u64(&call, number);
	return call_send(&call, now_ms, deliver_get, (struct call_target){ (call_any_fn *)fn, arg });
}

static bool is_nil(const redisReply *reply, size_t index)
{
	return index < reply->elements && reply->element[index]->type == REDIS_REPLY_NIL;
}

static void deliver_current(
	const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct policy_version version = { 0, 0 };

	if (reply && !is_nil(reply, 0)) {
		struct reply_cursor reader = reply_read(reply);

		version.number = reply_u64(&reader);
		version.at_ms = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((policy_version_fn *)target->fn)(target->arg, outcome, &version);
}

bool policy_current(struct redis_link *link, uint64_t now_ms, policy_version_fn *fn, void *arg)
{
	struct call call;

	call_begin_plain(&call, link, "HMGET");
	call_policy_key(&call, "");
	call_arg(&call, SPAN_LIT("number"));
	call_arg(&call, SPAN_LIT("at"));
	return call_send(&call, now_ms, deliver_current, (struct call_target){ (call_any_fn *)fn, arg });
}

static int newest_first(const void *a, const void *b)
{
	uint64_t one = ((const struct policy_note *)a)->version.number;
	uint64_t two = ((const struct policy_note *)b)->version.number;

	return (one < two) - (one > two);
}

static void deliver_history(
	const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct policy_history history = { .count = 0 };
	struct policy_note *notes = NULL;

	if (reply) {
		struct reply_cursor rows = reply_read(reply);

		(void)reply_span(&rows);
		history.current = reply_u64(&rows);
		notes = mem_alloc(reply->elements * sizeof(*notes));
		while (reply_has_more(&rows)) {
			struct reply_cursor row = reply_read(reply_array(&rows));

			notes[history.count] = read_note(&row);
			notes[history.count++].size = reply_u64(&row);
			rows.bad = rows.bad || row.bad;
		}
		if (rows.bad) {
			outcome_bad_reply(outcome);
			history = (struct policy_history){ .count = 0 };
		}
		qsort(notes, history.count, sizeof(*notes), newest_first);
		history.notes = notes;
	}
	((policy_history_fn *)target->fn)(target->arg, outcome, &history);
	mem_free(notes);
}

bool policy_history(struct redis_link *link, uint64_t now_ms, policy_history_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "policy_history", CALL_READS);
	return call_send(&call, now_ms, deliver_history, (struct call_target){ (call_any_fn *)fn, arg });
}
