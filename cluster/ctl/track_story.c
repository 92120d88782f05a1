/*
 * Two readings, as a rule. Which events match says which messages are meant. All events of these follow, with
 * those of the sessions that brought them. What is only learnt by that (reports about them, a session) is
 * asked for by a further one, a few times.
 */
#include "track_story_internal.h"

#include "skein/proto/base/alloc.h"

enum { FOLLOWED_MAX = 200000 };

void track_stories_init(struct track_stories *stories, const struct track_wanted *wanted, size_t limit)
{
	*stories = (struct track_stories){ .wanted = wanted, .limit = limit };
}

void track_stories_fini(struct track_stories *stories)
{
	mem_free(stories->items);
	mem_free(stories->told);
	mem_free(stories->asked);
	mem_free(stories->keys);
	mem_free(stories->values);
	arena_fini(&stories->arena);
}

size_t track_stories_shown(const struct track_stories *stories)
{
	size_t count = 0;

	for (size_t i = 0; i < stories->count; i++)
		count += !stories->items[i].is_hidden;
	return count;
}

enum ctl_exit track_stories_read(struct track_stories *stories, const struct track_source *source)
{
	enum ctl_exit exit = track_stories_match(stories, source);

	if (!exit)
		exit = track_stories_read_parts(stories, source);
	if (!exit)
		track_stories_sort(stories);
	return exit;
}

bool track_stories_go_on(struct track_stories *stories, const struct track_event *event)
{
	size_t story = track_stories_find_id(stories, event->text[TRACK_ID]);
	bool is_matched = track_wanted_matches(stories->wanted, event);

	if (event->kind == TRACK_BOUNCE &&
		track_stories_is_shown(stories, track_stories_find_id(stories, event->text[TRACK_ABOUT]))) {
		track_stories_relate(stories, event->text[TRACK_ID]);
		return true;
	}
	if (is_matched && event->text[TRACK_ID].len && !track_stories_is_shown(stories, story) &&
		stories->count < FOLLOWED_MAX) {
		story = story < stories->count ? story : track_stories_add(stories, event->text[TRACK_ID]);
		stories->items[story].is_hidden = false;
		track_stories_set_session(stories, story, event);
	}
	if (is_matched || track_stories_is_shown(stories, story))
		return true;
	for (size_t i = 0; event->session && !event->text[TRACK_ID].len && i < stories->count; i++)
		if (!stories->items[i].is_hidden && track_story_is_of_session(&stories->items[i], event))
			return true;
	return false;
}
