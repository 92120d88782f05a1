#include "skein/cluster/alert_store.h"

#include "redis/call.h"
#include "skein/proto/base/check.h"

static void begin(struct call *call, struct redis_link *link, const char *function, enum call_mode mode)
{
	call_begin(call, link, function, mode);
	call_in_room(call, "alerts");
	call_key(call, ":state", SPAN_LIT(""));
}

static void put_counts(struct call *call, const struct alert_counts *counts)
{
	for (size_t i = 0; i < counts->count; i++) {
		CHECK(counts->items[i].name.len && counts->items[i].name.len <= ALERT_TELL_NAME_MAX);
		call_arg(call, counts->items[i].name);
		call_arg_u64(call, counts->items[i].step);
	}
}

bool alert_store_tell(struct redis_link *link, const struct alert_tell *args, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->said.len <= ALERT_TELL_NODE_MAX);
	CHECK(args->senders.count <= ALERT_TELL_NAMES_MAX && args->logins.count <= ALERT_TELL_NAMES_MAX);
	begin(&call, link, "alerts_tell", CALL_WRITES);
	call_arg(&call, span_of_str(args->node.text));
	call_arg(&call, args->said);
	call_arg_u64(&call, args->counters.count);
	put_counts(&call, &args->counters);
	call_arg_u64(&call, args->senders.count);
	put_counts(&call, &args->senders);
	put_counts(&call, &args->logins);
	return call_send_plain(&call, now_ms, fn, arg);
}

/* --- replies ------------------------------------------------------------------------------------ */

/* Pairs, or with a time in the middle. Marks the reader as bad where they are none. */
static struct alert_notes read_notes(struct reply_cursor *reader, bool has_time, struct arena *arena)
{
	struct alert_note *notes =
		arena_alloc(arena, (reader->bad ? 1 : reader->array->elements + 1) * sizeof(*notes));
	struct alert_notes list = { notes, 0 };

	while (reply_has_more(reader)) {
		struct alert_note *note = &notes[list.count++];

		note->name = reply_span(reader);
		note->at_ms = has_time ? reply_u64(reader) : 0;
		note->text = reply_span(reader);
	}
	return list;
}

static struct alert_notes read_note_list(struct reply_cursor *reader, bool has_time, struct arena *arena)
{
	struct reply_cursor inner = reply_read(reply_array(reader));
	struct alert_notes list = read_notes(&inner, has_time, arena);

	reader->bad = reader->bad || inner.bad;
	return list;
}

static struct alert_counts read_counts(struct reply_cursor *reader, struct arena *arena)
{
	struct reply_cursor inner = reply_read(reply_array(reader));
	struct alert_count *counts =
		arena_alloc(arena, (inner.bad ? 1 : inner.array->elements + 1) * sizeof(*counts));
	struct alert_counts list = { counts, 0 };

	while (reply_has_more(&inner)) {
		struct alert_count *count = &counts[list.count++];

		count->name = reply_span(&inner);
		count->step = reply_u64(&inner);
	}
	reader->bad = reader->bad || inner.bad;
	return list;
}

static void read_senders(struct reply_cursor *reader, struct alert_store_view *view, struct arena *arena)
{
	struct reply_cursor inner = reply_read(reply_array(reader));
	struct alert_store_sender *senders =
		arena_alloc(arena, (inner.bad ? 1 : inner.array->elements + 1) * sizeof(*senders));

	view->senders = senders;
	while (reply_has_more(&inner)) {
		struct alert_store_sender *sender = &senders[view->sender_count++];

		sender->name = reply_span(&inner);
		sender->recent = reply_u64(&inner);
		sender->usual = reply_u64(&inner);
	}
	reader->bad = reader->bad || inner.bad;
}

/* --- the leader --------------------------------------------------------------------------------- */

static void deliver_view(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct alert_store_view view = { .now_ms = 0 };
	struct arena arena = { 0 };

	if (reply && outcome_is_ok(outcome)) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		view.now_ms = reply_u64(&reader);
		view.number = reply_u64(&reader);
		view.waiting = reply_u64(&reader);
		view.dropped = reply_u64(&reader);
		view.firing = read_note_list(&reader, false, &arena);
		view.silences = read_note_list(&reader, false, &arena);
		view.counters = read_counts(&reader, &arena);
		view.nodes = read_note_list(&reader, true, &arena);
		read_senders(&reader, &view, &arena);
		view.logins = read_counts(&reader, &arena);
		view.tests = read_note_list(&reader, false, &arena);
		if (reader.bad) {
			outcome_bad_reply(outcome);
			view = (struct alert_store_view){ .now_ms = 0 };
		}
	}
	((alert_store_look_fn *)target->fn)(target->arg, outcome, &view);
	arena_fini(&arena);
}

bool alert_store_look(struct redis_link *link, const struct alert_store_look *args, uint64_t now_ms,
	alert_store_look_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_look", CALL_WRITES);
	call_arg(&call, call_incarnation_text(&call, &args->leader));
	call_arg(&call, args->name);
	call_arg_u64(&call, args->window_ms);
	call_arg_u64(&call, args->least_messages);
	call_arg_u64(&call, ALERT_SENDERS_LOOK);
	call_arg_u64(&call, args->least_failures);
	return call_send(&call, now_ms, deliver_view, (struct call_target){ (call_any_fn *)fn, arg });
}

bool alert_store_put(struct redis_link *link, const struct alert_store_put *args, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_put", CALL_WRITES);
	call_arg_u64(&call, args->number);
	call_arg_u64(&call, args->changes.count);
	for (size_t i = 0; i < args->changes.count; i++) {
		call_arg(&call, args->changes.items[i].name);
		call_arg(&call, args->changes.items[i].text);
	}
	for (size_t i = 0; i < args->notices.count; i++) {
		CHECK(args->notices.items[i].text.len <= ALERT_NOTICE_MAX);
		call_arg(&call, args->notices.items[i].name);
		call_arg(&call, args->notices.items[i].text);
	}
	return call_send_plain(&call, now_ms, fn, arg);
}

/* --- the outbox --------------------------------------------------------------------------------- */

static void deliver_outbox(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct alert_notes notices = { .count = 0 };
	struct arena arena = { 0 };
	uint64_t at_ms = 0;

	if (reply && outcome_is_ok(outcome)) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		at_ms = reply_u64(&reader);
		notices = read_notes(&reader, true, &arena);
		if (reader.bad) {
			outcome_bad_reply(outcome);
			notices.count = 0;
		}
	}
	((alert_store_outbox_fn *)target->fn)(target->arg, outcome, at_ms, &notices);
	arena_fini(&arena);
}

bool alert_store_outbox(struct redis_link *link, uint64_t now_ms, alert_store_outbox_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_outbox", CALL_READS);
	return call_send(&call, now_ms, deliver_outbox, (struct call_target){ (call_any_fn *)fn, arg });
}

bool alert_store_given(struct redis_link *link, struct span id, bool was_dropped, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_given", CALL_WRITES);
	call_arg(&call, id);
	call_arg_u64(&call, was_dropped);
	return call_send_plain(&call, now_ms, fn, arg);
}

/* --- operators ---------------------------------------------------------------------------------- */

bool alert_store_silence(struct redis_link *link, const struct alert_silence *args, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg)
{
	struct call call;

	CHECK(args->why.len <= ALERT_WHY_MAX);
	begin(&call, link, "alerts_silence", CALL_WRITES);
	call_arg(&call, args->what);
	call_arg_u64(&call, args->for_ms);
	call_arg(&call, args->by);
	call_arg(&call, args->why);
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_list(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct alert_store_list list = { .now_ms = 0 };
	struct arena arena = { 0 };

	if (reply && outcome_is_ok(outcome)) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		list.now_ms = reply_u64(&reader);
		list.at_ms = reply_u64(&reader);
		list.by = reply_span(&reader);
		list.waiting = reply_u64(&reader);
		list.dropped = reply_u64(&reader);
		list.firing = read_note_list(&reader, false, &arena);
		list.silences = read_note_list(&reader, false, &arena);
		if (reader.bad) {
			outcome_bad_reply(outcome);
			list = (struct alert_store_list){ .now_ms = 0 };
		}
	}
	((alert_store_list_fn *)target->fn)(target->arg, outcome, &list);
	arena_fini(&arena);
}

bool alert_store_list(struct redis_link *link, uint64_t now_ms, alert_store_list_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_list", CALL_READS);
	return call_send(&call, now_ms, deliver_list, (struct call_target){ (call_any_fn *)fn, arg });
}

bool alert_store_test(struct redis_link *link, struct span id, struct span channel, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_test", CALL_WRITES);
	call_arg(&call, id);
	call_arg(&call, channel);
	return call_send_plain(&call, now_ms, fn, arg);
}

bool alert_store_tested(struct redis_link *link, struct span id, struct span text, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_tested", CALL_WRITES);
	call_arg(&call, id);
	call_arg(&call, text);
	return call_send_plain(&call, now_ms, fn, arg);
}

static void deliver_result(const struct call_target *target, struct outcome *outcome, const redisReply *reply)
{
	struct span text = SPAN_LIT("");

	if (reply && outcome_is_ok(outcome)) {
		struct reply_cursor reader = reply_read(reply);

		(void)reply_span(&reader);
		text = reply_span(&reader);
		if (reader.bad)
			outcome_bad_reply(outcome);
	}
	((alert_store_result_fn *)target->fn)(target->arg, outcome, text);
}

bool alert_store_result(
	struct redis_link *link, struct span id, uint64_t now_ms, alert_store_result_fn *fn, void *arg)
{
	struct call call;

	begin(&call, link, "alerts_outcome", CALL_READS);
	call_arg(&call, id);
	return call_send(&call, now_ms, deliver_result, (struct call_target){ (call_any_fn *)fn, arg });
}
