/*
 * Three readings. Which events match says which messages are meant. All events of these follow, and of
 * reports about them, which may bring in further ones, a few times. Last the events of sessions.
 */
#include "track_story.h"

#include "skein/cluster/msg_id.h"
#include "skein/proto/base/alloc.h"

#include <stdlib.h>

enum { ROUNDS = 4, FOLLOWED_MAX = 200000 };
/* That a session may have lasted before it brought a message. */
#define BEFORE_US ((uint64_t)24 * 3600 * 1000000)

void track_stories_init(struct track_stories *stories, const struct track_wanted *wanted, size_t limit)
{
	*stories = (struct track_stories){ .wanted = wanted, .limit = limit };
}

void track_stories_fini(struct track_stories *stories)
{
	mem_free(stories->items);
	mem_free(stories->told);
	mem_free(stories->keys);
	mem_free(stories->values);
	arena_fini(&stories->arena);
}

/* ---- stories by id and by session ---- */

static size_t slot_of(const struct track_stories *stories, uint64_t key)
{
	size_t at = (size_t)key & (stories->key_cap - 1);

	while (stories->keys[at] && stories->keys[at] != key)
		at = (at + 1) & (stories->key_cap - 1);
	return at;
}

/* The first story with this key; `count`: there is none. */
static size_t find_key(const struct track_stories *stories, uint64_t key)
{
	size_t at;

	if (!stories->key_cap)
		return stories->count;
	at = slot_of(stories, key);
	return stories->keys[at] ? stories->values[at] : stories->count;
}

static void grow_keys(struct track_stories *stories)
{
	uint64_t *keys = stories->keys;
	size_t *values = stories->values, cap = stories->key_cap;

	stories->key_cap = cap ? cap * 2 : 256;
	stories->keys = mem_zalloc(stories->key_cap * sizeof(*stories->keys));
	stories->values = mem_zalloc(stories->key_cap * sizeof(*stories->values));
	for (size_t i = 0; i < cap; i++) {
		size_t at = keys[i] ? slot_of(stories, keys[i]) : 0;

		if (!keys[i])
			continue;
		stories->keys[at] = keys[i];
		stories->values[at] = values[i];
	}
	mem_free(keys);
	mem_free(values);
}

static void put_key(struct track_stories *stories, uint64_t key, size_t story)
{
	size_t at;

	if (stories->key_count * 2 >= stories->key_cap)
		grow_keys(stories);
	at = slot_of(stories, key);
	if (stories->keys[at])
		return;
	stories->keys[at] = key;
	stories->values[at] = story;
	stories->key_count++;
}

static size_t add_story(struct track_stories *stories, struct span id)
{
	size_t index = stories->count++;

	if (index == stories->cap) {
		stories->cap = stories->cap ? stories->cap * 2 : 64;
		stories->items = mem_realloc(stories->items, stories->cap * sizeof(*stories->items));
	}
	stories->items[index] = (struct track_story){ .id = arena_dup(&stories->arena, id), .root = index };
	if (id.len)
		put_key(stories, track_term(TRACK_TERM_ID, id), index);
	return index;
}

static size_t find_id(const struct track_stories *stories, struct span id)
{
	return id.len ? find_key(stories, track_term(TRACK_TERM_ID, id)) : stories->count;
}

static void set_session(struct track_stories *stories, size_t story, const struct track_event *event)
{
	struct track_story *item = &stories->items[story];

	if (!event->session || item->session)
		return;
	item->session = event->session;
	item->node = arena_dup(&stories->arena, event->text[TRACK_NODE_NAME]);
	put_key(stories, track_term_session(item->node, item->session), story);
}

static bool is_of_session(const struct track_story *story, const struct track_event *event)
{
	return story->session && story->session == event->session &&
	       span_eq(story->node, event->text[TRACK_NODE_NAME]);
}

/* ---- which ---- */

static void note_match(struct track_stories *stories, size_t story, const struct track_event *event)
{
	struct track_story *item = &stories->items[story];

	set_session(stories, story, event);
	if (event->time_us > item->matched_us)
		item->matched_us = event->time_us;
}

static size_t story_of_match(struct track_stories *stories, const struct track_event *event)
{
	struct span id = event->text[TRACK_ID];
	size_t story;

	/* Who searches for an original is told of it first. */
	if (event->kind == TRACK_BOUNCE && stories->wanted->id.len)
		id = stories->wanted->id;
	if (id.len) {
		story = find_id(stories, id);
		return story < stories->count ? story : add_story(stories, id);
	}
	if (event->session) {
		for (story = 0; story < stories->count; story++)
			if (!stories->items[story].id.len && is_of_session(&stories->items[story], event))
				return story;
	}
	return add_story(stories, span_of(NULL, 0));
}

static void take_told(struct track_stories *stories, size_t story, const struct track_event *event,
	uint64_t run, uint64_t number);

static bool is_told(const struct track_stories *stories, uint64_t run, uint64_t number)
{
	for (size_t i = 0; i < stories->told_count; i++)
		if (stories->told[i].run == run && stories->told[i].number == number)
			return true;
	return false;
}

static void take_match(void *arg, const struct track_event *event, uint64_t run, uint64_t number)
{
	struct track_stories *stories = arg;
	bool is_alone = !event->text[TRACK_ID].len && !event->session;
	size_t story;

	if (!track_wanted_matches(stories->wanted, event) || (is_alone && is_told(stories, run, number)))
		return;
	story = story_of_match(stories, event);
	note_match(stories, story, event);
	/* It will not be found by anything that it belongs to. */
	if (is_alone)
		take_told(stories, story, event, run, number);
}

/* A session whose message is told of is told of there. */
static void hide_sessions(struct track_stories *stories)
{
	for (size_t i = 0; i < stories->count; i++) {
		struct track_story *item = &stories->items[i];

		for (size_t j = 0; j < stories->count && !item->id.len && item->session && !item->is_hidden;
			j++) {
			const struct track_story *other = &stories->items[j];

			item->is_hidden = other->id.len && other->session == item->session &&
					  span_eq(other->node, item->node);
		}
	}
}

size_t track_stories_shown(const struct track_stories *stories)
{
	size_t count = 0;

	for (size_t i = 0; i < stories->count; i++)
		count += !stories->items[i].is_hidden;
	return count;
}

static bool has_enough(void *arg)
{
	struct track_stories *stories = arg;

	if (stories->count <= stories->limit)
		return false;
	hide_sessions(stories);
	return track_stories_shown(stories) > stories->limit;
}

static int newest_first(const void *left, const void *right)
{
	const struct track_story *const *a = left, *const *b = right;
	uint64_t x = (*a)->matched_us, y = (*b)->matched_us;

	return (y > x) - (y < x);
}

static void cut_to_limit(struct track_stories *stories)
{
	const struct track_story **order = mem_alloc((stories->count + 1) * sizeof(*order));
	size_t count = 0;

	for (size_t i = 0; i < stories->count; i++)
		if (!stories->items[i].is_hidden)
			order[count++] = &stories->items[i];
	if (count)
		qsort(order, count, sizeof(*order), newest_first);
	for (size_t i = stories->limit; i < count; i++)
		stories->items[order[i] - stories->items].is_hidden = true;
	stories->has_more = count > stories->limit;
	mem_free(order);
}

static enum ctl_exit read_matches(struct track_stories *stories, const struct track_source *source)
{
	uint64_t terms[TRACK_WANTED_TERMS];
	const struct track_search search = { .order = TRACK_NEWEST_FIRST,
		.all = terms,
		.all_count = track_wanted_terms(stories->wanted, terms),
		.since_us = stories->wanted->since_us,
		.until_us = stories->wanted->until_us };
	const struct track_visitor visitor = { take_match, has_enough, stories };
	enum ctl_exit exit = source->visit(source->ctx, &search, &visitor);

	hide_sessions(stories);
	cut_to_limit(stories);
	return exit;
}

/* ---- their events ---- */

static void take_told(struct track_stories *stories, size_t story, const struct track_event *event,
	uint64_t run, uint64_t number)
{
	char bytes[TRACK_EVENT_MAX];
	struct span copy;
	struct track_told *told;

	if (stories->told_count >= TRACK_TOLD_MAX) {
		stories->is_cut = true;
		return;
	}
	if (stories->told_count == stories->told_cap) {
		stories->told_cap = stories->told_cap ? stories->told_cap * 2 : 256;
		stories->told = mem_realloc(stories->told, stories->told_cap * sizeof(*stories->told));
	}
	told = &stories->told[stories->told_count++];
	*told = (struct track_told){ .story = story, .run = run, .number = number };
	copy = arena_dup(&stories->arena, span_of(bytes, track_event_encode(event, bytes)));
	CHECK(track_event_decode(&copy, &told->event) == ERR_OK);
}

static bool is_shown(const struct track_stories *stories, size_t story)
{
	return story < stories->count && !stories->items[story].is_hidden;
}

/* Brings in a message because of another one, if there is room. */
static void relate(struct track_stories *stories, struct span id)
{
	size_t story = find_id(stories, id);

	if (!id.len || is_shown(stories, story))
		return;
	if (stories->related == TRACK_RELATED_MAX)
		return;
	stories->related++;
	if (story == stories->count)
		story = add_story(stories, id);
	stories->items[story].is_hidden = false;
}

/* A report and its original are told together. */
static void relate_report(struct track_stories *stories, const struct track_event *event)
{
	struct span id = event->text[TRACK_ID], about = event->text[TRACK_ABOUT];
	size_t report, original;

	relate(stories, id);
	relate(stories, about);
	report = find_id(stories, id);
	original = find_id(stories, about);
	if (report != original && is_shown(stories, report) && is_shown(stories, original))
		stories->items[report].root = original;
}

static void learn(struct track_stories *stories, size_t story, const struct track_event *event)
{
	struct track_story *item = &stories->items[story];
	bool is_receipt = event->kind == TRACK_RECEIVE || event->kind == TRACK_DISCARD;

	set_session(stories, story, event);
	if ((is_receipt || !item->sender.len) && event->text[TRACK_SENDER].len)
		item->sender = arena_dup(&stories->arena, event->text[TRACK_SENDER]);
	if ((is_receipt || !item->recipient.len) && event->text[TRACK_RECIPIENT].len)
		item->recipient = arena_dup(&stories->arena, event->text[TRACK_RECIPIENT]);
}

static void take_own(void *arg, const struct track_event *event, uint64_t run, uint64_t number)
{
	struct track_stories *stories = arg;
	struct span id = event->text[TRACK_ID], about = event->text[TRACK_ABOUT];
	size_t story = find_id(stories, id), original = stories->count;

	if (event->kind == TRACK_BOUNCE)
		original = find_id(stories, about);
	if (is_shown(stories, story)) {
		take_told(stories, story, event, run, number);
		learn(stories, story, event);
	}
	if (original != story && is_shown(stories, original))
		take_told(stories, original, event, run, number);
	if (event->kind == TRACK_BOUNCE && (is_shown(stories, story) || is_shown(stories, original)))
		relate_report(stories, event);
}

static uint64_t begin_of(struct span id)
{
	struct msg_id parsed;
	uint64_t ms = 0;

	if (!msg_id_parse(id, &parsed))
		return 0;
	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | parsed.bytes[i];
	return ms * 1000 > BEFORE_US ? ms * 1000 - BEFORE_US : 0;
}

/* Of all stories that are shown, and since when their events can be. */
static size_t own_terms(const struct track_stories *stories, uint64_t *terms, uint64_t *since_us)
{
	size_t count = 0;

	*since_us = UINT64_MAX;
	for (size_t i = 0; i < stories->count; i++) {
		const struct track_story *item = &stories->items[i];

		if (item->is_hidden || !item->id.len)
			continue;
		terms[count++] = track_term(TRACK_TERM_ID, item->id);
		if (begin_of(item->id) < *since_us)
			*since_us = begin_of(item->id);
	}
	return count;
}

static enum ctl_exit read_own(struct track_stories *stories, const struct track_source *source)
{
	const struct track_visitor visitor = { take_own, NULL, stories };
	uint64_t *terms = mem_alloc((stories->limit + TRACK_RELATED_MAX) * sizeof(*terms));
	struct track_search search = { .any = terms };
	enum ctl_exit exit = CTL_OK;
	size_t told;

	/* What a round brings in is read by the next one, from the start: few, and seldom. */
	for (unsigned round = 0; round < ROUNDS && !exit; round++) {
		size_t before = track_stories_shown(stories);

		told = 0;
		for (size_t i = 0; i < stories->told_count; i++)
			if (!stories->told[i].event.text[TRACK_ID].len)
				stories->told[told++] = stories->told[i];
		stories->told_count = told;
		search.any_count = own_terms(stories, terms, &search.since_us);
		if (search.any_count)
			exit = source->visit(source->ctx, &search, &visitor);
		if (track_stories_shown(stories) == before)
			break;
	}
	mem_free(terms);
	return exit;
}

/* ---- their sessions ---- */

static bool is_part(const struct track_story *story, const struct track_event *event)
{
	if (!story->id.len)
		return true;
	if (event->text[TRACK_ID].len)
		return false;
	return event->kind != TRACK_REJECT ||
	       (story->sender.len && span_eq_nocase(story->sender, event->text[TRACK_SENDER]));
}

static void take_session(void *arg, const struct track_event *event, uint64_t run, uint64_t number)
{
	struct track_stories *stories = arg;

	if (!event->session || find_key(stories, track_term_session(event->text[TRACK_NODE_NAME],
							 event->session)) == stories->count)
		return;
	for (size_t i = 0; i < stories->count; i++)
		if (!stories->items[i].is_hidden && is_of_session(&stories->items[i], event) &&
			is_part(&stories->items[i], event))
			take_told(stories, i, event, run, number);
}

static enum ctl_exit read_sessions(struct track_stories *stories, const struct track_source *source)
{
	const struct track_visitor visitor = { take_session, NULL, stories };
	uint64_t *terms = mem_alloc((stories->count + 1) * sizeof(*terms));
	struct track_search search = { .any = terms, .since_us = UINT64_MAX };
	enum ctl_exit exit = CTL_OK;

	for (size_t i = 0; i < stories->count; i++) {
		const struct track_story *item = &stories->items[i];
		uint64_t begin_us = item->id.len                   ? begin_of(item->id)
				    : item->matched_us > BEFORE_US ? item->matched_us - BEFORE_US
								   : 0;

		if (item->is_hidden || !item->session)
			continue;
		terms[search.any_count++] = track_term_session(item->node, item->session);
		if (begin_us < search.since_us)
			search.since_us = begin_us;
	}
	if (search.any_count)
		exit = source->visit(source->ctx, &search, &visitor);
	mem_free(terms);
	return exit;
}

/* ---- the order ---- */

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

struct ordered {
	uint64_t root_us, root, story_us;
	const struct track_told *told;
};

static int by_story_and_time(const void *left, const void *right)
{
	const struct ordered *a = left, *b = right;
	int order = compare(a->root_us, b->root_us);

	order = order ? order : compare(a->root, b->root);
	/* An original before its reports. */
	order = order ? order : compare(a->told->story != a->root, b->told->story != b->root);
	order = order ? order : compare(a->story_us, b->story_us);
	order = order ? order : compare(a->told->story, b->told->story);
	order = order ? order : compare(a->told->event.time_us, b->told->event.time_us);
	order = order ? order : compare(a->told->run, b->told->run);
	return order ? order : compare(a->told->number, b->told->number);
}

/* Not when its session began: messages of one session follow one another. */
static void find_beginnings(struct track_stories *stories)
{
	for (size_t i = 0; i < stories->told_count; i++) {
		struct track_story *item = &stories->items[stories->told[i].story];
		uint64_t time_us = stories->told[i].event.time_us;

		if (item->id.len && !stories->told[i].event.text[TRACK_ID].len)
			continue;
		if (!item->first_us || time_us < item->first_us)
			item->first_us = time_us;
	}
}

static bool is_same(const struct track_told *a, const struct track_told *b)
{
	return a->story == b->story && a->run == b->run && a->number == b->number;
}

static void sort_told(struct track_stories *stories)
{
	struct ordered *order = mem_alloc((stories->told_count + 1) * sizeof(*order));
	struct track_told *sorted = mem_alloc((stories->told_count + 1) * sizeof(*sorted));
	size_t shown = 0, count = 0;

	find_beginnings(stories);
	for (size_t i = 0; i < stories->told_count; i++) {
		const struct track_story *item = &stories->items[stories->told[i].story];

		if (!item->is_hidden)
			order[shown++] = (struct ordered){ stories->items[item->root].first_us, item->root,
				item->first_us, &stories->told[i] };
	}
	if (shown)
		qsort(order, shown, sizeof(*order), by_story_and_time);
	for (size_t i = 0; i < shown; i++)
		if (!count || !is_same(&sorted[count - 1], order[i].told))
			sorted[count++] = *order[i].told;
	mem_free(order);
	mem_free(stories->told);
	stories->told = sorted;
	stories->told_count = stories->told_cap = count;
}

enum ctl_exit track_stories_read(struct track_stories *stories, const struct track_source *source)
{
	enum ctl_exit exit = read_matches(stories, source);

	if (!exit)
		exit = read_own(stories, source);
	if (!exit)
		exit = read_sessions(stories, source);
	if (!exit)
		sort_told(stories);
	return exit;
}

bool track_stories_go_on(struct track_stories *stories, const struct track_event *event)
{
	size_t story = find_id(stories, event->text[TRACK_ID]);
	bool is_matched = track_wanted_matches(stories->wanted, event);

	if (event->kind == TRACK_BOUNCE && is_shown(stories, find_id(stories, event->text[TRACK_ABOUT]))) {
		relate(stories, event->text[TRACK_ID]);
		return true;
	}
	if (is_matched && event->text[TRACK_ID].len && !is_shown(stories, story) &&
		stories->count < FOLLOWED_MAX) {
		story = story < stories->count ? story : add_story(stories, event->text[TRACK_ID]);
		stories->items[story].is_hidden = false;
		set_session(stories, story, event);
	}
	if (is_matched || is_shown(stories, story))
		return true;
	for (size_t i = 0; event->session && !event->text[TRACK_ID].len && i < stories->count; i++)
		if (!stories->items[i].is_hidden && is_of_session(&stories->items[i], event))
			return true;
	return false;
}
