/*
 * Has a filter visited by a message as the node does it, for tests/system/test_milter.py. One JSON object on
 * standard input:
 *
 *     {"host": "127.0.0.1", "port": 1, "path": "", "connect_ms": 1000, "answer_ms": 1000, "total_ms": 5000,
 *      "folder": "/tmp/x", "message": FILE, "own": 1, "sender": "a@b", "recipients": ["c@d"],
 *      "client": "192.0.2.1", "helo": "h", "user": "", "cancel_ms": 0}
 *
 * One on standard output: what came of it, and in `edited` the file with the message as it leaves then.
 */
#include "custody/budget.h"
#include "inspect/milter.h"
#include "io/stream.h"
#include "outbound/outgoing.h"
#include "skein/proto/base/alloc.h"

#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { PIECE = 64 * 1024, MEMORY_MAX = 64 * 1024, BUDGET = 64 << 20 };

static struct {
	struct loop loop;
	struct body_store *store;
	struct message *message;
	struct header_list *list;
	struct milter_visit *visit;
	struct loop_timer cancel;
	json_t *answer;
	bool is_sealed;
} world;

static struct span text_of(json_t *order, const char *key)
{
	return span_of_str(json_string_value(json_object_get(order, key)));
}

static uint32_t number_of(json_t *order, const char *key)
{
	return (uint32_t)json_integer_value(json_object_get(order, key));
}

static json_t *json_of(struct span text)
{
	return json_stringn_nocheck(text.len ? text.ptr : "", text.len);
}

/* --- the message -------------------------------------------------------------------------------- */

static void on_sealed(void *arg, enum err err)
{
	(void)arg;
	CHECK(err == ERR_OK);
	world.is_sealed = true;
}

static void read_message(json_t *order)
{
	FILE *file = fopen(json_string_value(json_object_get(order, "message")), "rb");
	bool is_listed = false;
	char piece[PIECE];
	size_t len;

	CHECK(file);
	world.list = header_list_new(number_of(order, "own"), 1 << 20);
	while ((len = fread(piece, 1, sizeof(piece), file)) > 0) {
		(void)body_append(world.message->body, span_of(piece, len));
		if (!is_listed)
			is_listed = header_list_feed(world.list, span_of(piece, len)) != HEADER_LIST_READING;
	}
	fclose(file);
	if (!is_listed)
		(void)header_list_end(world.list);
	if (body_seal(world.message->body, on_sealed, NULL))
		world.is_sealed = true;
	while (!world.is_sealed)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
}

static void make_message(json_t *order)
{
	struct msg_id id = msg_id_make(1700000000000, 3, 1);
	json_t *recipients = json_object_get(order, "recipients");
	struct envelope *envelope;

	world.message = message_new(&id);
	envelope = &world.message->envelope;
	envelope->recipient_count = json_array_size(recipients);
	envelope->recipients = arena_zalloc(
		&world.message->arena, envelope->recipient_count * sizeof(*envelope->recipients));
	for (size_t i = 0; i < envelope->recipient_count; i++)
		envelope->recipients[i].addr = span_of_str(json_string_value(json_array_get(recipients, i)));
	envelope->sender = text_of(order, "sender");
	envelope->client_ip = text_of(order, "client");
	envelope->helo = text_of(order, "helo");
	envelope->user = text_of(order, "user");
	envelope->origin_id = SPAN_LIT("01TEST");
	world.message->body = body_new(world.store, &id, 0);
	read_message(order);
}

/* --- the answer --------------------------------------------------------------------------------- */

static json_t *addresses(const struct milter_result *result, bool is_added)
{
	const struct envelope *envelope = &world.message->envelope;
	json_t *list = json_array();

	for (size_t i = 0; is_added && i < result->added_count; i++)
		json_array_append_new(list, json_of(result->added[i]));
	for (size_t i = 0; !is_added && result->is_removed && i < envelope->recipient_count; i++) {
		if (result->is_removed[i])
			json_array_append_new(list, json_of(envelope->recipients[i].addr));
	}
	return list;
}

static void on_visited(void *arg, const struct milter_result *result)
{
	static const char *const names[] = { "accepted", "refused", "discarded", "failed" };

	(void)arg;
	world.visit = NULL;
	world.answer = json_pack("{ss ss? si ss so so so so}", "outcome", names[result->outcome], "why",
		result->why, "code", (int)result->reply.code, "enhanced",
		result->reply.enhanced ? result->reply.enhanced : "", "text", json_of(result->reply.text),
		"added", addresses(result, true), "removed", addresses(result, false), "quarantine",
		result->is_quarantined ? json_of(result->quarantine_reason) : json_null());
	if (result->has_sender)
		json_object_set_new(world.answer, "sender", json_of(result->sender));
}

static void on_cancel(void *arg)
{
	(void)arg;
	milter_cancel(&world.visit);
	world.answer = json_pack("{ss}", "outcome", "cancelled");
}

static void on_readable(void *arg)
{
	*(bool *)arg = true;
}

static void write_edited(const char *folder)
{
	struct arena arena = { 0 };
	struct header_edits edits;
	struct rewrite_rules rules = { .edits = &edits };
	struct outgoing_change change = { .rules = &rules };
	struct outgoing *outgoing;
	struct span piece;
	bool is_readable = true;
	char path[4096];
	enum body_read read;
	FILE *file;

	CHECK(header_list_edits(world.list, &arena, &edits));
	snprintf(path, sizeof(path), "%s/edited", folder);
	file = fopen(path, "wb");
	CHECK(file);
	outgoing = outgoing_new(world.message->body, &change, PIECE, on_readable, &is_readable);
	while ((read = outgoing_next(outgoing, &piece)) != BODY_READ_END) {
		CHECK(read != BODY_READ_FAILED);
		is_readable = read == BODY_READ_PIECE;
		if (is_readable)
			fwrite(piece.ptr, 1, piece.len, file);
		while (!is_readable)
			uv_run(&world.loop.uv, UV_RUN_ONCE);
	}
	outgoing_free(&outgoing);
	fclose(file);
	json_object_set_new(world.answer, "edited", json_string(path));
	arena_fini(&arena);
}

/* --- one visit ---------------------------------------------------------------------------------- */

static void visit(json_t *order)
{
	const struct inspection_filter filter = { "test", text_of(order, "host").ptr,
		(uint16_t)number_of(order, "port"), text_of(order, "path").ptr,
		number_of(order, "connect_ms"), number_of(order, "answer_ms"), number_of(order, "total_ms"),
		INSPECTION_TROUBLE_DEFER };
	struct milter_desk desk = { .loop = &world.loop, .hostname = "mx.example" };
	const struct milter_request request = { &filter, world.message, world.list,
		{ .client_port = 1025, .auth_type = SPAN_LIT("PLAIN") } };

	loop_timer_init(&world.cancel, on_cancel, NULL);
	if (number_of(order, "cancel_ms"))
		loop_timer_set(&world.loop, &world.cancel, number_of(order, "cancel_ms"));
	world.visit = milter_begin(&desk, &request, on_visited, NULL);
	while (!world.answer)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
	loop_timer_cancel(&world.loop, &world.cancel);
	while (desk.under_way)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
}

int main(void)
{
	struct body_store_options options = { .memory_max = MEMORY_MAX };
	struct budget budget;
	json_t *order = json_loadf(stdin, 0, NULL);
	char *text;

	if (!order || loop_init(&world.loop) != ERR_OK)
		return 2;
	signal(SIGPIPE, SIG_IGN);
	budget_init(&budget, BUDGET, 80);
	options.loop = &world.loop.uv;
	options.dir = text_of(order, "folder").ptr;
	options.budget = &budget;
	world.store = body_store_new(&options);
	make_message(order);
	visit(order);
	write_edited(options.dir);
	text = json_dumps(world.answer, JSON_COMPACT | JSON_SORT_KEYS | JSON_ENSURE_ASCII);
	puts(text);
	free(text);
	json_decref(world.answer);
	header_list_free(&world.list);
	message_unref(&world.message);
	while (world.loop.uv.active_reqs.count)
		uv_run(&world.loop.uv, UV_RUN_ONCE);
	body_store_free(&world.store);
	stream_abort_all(&world.loop);
	loop_fini(&world.loop);
	json_decref(order);
	return 0;
}
