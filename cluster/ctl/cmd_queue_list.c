/* skeinctl queue list */
#include "call.h"
#include "human.h"
#include "message_view.h"
#include "queue_walk.h"
#include "screen.h"
#include "skein/proto/base/alloc.h"

#include <stdio.h>
#include <stdlib.h>

enum {
	LIMIT_DEFAULT = 50,
	LIMIT_MAX = 1000000,
	SORT_MAX = 100000, /* rows kept to be sorted */
};

/* One message as it will be shown; text in the arena. */
struct row {
	struct msg_id id;
	struct queue_view_record record; /* without its spans */
	struct span next, sender, recipient;
	json_t *json; /* NULL when text is wanted */
};

struct listing {
	struct session *session;
	struct roster roster;
	bool has_state, is_sorted;
	enum queue_state state;
	uint64_t limit;

	struct row *rows;
	size_t row_count, row_cap, row_max;
	bool is_cut; /* there are more */
	struct arena arena;
};

static struct span keep_text(struct listing *listing, struct buf *text)
{
	struct span kept = arena_dup(&listing->arena, buf_span(text));

	buf_clear(text);
	return kept;
}

static void fill_text(struct listing *listing, struct row *row, const struct message_view *message)
{
	const struct envelope_recipient *recipient = message_next_recipient(message);
	size_t others = message->envelope.recipient_count;
	struct buf text = { 0 };

	message_append_next(&text, message->record, &listing->roster);
	row->next = keep_text(listing, &text);
	if (message->is_readable)
		message_append_path(&text, message->envelope.sender);
	else
		buf_append_str(&text, "?");
	row->sender = keep_text(listing, &text);
	if (recipient) {
		message_append_path(&text, recipient->addr);
		if (others > 1)
			buf_printf(&text, " +%zu", others - 1);
	}
	row->recipient = keep_text(listing, &text);
	buf_fini(&text);
}

static void add_row(struct listing *listing, const struct queue_view_record *record)
{
	struct arena arena = { 0 };
	struct message_view message = message_view_of(record, &arena);
	struct row *row;

	if (listing->row_count == listing->row_cap) {
		listing->row_cap = listing->row_cap ? listing->row_cap * 2 : 64;
		listing->rows = mem_realloc(listing->rows, listing->row_cap * sizeof(*listing->rows));
	}
	row = &listing->rows[listing->row_count++];
	*row = (struct row){ .id = record->record.id, .record = *record };
	if (listing->session->is_json)
		row->json = message_json(&message, &listing->roster);
	else
		fill_text(listing, row, &message);
	arena_fini(&arena);
}

static bool take_record(void *arg, const struct queue_view_record *record)
{
	struct listing *listing = arg;

	if (listing->row_count == listing->row_max) {
		listing->is_cut = true;
		return false;
	}
	add_row(listing, record);
	return true;
}

/* An id begins with the time at which it was made. */
static int by_id(const void *a, const void *b)
{
	return memcmp(((const struct row *)a)->id.bytes, ((const struct row *)b)->id.bytes, MSG_ID_LEN);
}

/* ---- output ---- */

static void print_json(struct listing *listing, size_t count, bool has_more)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append(rows, listing->rows[i].json);
	screen_print_json(json_pack("{s:o, s:b}", "messages", rows, "more", has_more));
}

static enum tint tint_of(enum queue_state state)
{
	static const enum tint tints[] = {
		[QUEUE_OWNED] = TINT_GOOD, [QUEUE_HELD] = TINT_WARN, [QUEUE_QUARANTINED] = TINT_BAD
	};

	return (size_t)state < ARRAY_LEN(tints) ? tints[state] : TINT_NONE;
}

static void add_grid_row(struct grid *grid, const struct row *row)
{
	struct buf text = { 0 };

	grid_printf(grid, TINT_NONE, "%s", msg_id_format(&row->id).text);
	grid_printf(grid, tint_of(row->record.state), "%s", queue_state_name(row->record.state));
	human_duration(&text, row->record.record.age_ms);
	grid_add(grid, buf_span(&text), TINT_NONE);
	buf_clear(&text);
	human_bytes(&text, row->record.record.size);
	grid_add(grid, buf_span(&text), TINT_NONE);
	grid_printf(grid, TINT_NONE, "%u", row->record.record.attempts);
	grid_add(grid, row->next, TINT_NONE);
	grid_add(grid, row->sender, TINT_NONE);
	grid_add(grid, row->recipient, TINT_NONE);
	buf_fini(&text);
}

static void print_text(struct listing *listing, size_t count, bool has_more)
{
	static const struct grid_column columns[] = {
		{ .title = "ID" },
		{ .title = "STATE" },
		{ .title = "AGE", .is_number = true },
		{ .title = "SIZE", .is_number = true },
		{ .title = "TRIES", .is_number = true },
		{ .title = "NEXT" },
		{ .title = "FROM" },
		{ .title = "TO" },
	};
	struct grid grid;

	if (count == 0) {
		puts("no messages");
		return;
	}
	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < count; i++)
		add_grid_row(&grid, &listing->rows[i]);
	screen_print_grid(&grid);
	if (has_more)
		printf("the first %zu; there are more: --limit %llu\n", count,
			(unsigned long long)listing->limit * 10);
	if (listing->is_sorted && listing->is_cut)
		printf("the queue is too long to be sorted whole: these are the oldest of %zu\n",
			listing->row_count);
}

static void print(struct listing *listing)
{
	size_t count = listing->row_count < listing->limit ? listing->row_count : (size_t)listing->limit;
	bool has_more = listing->is_cut || listing->row_count > count;

	if (listing->is_sorted)
		qsort(listing->rows, listing->row_count, sizeof(*listing->rows), by_id);
	if (listing->session->is_json)
		print_json(listing, count, has_more);
	else
		print_text(listing, count, has_more);
}

static void drop_rows(struct listing *listing)
{
	for (size_t i = 0; i < listing->row_count; i++)
		json_decref(listing->rows[i].json);
	mem_free(listing->rows);
	listing->rows = NULL;
	listing->row_count = listing->row_cap = 0;
	listing->is_cut = false;
	arena_reset(&listing->arena);
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct listing *listing = arg;
	enum ctl_exit exit = roster_load(&listing->roster, session);

	listing->session = session;
	listing->row_max = listing->is_sorted ? SORT_MAX : (size_t)listing->limit;
	if (!exit)
		exit = queue_walk(session, listing->has_state ? &listing->state : NULL, take_record, listing);
	if (!exit)
		print(listing);
	drop_rows(listing);
	roster_fini(&listing->roster);
	return exit;
}

enum ctl_exit cmd_queue_list(struct ctl_options *options, const struct call *call)
{
	struct listing listing = { .limit = call_number(call, "limit", LIMIT_DEFAULT),
		.is_sorted = call_has(call, "sort"),
		.has_state = call_has(call, "state") };
	enum ctl_exit exit;

	if (listing.has_state)
		CHECK(queue_state_parse(span_of_str(call_text(call, "state")), &listing.state));
	exit = session_run(options, work, &listing);
	arena_fini(&listing.arena);
	return exit;
}
