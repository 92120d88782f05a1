#include "track_reader.h"

#include "skein/proto/base/alloc.h"
#include "track_merge.h"

#include <stdlib.h>

enum { BATCH = 16, IN_FLIGHT = 4, STALE_ROUNDS = 3 };
/* Beyond what a node keeps small chunks before it replaces them (node/track/track_uplink.c). */
#define FOLLOW_BACK_US ((uint64_t)15 * 60 * 1000000)
/* That the clock of a node may be ahead of that of Redis. */
#define SLACK_US ((uint64_t)5 * 60 * 1000000)

void track_reader_init(struct track_reader *reader, struct session *session)
{
	*reader = (struct track_reader){ .session = session };
}

void track_reader_fini(struct track_reader *reader)
{
	mem_free(reader->entries);
	track_runs_fini(&reader->runs);
	arena_fini(&reader->arena);
}

/* ---- heads ---- */

static void add_entry(struct track_reader *reader, const struct track_entry *entry)
{
	struct track_reader_entry *added;
	struct track_head head;

	if (reader->count == reader->cap) {
		reader->cap = reader->cap ? reader->cap * 2 : 1024;
		reader->entries = mem_realloc(reader->entries, reader->cap * sizeof(*reader->entries));
	}
	if (track_head_decode(entry->head, &head)) {
		reader->damaged++;
		return;
	}
	added = &reader->entries[reader->count++];
	added->is_gone = false;
	added->place = entry->place;
	added->name = arena_dup(&reader->arena, entry->name);
	added->head = head;
	added->head.node = arena_dup(&reader->arena, head.node);
	added->head.filter = arena_dup(&reader->arena, head.filter);
}

/* That the connection ended is told by who waits for the answer. */
static enum ctl_exit check(const struct outcome *outcome)
{
	return outcome->kind == OUTCOME_UNKNOWN ? CTL_UNREACHABLE : session_check(outcome, "tracking events");
}

static bool take_listing(
	struct track_reader *reader, const struct outcome *outcome, const struct track_listing *listing)
{
	reader->exit = check(outcome);
	if (reader->exit)
		return false;
	reader->now_us = listing->now_us;
	reader->kept_us = listing->kept_us;
	for (size_t i = 0; i < listing->count; i++)
		add_entry(reader, &listing->entries[i]);
	return true;
}

static void on_older(void *arg, const struct outcome *outcome, const struct track_listing *listing)
{
	struct track_reader *reader = arg;

	if (!take_listing(reader, outcome, listing))
		return;
	if (listing->count && !reader->top)
		reader->top = listing->entries[0].place;
	if (listing->count)
		reader->bottom = listing->entries[listing->count - 1].place;
	reader->is_all = listing->count < TRACK_LIST_MAX;
}

static void on_newer(void *arg, const struct outcome *outcome, const struct track_listing *listing)
{
	struct track_reader *reader = arg;

	if (take_listing(reader, outcome, listing) && listing->count)
		reader->top = listing->entries[listing->count - 1].place;
}

static enum ctl_exit finish(struct track_reader *reader)
{
	enum ctl_exit exit = session_finish(reader->session);

	return exit ? exit : reader->exit;
}

/* All heads of chunks that may have events since then. */
static enum ctl_exit load_back(struct track_reader *reader, uint64_t since_us)
{
	enum ctl_exit exit = CTL_OK;

	since_us = since_us > SLACK_US ? since_us - SLACK_US : 0;
	while (!exit && !reader->is_all && (!reader->bottom || reader->bottom >= since_us)) {
		(void)track_store_list_before(reader->session->link,
			reader->bottom ? reader->bottom : TRACK_PLACE_MAX, TRACK_LIST_MAX, session_now_ms(),
			on_older, reader);
		exit = finish(reader);
	}
	return exit;
}

static enum ctl_exit load_new(struct track_reader *reader)
{
	enum ctl_exit exit;
	size_t before;

	do {
		before = reader->count;
		(void)track_store_list_after(reader->session->link, reader->top, TRACK_LIST_MAX,
			session_now_ms(), on_newer, reader);
		exit = finish(reader);
	} while (!exit && reader->count - before >= TRACK_LIST_MAX);
	return exit;
}

enum ctl_exit track_reader_look(struct track_reader *reader)
{
	return load_back(reader, UINT64_MAX);
}

/* ---- which chunks ---- */

static bool may_match(const struct track_head *head, const struct track_search *search)
{
	if (head->to_us < search->since_us || (search->until_us && head->from_us >= search->until_us))
		return false;
	for (size_t i = 0; i < search->all_count; i++)
		if (!track_filter_may_have(head->filter, search->all[i]))
			return false;
	return true;
}

static bool may_have_any(const struct track_head *head, const struct track_search *search)
{
	for (size_t i = 0; i < search->any_count; i++) {
		const struct track_any *any = &search->any[i];

		if (head->to_us >= any->since_us && head->from_us < any->until_us &&
			(!any->node.len || span_eq_nocase(any->node, head->node)) &&
			track_filter_may_have(head->filter, any->term))
			return true;
	}
	return search->any_count == 0;
}

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_place_down(const void *left, const void *right)
{
	const struct track_reader_entry *const *a = left, *const *b = right;

	return compare((*b)->place, (*a)->place);
}

static int by_start(const void *left, const void *right)
{
	const struct track_reader_entry *const *a = left, *const *b = right;

	return compare((*a)->head.from_us, (*b)->head.from_us);
}

/* ---- bodies ---- */

struct fetching {
	struct track_reader *reader;
	const struct track_search *search;
	const struct track_visitor *visitor;
	struct track_merge *merge; /* NULL: in any order */
	bool is_late;              /* nothing is told before all is read */
	const struct track_reader_entry *const *entries;
	size_t count, next; /* entries: those before `next` were asked for, or passed over */
	bool has_enough;
	uint64_t *rest_us; /* for each entry and behind the last: the latest event from there on */
	struct buf events; /* of one chunk */
};

/* Of one call. */
struct batch {
	struct fetching *fetching;
	const struct track_reader_entry *entries[BATCH];
	size_t count, end; /* end: in those of `fetching` */
};

static void tell_events(const struct fetching *fetching, const struct track_head *head, struct span rest)
{
	struct track_event event;

	for (uint64_t number = head->first; rest.len; number++) {
		struct span before = rest;
		enum err err = track_event_decode(&rest, &event);

		if (err == ERR_CORRUPT) {
			fetching->reader->damaged++;
			return;
		}
		/* Of a kind that only a newer version knows, or told already. */
		if (err || track_runs_have(&fetching->reader->runs, head->run, number))
			continue;
		if (event.time_us < fetching->search->since_us ||
			(fetching->search->until_us && event.time_us >= fetching->search->until_us))
			continue;
		if (fetching->merge)
			track_merge_hold(fetching->merge, &event, span_take(before, before.len - rest.len),
				head->run, number);
		else
			fetching->visitor->take(fetching->visitor->arg, &event, head->run, number);
	}
}

/* It was replaced, or let go of. */
static void note_gone(struct track_reader *reader, const struct track_reader_entry *entry)
{
	reader->entries[entry - reader->entries].is_gone = true;
	reader->is_stale = true;
}

static void take_body(struct fetching *fetching, const struct track_reader_entry *entry, struct span body)
{
	buf_clear(&fetching->events);
	if (!body.len)
		note_gone(fetching->reader, entry);
	else if (track_chunk_open(&entry->head, body, &fetching->events))
		fetching->reader->damaged++;
	else
		tell_events(fetching, &entry->head, buf_span(&fetching->events));
}

static void on_bodies(void *arg, const struct outcome *outcome, const struct span *bodies, size_t count)
{
	struct batch *batch = arg;
	struct fetching *fetching = batch->fetching;
	const struct track_visitor *visitor = fetching->visitor;

	if (!fetching->reader->exit)
		fetching->reader->exit = check(outcome);
	for (size_t i = 0; i < count && i < batch->count && !fetching->has_enough; i++)
		take_body(fetching, batch->entries[i], bodies[i]);
	if (!fetching->merge && visitor->has_enough)
		fetching->has_enough = visitor->has_enough(visitor->arg, fetching->rest_us[batch->end]);
}

/* The next ones that may have what is wanted, as far as that is known by now. */
static bool ask_for_batch(struct fetching *fetching, struct batch *batch)
{
	struct session *session = fetching->reader->session;
	struct span names[BATCH];

	*batch = (struct batch){ .fetching = fetching };
	for (; fetching->next < fetching->count && batch->count < BATCH; fetching->next++) {
		const struct track_reader_entry *entry = fetching->entries[fetching->next];

		if (!may_have_any(&entry->head, fetching->search))
			continue;
		names[batch->count] = entry->name;
		batch->entries[batch->count++] = entry;
	}
	batch->end = fetching->next;
	if (batch->count)
		(void)track_store_bodies(
			session->link, names, batch->count, session_now_ms(), on_bodies, batch);
	return batch->count > 0;
}

static void look_at_rest(struct fetching *fetching)
{
	fetching->rest_us = mem_zalloc((fetching->count + 1) * sizeof(*fetching->rest_us));
	for (size_t i = fetching->count; i-- > 0;) {
		uint64_t to_us = fetching->entries[i]->head.to_us;

		fetching->rest_us[i] = to_us > fetching->rest_us[i + 1] ? to_us : fetching->rest_us[i + 1];
	}
}

/* While one batch is read, Redis brings the next. */
static enum ctl_exit fetch_all(struct fetching *fetching)
{
	struct batch batches[IN_FLIGHT];
	enum ctl_exit exit = CTL_OK;

	fetching->next = 0;
	look_at_rest(fetching);
	while (!exit && fetching->next < fetching->count && !fetching->has_enough) {
		for (size_t i = 0; i < IN_FLIGHT && ask_for_batch(fetching, &batches[i]); i++)
			;
		exit = finish(fetching->reader);
		if (fetching->merge && !fetching->is_late)
			track_merge_let_go(fetching->merge,
				fetching->next < fetching->count
					? fetching->entries[fetching->next]->head.from_us
					: UINT64_MAX,
				fetching->visitor);
	}
	buf_fini(&fetching->events);
	mem_free(fetching->rest_us);
	return exit;
}

/* Those of the entries from `first` on that may match; the caller frees them. */
static const struct track_reader_entry **choose(
	const struct track_reader *reader, size_t first, const struct track_search *search, size_t *count_out)
{
	const struct track_reader_entry **chosen = mem_alloc((reader->count - first + 1) * sizeof(*chosen));
	size_t count = 0;

	for (size_t i = first; i < reader->count; i++)
		if (!reader->entries[i].is_gone && may_match(&reader->entries[i].head, search))
			chosen[count++] = &reader->entries[i];
	if (count)
		qsort(chosen, count, sizeof(*chosen),
			search->order == TRACK_NEWEST_FIRST ? by_place_down : by_start);
	*count_out = count;
	return chosen;
}

static enum ctl_exit visit_from(struct track_reader *reader, size_t first, const struct track_search *search,
	const struct track_visitor *visitor)
{
	struct track_merge merge = { .count = 0 };
	struct fetching fetching = { .reader = reader,
		.search = search,
		.visitor = visitor,
		.merge = search->order == TRACK_BY_TIME ? &merge : NULL };
	size_t count;
	const struct track_reader_entry **chosen = choose(reader, first, search, &count);
	enum ctl_exit exit;

	fetching.entries = chosen;
	fetching.count = count;
	exit = fetch_all(&fetching);
	track_merge_let_go(&merge, UINT64_MAX, visitor);
	track_merge_fini(&merge);
	mem_free(chosen);
	return exit;
}

/* Chunks that were replaced meanwhile are in others, which are new. */
static enum ctl_exit visit(void *ctx, const struct track_search *search, const struct track_visitor *visitor)
{
	struct track_reader *reader = ctx;
	enum ctl_exit exit = load_back(reader, search->since_us);
	size_t first = 0;

	for (unsigned round = 0; !exit && round < STALE_ROUNDS; round++) {
		reader->is_stale = false;
		exit = visit_from(reader, first, search, visitor);
		if (exit || !reader->is_stale)
			break;
		first = reader->count;
		exit = load_new(reader);
	}
	return exit;
}

struct track_source track_reader_source(struct track_reader *reader)
{
	return (struct track_source){ reader, visit };
}

/* ---- following ---- */

/* All entries; nothing is told as long as one of them turns out to have been replaced. */
static enum ctl_exit visit_new(struct track_reader *reader, bool is_last, const struct track_visitor *visitor)
{
	static const struct track_visitor nobody = { .take = NULL };
	const struct track_search search = { .order = TRACK_BY_TIME };
	struct track_merge merge = { .count = 0 };
	struct fetching fetching = {
		.reader = reader, .search = &search, .visitor = &nobody, .merge = &merge, .is_late = true
	};
	size_t count;
	const struct track_reader_entry **chosen = choose(reader, 0, &search, &count);
	enum ctl_exit exit;

	reader->is_stale = false;
	fetching.entries = chosen;
	fetching.count = count;
	exit = fetch_all(&fetching);
	if (exit || (reader->is_stale && !is_last))
		track_merge_drop(&merge);
	track_merge_let_go(&merge, UINT64_MAX, visitor);
	track_merge_fini(&merge);
	mem_free(chosen);
	return exit;
}

static int by_run_and_first(const void *left, const void *right)
{
	const struct track_reader_entry *a = left, *b = right;
	int order = compare(a->head.run, b->head.run);

	return order ? order : compare(a->head.first, b->head.first);
}

/* All that is known of was told; from now on nobody asks for it. */
static void settle(struct track_reader *reader, bool tells_missing)
{
	if (reader->count)
		qsort(reader->entries, reader->count, sizeof(*reader->entries), by_run_and_first);
	for (size_t i = 0; i < reader->count; i++) {
		const struct track_head *head = &reader->entries[i].head;
		uint64_t missing = track_runs_note(&reader->runs, head);

		if (missing && tells_missing)
			session_complain("%llu events of %.*s are missing: Redis has lost them, or the node "
					 "could not keep them; its files may have them: trace --file",
				(unsigned long long)missing, SPAN_ARGS(head->node));
	}
	reader->count = 0;
	arena_reset(&reader->arena);
}

/* As if it had not been asked for. */
static void forget(struct track_reader *reader, uint64_t top)
{
	reader->top = top;
	reader->count = 0;
	arena_reset(&reader->arena);
}

static enum ctl_exit read_new(struct track_reader *reader, const struct track_visitor *visitor)
{
	enum ctl_exit exit = CTL_OK;

	for (unsigned round = 1; !exit && round <= STALE_ROUNDS; round++) {
		exit = load_new(reader);
		if (!exit)
			exit = visit_new(reader, round == STALE_ROUNDS, visitor);
		if (!reader->is_stale)
			break;
	}
	return exit;
}

enum ctl_exit track_reader_follow(struct track_reader *reader, const struct track_visitor *visitor)
{
	uint64_t back_us = reader->now_us > FOLLOW_BACK_US ? reader->now_us - FOLLOW_BACK_US : 0;
	enum ctl_exit exit = load_back(reader, back_us);
	uint64_t top;

	if (exit)
		return exit;
	settle(reader, false);
	top = reader->top;
	exit = read_new(reader, visitor);
	if (exit)
		forget(reader, top);
	else
		settle(reader, true);
	return exit;
}

void track_reader_resume(struct track_reader *reader)
{
	uint64_t back = reader->top > FOLLOW_BACK_US ? reader->top - FOLLOW_BACK_US : 0;

	reader->exit = CTL_OK;
	reader->is_stale = false;
	reader->top = back > reader->bottom ? back : reader->bottom;
}
