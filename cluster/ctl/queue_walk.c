#include "queue_walk.h"

struct walk {
	struct session *session;
	const enum queue_state *state;
	queue_walk_fn *fn;
	void *arg;
	struct buf cursor; /* of the next page; empty: none */
	bool is_over;
	enum ctl_exit exit;
};

static bool is_wanted(const struct walk *walk, const struct queue_view_record *record)
{
	return !walk->state || *walk->state == record->state;
}

static void on_page(void *arg, const struct outcome *outcome, const struct queue_page *page)
{
	struct walk *walk = arg;

	walk->exit = session_check(outcome, "the list");
	if (walk->exit || !page)
		return;
	for (size_t i = 0; i < page->count && !walk->is_over; i++)
		if (is_wanted(walk, &page->records[i]))
			walk->is_over = !walk->fn(walk->arg, &page->records[i]);
	buf_append(&walk->cursor, page->cursor);
}

static void walk_shard(struct walk *walk, unsigned shard, enum queue_state set)
{
	struct buf cursor = { 0 };

	do {
		struct queue_list page = {
			.shard = shard, .state = set, .cursor = buf_span(&cursor), .count = QUEUE_LIST_MAX
		};

		buf_clear(&walk->cursor);
		(void)queue_list(walk->session->link, &page, session_now_ms(), on_page, walk);
		if (!walk->exit)
			walk->exit = session_finish(walk->session);
		buf_clear(&cursor);
		buf_append(&cursor, buf_span(&walk->cursor));
	} while (!walk->exit && !walk->is_over && buf_len(&cursor));
	buf_fini(&cursor);
}

/* Each pair of states shares one set. */
static enum queue_state set_of(enum queue_state state)
{
	if (state == QUEUE_DEFERRED)
		return QUEUE_DUE;
	return state == QUEUE_QUARANTINED ? QUEUE_HELD : state;
}

enum ctl_exit queue_walk(struct session *session, const enum queue_state *state, queue_walk_fn *fn, void *arg)
{
	static const enum queue_state sets[] = { QUEUE_HELD, QUEUE_OWNED, QUEUE_DUE };
	struct walk walk = { .session = session, .state = state, .fn = fn, .arg = arg };

	for (size_t i = 0; i < ARRAY_LEN(sets); i++) {
		if (state && set_of(*state) != sets[i])
			continue;
		for (unsigned shard = 0; shard < session->shards && !walk.exit && !walk.is_over; shard++)
			walk_shard(&walk, shard, sets[i]);
	}
	buf_fini(&walk.cursor);
	return walk.exit;
}
