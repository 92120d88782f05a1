#include "skein/cluster/secret_store.h"

#include "redis/call.h"
#include "skein/proto/base/alloc.h"

#include <stdlib.h>

/* As secret.lua answers. */
enum { OTHER, CHANGED, FULL };

struct secret_label secret_store_label(struct span name)
{
	return (struct secret_label){ SPAN_LIT("secret"), name };
}

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin(call, link, function, mode);
	call_secrets_key(call, "");
	call_secrets_key(call, ":sealed");
	call_secrets_key(call, ":notes");
}

static struct secret_note read_note(struct reply_cursor *reader)
{
	struct secret_note note = { .version = { 0, 0 } };

	note.version.number = reply_u64(reader);
	note.version.at_ms = reply_u64(reader);
	note.author = reply_span(reader);
	note.key_id = reply_span(reader);
	return note;
}

static void deliver_change(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct secret_note note = { .version = { 0, 0 } };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);
		uint64_t what;

		(void)reply_span(&reader);
		what = reply_u64(&reader);
		note = read_note(&reader);
		if (reader.bad) {
			outcome_bad_reply(outcome);
		} else if (what == OTHER) {
			outcome->kind = OUTCOME_NOT;
		} else if (what == FULL) {
			outcome->kind = OUTCOME_ERROR;
			outcome->error = ERROR_FULL;
			outcome->text = SPAN_LIT("there are 256 secrets, no more are kept: remove one");
		}
	}
	((secret_change_fn *)target->fn)(target->arg, outcome, &note);
}

bool secret_put(struct redis_link *link, const struct secret_put *args, uint64_t now_ms, secret_change_fn *fn,
	void *arg)
{
	unsigned char id[SECRET_KEY_ID_LEN];
	struct secret_key_id id_text;
	struct call call;

	CHECK(secret_name_is_valid(args->name) && args->author.len <= SECRET_AUTHOR_MAX);
	CHECK(secret_sealed_by(args->sealed, id));
	id_text = secret_key_id_text(id);
	begin(&call, link, "secret_put", CALL_WRITES);
	call_arg(&call, args->name);
	call_arg_u64(&call, args->expected);
	call_arg(&call, args->author);
	call_arg(&call, span_of_str(id_text.text));
	call_arg(&call, args->sealed);
	call.flags = REDIS_CALL_REPLICATED;
	return call_send(&call, now_ms, deliver_change, (struct call_target){ (call_any_fn *)fn, arg });
}

bool secret_remove(struct redis_link *link, struct span name, uint64_t expected, uint64_t now_ms,
	secret_change_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "secret_remove", CALL_WRITES);
	call_arg(&call, name);
	call_arg_u64(&call, expected);
	call.flags = REDIS_CALL_REPLICATED;
	return call_send(&call, now_ms, deliver_change, (struct call_target){ (call_any_fn *)fn, arg });
}

static int by_name(const void *a, const void *b)
{
	struct span one = ((const struct secret_row *)a)->name, two = ((const struct secret_row *)b)->name;
	int order = memcmp(one.ptr, two.ptr, one.len < two.len ? one.len : two.len);

	return order ? order : (one.len > two.len) - (one.len < two.len);
}

static struct secret_row read_row(struct reply_cursor *rows)
{
	struct reply_cursor reader = reply_read(reply_array(rows));
	struct secret_row row = { .name = reply_span(&reader) };

	row.note = read_note(&reader);
	row.sealed = reply_span(&reader);
	rows->bad = rows->bad || reader.bad || !secret_name_is_valid(row.name);
	return row;
}

static void deliver_list(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct secret_list list = { .count = 0 };
	struct secret_row *rows = NULL;

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		list.version.number = reply_u64(&reader);
		list.version.at_ms = reply_u64(&reader);
		rows = mem_alloc(SECRETS_MAX * sizeof(*rows));
		while (!reader.bad && reply_has_more(&reader) && list.count < SECRETS_MAX)
			rows[list.count++] = read_row(&reader);
		if (reader.bad || reply_has_more(&reader)) {
			outcome_bad_reply(outcome);
			list.count = 0;
		}
		qsort(rows, list.count, sizeof(*rows), by_name);
		list.rows = rows;
	}
	((secret_list_fn *)target->fn)(target->arg, outcome, &list);
	mem_free(rows);
}

bool secret_list(struct redis_link *link, bool with_sealed, uint64_t now_ms, secret_list_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "secret_list", CALL_READS);
	call_arg_u64(&call, with_sealed);
	return call_send(&call, now_ms, deliver_list, (struct call_target){ (call_any_fn *)fn, arg });
}

static bool is_nil(const redisReply *reply)
{
	return reply->elements && reply->element[0]->type == REDIS_REPLY_NIL;
}

static void deliver_current(
	const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct secret_version version = { 0, 0 };

	if (reply && !is_nil(reply)) {
		struct reply_cursor reader = reply_read(reply);

		version.number = reply_u64(&reader);
		version.at_ms = reply_u64(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((secret_version_fn *)target->fn)(target->arg, outcome, &version);
}

bool secret_current(struct redis_link *link, uint64_t now_ms, secret_version_fn *fn, void *arg)
{
	struct call call;

	call_begin_plain(&call, link, "HMGET");
	call_secrets_key(&call, "");
	call_arg(&call, SPAN_LIT("number"));
	call_arg(&call, SPAN_LIT("at"));
	return call_send(&call, now_ms, deliver_current, (struct call_target){ (call_any_fn *)fn, arg });
}
