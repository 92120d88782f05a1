/*
 * A report goes into the table and into `pending`; a tick sends it, and puts it back if no answer comes. A
 * question who probes goes the same way. The poll brings what others have told, and what became of ours.
 *
 *          probe()            sent             "0"              probe()
 *   NONE ─────────▶ WANTED ─────────▶ ASKED ─────────▶ OURS ─────────────▶ TAKEN ──▶ report ──▶ NONE
 *     ▲                                 │ "wait"                             │
 *     └───────────── in time ───── OTHERS                                    │
 *     └─────────────────────────────── in time ──────────────────────────────┘
 */
#include "skein/cluster/hop_board.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/heap.h"
#include "skein/proto/base/list.h"
#include "skein/proto/base/table.h"

enum {
	CALLS_MAX = 100,     /* of one tick */
	ROUND_TRIP_MS = 200, /* what we told comes back as so much later at most */
	ASK_MAX_MS = 2000,   /* that Redis may take to say who probes */
};

enum claim { CLAIM_NONE, CLAIM_WANTED, CLAIM_ASKED, CLAIM_OURS, CLAIM_TAKEN, CLAIM_OTHERS };

struct hop {
	struct heap_node by_end; /* due: when it is forgotten */
	struct list pending;     /* is_untold, or CLAIM_WANTED */
	enum hop_state state;    /* HOP_UP: until it is told */
	uint64_t until_ms;
	bool is_forced;
	bool is_untold, is_telling; /* our report: to be sent, sent */
	bool is_listed;             /* scratch of a poll that brings all */
	enum claim claim;
	uint64_t claim_ends_ms; /* TAKEN, OTHERS; WANTED, ASKED: when we decide by ourselves */
	size_t label_len, why_len;
	char why[HOP_WHY_MAX];
	char label[];
};

struct hop_board {
	struct hop_board_options options;
	/* What follows is under the lock. */
	struct table by_label;
	struct heap by_end;
	struct list pending;
	uint64_t changes;
	bool is_linked;
	char self[HOP_BY_MAX + 1];
	/* What follows is the ticking thread's. */
	uint64_t version, next_tick_ms, next_poll_ms, polled_ms, now_ms;
	bool is_polling;
};

/* A call under way about one hop, which may be forgotten meanwhile. */
struct hop_call {
	struct hop_board *board;
	uint64_t sent_ms;
	size_t label_len;
	char label[HOP_LABEL_MAX];
};

struct hop_board *hop_board_new(const struct hop_board_options *options)
{
	struct hop_board *board = mem_zalloc(sizeof(*board));

	CHECK(options->hops_max > 0);
	board->options = *options;
	table_init(&board->by_label, options->seed);
	list_init(&board->pending);
	return board;
}

static void lock(struct hop_board *board)
{
	shared_lock_take(&board->options.lock);
}

static void unlock(struct hop_board *board)
{
	shared_lock_release(&board->options.lock);
}

void hop_board_set_self(struct hop_board *board, const char *name)
{
	size_t len = strlen(name);

	CHECK(len > 0 && len <= HOP_BY_MAX);
	lock(board);
	memcpy(board->self, name, len + 1);
	unlock(board);
}

/* ---- the table; under the lock ---- */

static struct hop *find(const struct hop_board *board, struct span label)
{
	return table_get(&board->by_label, label);
}

static void forget(struct hop_board *board, struct hop *hop)
{
	table_remove(&board->by_label, span_of(hop->label, hop->label_len));
	heap_remove(&board->by_end, &hop->by_end);
	list_remove(&hop->pending);
	mem_free(hop);
	board->changes++;
}

void hop_board_free(struct hop_board **board)
{
	struct heap_node *node;

	while ((node = heap_peek(&(*board)->by_end)))
		forget(*board, CONTAINER_OF(node, struct hop, by_end));
	table_fini(&(*board)->by_label);
	heap_fini(&(*board)->by_end);
	mem_free(*board);
	*board = NULL;
}

static void forget_ended(struct hop_board *board, uint64_t now_ms)
{
	struct heap_node *node;

	while ((node = heap_peek(&board->by_end)) && node->due <= now_ms)
		forget(board, CONTAINER_OF(node, struct hop, by_end));
}

static struct hop *find_or_make(struct hop_board *board, struct span label)
{
	struct hop *hop = find(board, label);

	if (hop)
		return hop;
	if (board->by_label.count >= board->options.hops_max)
		forget(board, CONTAINER_OF(heap_peek(&board->by_end), struct hop, by_end));
	hop = mem_zalloc(sizeof(*hop) + label.len);
	hop->label_len = label.len;
	memcpy(hop->label, label.ptr, label.len);
	list_init(&hop->pending);
	table_put(&board->by_label, span_of(hop->label, hop->label_len), hop);
	return hop;
}

/* The only place that writes `state` and `until_ms`. What was claimed was about what was before. */
static void enter(struct hop_board *board, struct hop *hop, enum hop_state state, uint64_t until_ms)
{
	bool is_kept = state != HOP_SLOW;

	if (hop->state != state || hop->until_ms + ROUND_TRIP_MS < until_ms) {
		hop->claim = CLAIM_NONE;
		board->changes++;
	}
	hop->state = state;
	hop->until_ms = until_ms;
	heap_set(&board->by_end, &hop->by_end, until_ms + (is_kept ? HOP_KEEP_MS : 0));
}

static void put_pending(struct hop_board *board, struct hop *hop)
{
	if (!list_is_linked(&hop->pending))
		list_push_back(&board->pending, &hop->pending);
}

static bool is_operators(const struct hop *hop, uint64_t now_ms)
{
	return hop->is_forced && hop->until_ms > now_ms;
}

/* ---- for workers ---- */

static void note_why(struct hop *hop, struct span why)
{
	hop->why_len = why.len < HOP_WHY_MAX ? why.len : HOP_WHY_MAX;
	for (size_t i = 0; i < hop->why_len; i++)
		hop->why[i] = why.ptr[i] >= ' ' && why.ptr[i] <= '~' ? why.ptr[i] : '?';
}

static void report(struct hop_board *board, struct hop *hop, enum hop_state state, uint64_t until_ms)
{
	enter(board, hop, state, until_ms);
	hop->claim = CLAIM_NONE;
	hop->is_forced = false;
	hop->is_untold = true;
	put_pending(board, hop);
}

void hop_board_report(struct hop_board *board, struct span label, enum hop_state state, uint64_t pause_ms,
	struct span why, uint64_t now_ms)
{
	uint64_t until_ms = now_ms + (pause_ms < HOP_PAUSE_MAX_MS ? pause_ms : HOP_PAUSE_MAX_MS);
	struct hop *hop;

	CHECK(label.len > 0 && label.len <= HOP_LABEL_MAX && state < HOP_STATES);
	lock(board);
	forget_ended(board, now_ms);
	hop = find(board, label);
	if (state == HOP_UP) {
		if (hop && hop->state != HOP_UP && !is_operators(hop, now_ms))
			report(board, hop, HOP_UP, now_ms);
	} else if (!hop || !is_operators(hop, now_ms)) {
		hop = find_or_make(board, label);
		if (hop->state == state && hop->until_ms > until_ms)
			until_ms = hop->until_ms;
		note_why(hop, why);
		report(board, hop, state, until_ms);
	}
	unlock(board);
}

struct hop_view hop_board_state(struct hop_board *board, struct span label, uint64_t now_ms)
{
	struct hop_view view = { .state = HOP_UP };
	const struct hop *hop;

	lock(board);
	forget_ended(board, now_ms);
	hop = find(board, label);
	if (hop && hop->state != HOP_UP) {
		view.state = hop->state;
		view.left_ms = hop->until_ms > now_ms ? hop->until_ms - now_ms : 0;
		view.is_forced = is_operators(hop, now_ms);
	}
	unlock(board);
	return view;
}

static uint64_t min_u64(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t take_claim(struct hop *hop, uint64_t now_ms)
{
	hop->claim = CLAIM_TAKEN;
	hop->claim_ends_ms = now_ms + HOP_PROBE_MS;
	return 0;
}

static uint64_t claim_probe(struct hop_board *board, struct hop *hop, uint64_t now_ms)
{
	bool is_over = hop->claim_ends_ms <= now_ms;

	if (hop->claim == CLAIM_OURS && !is_over) {
		hop->claim = CLAIM_TAKEN;
		return 0;
	}
	if ((hop->claim == CLAIM_WANTED || hop->claim == CLAIM_ASKED) && is_over)
		return take_claim(hop, now_ms);
	if (hop->claim != CLAIM_NONE && !is_over)
		return min_u64(hop->claim_ends_ms - now_ms,
			hop->claim == CLAIM_WANTED || hop->claim == CLAIM_ASKED ? HOP_BOARD_AGAIN_MS
										: HOP_BOARD_POLL_MS);
	if (!board->is_linked)
		return take_claim(hop, now_ms);
	hop->claim = CLAIM_WANTED;
	hop->claim_ends_ms = now_ms + ASK_MAX_MS;
	put_pending(board, hop);
	return HOP_BOARD_AGAIN_MS;
}

uint64_t hop_board_probe(struct hop_board *board, struct span label, uint64_t now_ms)
{
	struct hop *hop;
	uint64_t wait_ms = 0;

	lock(board);
	forget_ended(board, now_ms);
	hop = find(board, label);
	if (hop && hop->state == HOP_DOWN)
		wait_ms = hop->until_ms > now_ms ? hop->until_ms - now_ms : claim_probe(board, hop, now_ms);
	unlock(board);
	return wait_ms;
}

uint64_t hop_board_changes(struct hop_board *board)
{
	uint64_t changes;

	lock(board);
	changes = board->changes;
	unlock(board);
	return changes;
}

size_t hop_board_count(struct hop_board *board, enum hop_state state)
{
	size_t count = 0, cursor = 0;
	const struct hop *hop;

	lock(board);
	while ((hop = table_next(&board->by_label, &cursor)))
		count += hop->state == state;
	unlock(board);
	return count;
}

/* ---- telling and asking ---- */

static struct hop_call *call_new(struct hop_board *board, const struct hop *hop)
{
	struct hop_call *call = mem_zalloc(sizeof(*call));

	call->board = board;
	call->sent_ms = board->now_ms;
	call->label_len = hop->label_len;
	memcpy(call->label, hop->label, hop->label_len);
	return call;
}

static struct hop *hop_of(const struct hop_call *call)
{
	return find(call->board, span_of(call->label, call->label_len));
}

static void on_told(void *arg, const struct outcome *outcome)
{
	struct hop_call *call = arg;
	struct hop_board *board = call->board;
	struct hop *hop;

	lock(board);
	hop = hop_of(call);
	if (hop && hop->is_telling) {
		hop->is_telling = false;
		if (outcome->kind == OUTCOME_NOT) {
			/* What the operator said comes with all the rest. */
			board->version = 0;
		} else if (!outcome_is_ok(outcome)) {
			hop->is_untold = true;
		}
		if (hop->is_untold)
			put_pending(board, hop);
		else if (hop->state == HOP_UP)
			forget(board, hop);
	}
	unlock(board);
	mem_free(call);
}

static void on_probe(void *arg, const struct outcome *outcome, uint64_t wait_ms)
{
	struct hop_call *call = arg;
	struct hop *hop;

	lock(call->board);
	hop = hop_of(call);
	if (hop && hop->claim == CLAIM_ASKED && outcome_is_ok(outcome)) {
		hop->claim = wait_ms ? CLAIM_OTHERS : CLAIM_OURS;
		hop->claim_ends_ms = call->sent_ms + (wait_ms ? wait_ms : HOP_PROBE_MS);
	}
	unlock(call->board);
	mem_free(call);
}

static void tell(struct hop_board *board, struct hop *hop, struct redis_link *link)
{
	const struct hop_report report = {
		.label = span_of(hop->label, hop->label_len),
		.state = hop->state,
		.pause_ms = hop->until_ms > board->now_ms ? hop->until_ms - board->now_ms : 0,
		.by = span_of_str(board->self),
		.why = span_of(hop->why, hop->why_len),
	};

	hop->is_untold = false;
	hop->is_telling = true;
	CHECK(hop_store_report(link, &report, board->now_ms, on_told, call_new(board, hop)));
}

static void ask(struct hop_board *board, struct hop *hop, struct redis_link *link)
{
	hop->claim = CLAIM_ASKED;
	CHECK(hop_store_probe(link, span_of(hop->label, hop->label_len), span_of_str(board->self),
		HOP_PROBE_MS, board->now_ms, on_probe, call_new(board, hop)));
}

static void send_pending(struct hop_board *board, struct redis_link *link)
{
	for (unsigned calls = 0; calls < CALLS_MAX && !list_is_empty(&board->pending); calls++) {
		struct hop *hop = LIST_FIRST(&board->pending, struct hop, pending);

		list_remove(&hop->pending);
		/* One at a time: on_told() puts it back. */
		if (hop->is_untold && !hop->is_telling)
			tell(board, hop, link);
		else if (hop->claim == CLAIM_WANTED)
			ask(board, hop, link);
	}
}

/* ---- hearing ---- */

static void hear(struct hop_board *board, const struct hop_row *row)
{
	struct hop *hop = find(board, row->label);
	uint64_t until_ms = board->polled_ms + row->left_ms;

	/* Ours is later: what Redis makes of it comes with the next poll. */
	if (hop && (hop->is_untold || hop->is_telling) && !row->is_forced) {
		hop->is_listed = true;
		return;
	}
	if (row->state == HOP_UP) {
		if (hop)
			forget(board, hop);
		return;
	}
	hop = find_or_make(board, row->label);
	hop->is_listed = true;
	hop->is_forced = row->is_forced;
	hop->is_untold = false;
	until_ms -= row->left_ms ? 0 : min_u64(row->ended_ago_ms, until_ms);
	enter(board, hop, row->state, until_ms);
}

/* A Redis that knows nothing has lost it: what we know holds until it ends. */
static void hear_all(struct hop_board *board, const struct hop_changes *changes)
{
	struct hop *hop;
	size_t cursor = 0;

	while ((hop = table_next(&board->by_label, &cursor)))
		hop->is_listed = hop->is_untold || hop->is_telling;
	for (size_t i = 0; i < changes->count; i++)
		hear(board, &changes->rows[i]);
	cursor = 0;
	while (changes->version > 0 && (hop = table_next(&board->by_label, &cursor)))
		if (!hop->is_listed)
			forget(board, hop);
}

static void on_board(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	struct hop_board *board = arg;

	lock(board);
	board->is_polling = false;
	if (outcome_is_ok(outcome)) {
		board->version = changes->version;
		if (changes->is_all)
			hear_all(board, changes);
		for (size_t i = 0; !changes->is_all && i < changes->count; i++)
			hear(board, &changes->rows[i]);
		forget_ended(board, board->now_ms);
	}
	unlock(board);
}

uint64_t hop_board_tick(struct hop_board *board, struct redis_link *link, uint64_t now_ms)
{
	if (now_ms < board->next_tick_ms)
		return board->next_tick_ms;
	board->next_tick_ms = now_ms + HOP_BOARD_TICK_MS;
	board->now_ms = now_ms;
	lock(board);
	forget_ended(board, now_ms);
	board->is_linked = redis_link_is_ready(link) && board->self[0];
	if (board->is_linked) {
		send_pending(board, link);
		if (!board->is_polling && now_ms >= board->next_poll_ms) {
			board->next_poll_ms = now_ms + HOP_BOARD_POLL_MS;
			board->polled_ms = now_ms;
			board->is_polling = hop_store_board(link, board->version, now_ms, on_board, board);
		}
	}
	unlock(board);
	return board->next_tick_ms;
}

void hop_board_link_lost(struct hop_board *board)
{
	lock(board);
	board->is_linked = false;
	board->version = 0;
	board->next_poll_ms = 0;
	unlock(board);
}
