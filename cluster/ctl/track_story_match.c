/* Which events match says which messages are meant. */
#include "track_story_internal.h"

#include "skein/proto/base/alloc.h"

#include <stdlib.h>

/* Older ones are not looked for any more, however many of the limit were received later. */
enum { FOUND_MAX = 100000 };

static void note_match(struct track_stories *stories, size_t story, const struct track_event *event)
{
	struct track_story *item = &stories->items[story];

	track_stories_set_session(stories, story, event);
	if (event->kind == TRACK_RECEIVE || event->kind == TRACK_DISCARD)
		track_stories_learn(stories, story, event);
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
		story = track_stories_find_id(stories, id);
		return story < stories->count ? story : track_stories_add(stories, id);
	}
	if (event->session) {
		story = track_stories_find_key(stories, ~track_stories_session_key(event));
		if (story < stories->count)
			return story;
	}
	return track_stories_add(stories, span_of(NULL, 0));
}

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
		track_stories_tell(stories, story, event, run, number);
}

static bool is_brought_by(const struct track_stories *stories, const struct track_story *session)
{
	struct track_event event = { .session = session->session, .text[TRACK_NODE_NAME] = session->node };

	return track_stories_find_key(stories, track_stories_session_key(&event)) < stories->count;
}

/* A session whose message is told of is told of there. */
static void hide_sessions(struct track_stories *stories)
{
	for (size_t i = 0; i < stories->count; i++) {
		struct track_story *item = &stories->items[i];

		if (!item->id.len && item->session && !item->is_hidden)
			item->is_hidden = is_brought_by(stories, item);
	}
}

/* Messages by when they were received, whatever became of them since; all else by what matched last. */
static uint64_t age_of(const struct track_story *story)
{
	uint64_t begin_us = story->id.len ? track_story_begin_of(story->id) : 0;

	return begin_us ? begin_us : story->matched_us;
}

/* What was not found yet was received by `rest_us`: events of old messages do not count. */
static bool has_enough(void *arg, uint64_t rest_us)
{
	struct track_stories *stories = arg;
	size_t newer = 0;

	if (stories->count <= stories->limit)
		return false;
	hide_sessions(stories);
	for (size_t i = 0; i < stories->count; i++)
		newer += !stories->items[i].is_hidden && age_of(&stories->items[i]) > rest_us;
	return newer > stories->limit || stories->count >= FOUND_MAX;
}

static int newest_first(const void *left, const void *right)
{
	const struct track_story *const *a = left, *const *b = right;
	uint64_t x = age_of(*a), y = age_of(*b);

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

enum ctl_exit track_stories_match(struct track_stories *stories, const struct track_source *source)
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
