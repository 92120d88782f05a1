#include "skein/cluster/track_store.h"

#include "redis/call.h"
#include "skein/cluster/track_chunk.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>

enum { RUN_DIGITS = 16 };
static const char hex_digits[] = "0123456789abcdef";

struct track_name track_name_of(uint64_t run, uint64_t first)
{
	struct track_name name;

	snprintf(name.text, sizeof(name.text), "%016llx:%llu", (unsigned long long)run,
		(unsigned long long)first);
	return name;
}

bool track_name_read(struct span name, uint64_t *run_out, uint64_t *first_out)
{
	uint64_t run = 0;

	if (name.len <= RUN_DIGITS + 1 || name.ptr[RUN_DIGITS] != ':')
		return false;
	for (size_t i = 0; i < RUN_DIGITS; i++) {
		const char *digit = strchr(hex_digits, name.ptr[i]);

		if (!name.ptr[i] || !digit)
			return false;
		run = run << 4 | (uint64_t)(digit - hex_digits);
	}
	*run_out = run;
	return span_parse_u64(span_drop(name, RUN_DIGITS + 1), UINT64_MAX, first_out);
}

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin(call, link, function, mode);
	call_in_room(call, "track");
	call_key(call, ":order", SPAN_LIT(""));
	call_key(call, ":heads", SPAN_LIT(""));
	call_key(call, ":bodies", SPAN_LIT(""));
	call_key(call, ":state", SPAN_LIT(""));
}

bool track_store_put(
	struct redis_link *link, const struct track_put *put, uint64_t now_ms, track_done_fn *fn, void *arg)
{
	struct call call;

	CHECK(put->head.len > 0 && put->head.len <= TRACK_HEAD_MAX && put->body.len <= TRACK_CHUNK_BODY_MAX);
	CHECK(put->replaces_count <= TRACK_REPLACES_MAX);
	begin(&call, link, "track_put", CALL_WRITES);
	call_arg(&call, span_of_str(put->name.text));
	call_arg(&call, put->head);
	call_arg(&call, put->body);
	call_arg_u64(&call, put->size_max);
	call_arg_u64(&call, put->age_max_ms);
	call_arg(&call, put->node.len ? put->node : SPAN_LIT(""));
	call_arg(&call, span_of_str(put->node.len ? put->mark.text : ""));
	for (size_t i = 0; i < put->replaces_count; i++)
		call_arg(&call, span_of_str(put->replaces[i].text));
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_mark(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct track_mark mark = { 0 };

	/* What is no mark counts as none. */
	if (reply && reply->type == REDIS_REPLY_STRING &&
		!track_name_read(span_of(reply->str, (size_t)reply->len), &mark.run, &mark.number))
		mark = (struct track_mark){ 0 };
	((track_mark_fn *)target->fn)(target->arg, outcome, &mark);
}

bool track_store_mark(
	struct redis_link *link, struct span node, uint64_t now_ms, track_mark_fn *fn, void *arg)
{
	struct call call;
	struct buf field = { 0 };
	bool is_sent;

	buf_printf(&field, "at:%.*s", SPAN_ARGS(node));
	call_begin_plain(&call, link, "HGET");
	call_in_room(&call, "track");
	call_key(&call, ":state", SPAN_LIT(""));
	call_arg(&call, buf_span(&field));
	is_sent = call_send(&call, now_ms, deliver_mark, (struct call_target){ (call_any_fn *)fn, arg });
	buf_fini(&field);
	return is_sent;
}

static bool read_entries(struct reply_cursor *reader, struct track_listing *listing, struct arena *arena)
{
	size_t cap = reader->array->elements / 3;
	struct track_entry *entries = arena_alloc(arena, (cap + 1) * sizeof(*entries));

	while (reply_has_more(reader) && listing->count < cap) {
		struct track_entry *entry = &entries[listing->count++];

		entry->place = reply_u64(reader);
		entry->name = reply_span(reader);
		entry->head = reply_span(reader);
	}
	listing->entries = entries;
	return !reader->bad && !reply_has_more(reader);
}

static void deliver_listing(
	const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct track_listing listing = { .now_us = 0 };
	struct arena arena = { 0 };

	if (reply) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		listing.now_us = reply_u64(&reader);
		listing.kept_us = reply_u64(&reader);
		if (reader.bad || !read_entries(&reader, &listing, &arena)) {
			outcome_bad_reply(outcome);
			listing = (struct track_listing){ .now_us = 0 };
		}
	}
	((track_list_fn *)target->fn)(target->arg, outcome, &listing);
	arena_fini(&arena);
}

static void begin_list(
	struct call *call, struct redis_link *link, const char *direction, uint64_t place, size_t count)
{
	CHECK(count > 0 && count <= TRACK_LIST_MAX && place <= TRACK_PLACE_MAX);
	begin(call, link, "track_list", CALL_READS);
	call_arg(call, span_of_str(direction));
	call_arg_u64(call, place);
	call_arg_u64(call, count);
}

bool track_store_list_after(
	struct redis_link *link, uint64_t place, size_t count, uint64_t now_ms, track_list_fn *fn, void *arg)
{
	struct call call;

	begin_list(&call, link, "up", place, count);
	return call_send(&call, now_ms, deliver_listing, (struct call_target){ (call_any_fn *)fn, arg });
}

bool track_store_list_before(
	struct redis_link *link, uint64_t place, size_t count, uint64_t now_ms, track_list_fn *fn, void *arg)
{
	struct call call;

	begin_list(&call, link, "down", place, count);
	return call_send(&call, now_ms, deliver_listing, (struct call_target){ (call_any_fn *)fn, arg });
}

static void deliver_bodies(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct span bodies[TRACK_BODIES_MAX];
	size_t count = 0;

	if (reply && (reply->type != REDIS_REPLY_ARRAY || reply->elements > TRACK_BODIES_MAX)) {
		outcome_bad_reply(outcome);
		reply = NULL;
	}
	for (; reply && count < reply->elements; count++) {
		const redisReply *body = reply->element[count];
		bool is_there = body->type == REDIS_REPLY_STRING;

		bodies[count] = is_there ? span_of(body->str, (size_t)body->len) : span_of(NULL, 0);
	}
	((track_bodies_fn *)target->fn)(target->arg, outcome, bodies, count);
}

bool track_store_bodies(struct redis_link *link, const struct span *names, size_t count, uint64_t now_ms,
	track_bodies_fn *fn, void *arg)
{
	struct call call;

	CHECK(count > 0 && count <= TRACK_BODIES_MAX);
	call_begin_plain(&call, link, "HMGET");
	call_in_room(&call, "track");
	call_key(&call, ":bodies", SPAN_LIT(""));
	for (size_t i = 0; i < count; i++)
		call_arg(&call, names[i]);
	return call_send(&call, now_ms, deliver_bodies, (struct call_target){ (call_any_fn *)fn, arg });
}
