/* track_story in parts: the table of stories, and the readings that fill it. */
#ifndef CTL_TRACK_STORY_INTERNAL_H
#define CTL_TRACK_STORY_INTERNAL_H

#include "track_story.h"

/* Of a story: `stories->count` where there is none. Text that an index keeps is copied. */
size_t track_stories_add(struct track_stories *stories, struct span id);
size_t track_stories_find_id(const struct track_stories *stories, struct span id);
size_t track_stories_find_key(const struct track_stories *stories, uint64_t key);
/* The first story with a key keeps it. */
void track_stories_put_key(struct track_stories *stories, uint64_t key, size_t story);
/* The key of a message that a session brought; the bits of it inverted: of the story of the session alone. */
uint64_t track_stories_session_key(const struct track_event *event);
bool track_stories_is_shown(const struct track_stories *stories, size_t story);
/* The first session that a story's events tell of is that which brought it. */
void track_stories_set_session(struct track_stories *stories, size_t story, const struct track_event *event);
/* From an event of its own: its session, and how it begins. */
void track_stories_learn(struct track_stories *stories, size_t story, const struct track_event *event);
bool track_story_is_of_session(const struct track_story *story, const struct track_event *event);

/* When a message was made, by the clock of its node: its id says so. 0: it is no id. */
uint64_t track_story_begin_of(struct span id);
/* Keeps a copy of the event. */
void track_stories_tell(struct track_stories *stories, size_t story, const struct track_event *event,
	uint64_t run, uint64_t number);
/* Brings in a message because of another one, if there is room. */
void track_stories_relate(struct track_stories *stories, struct span id);

WARN_UNUSED enum ctl_exit track_stories_match(
	struct track_stories *stories, const struct track_source *source);
WARN_UNUSED enum ctl_exit track_stories_read_parts(
	struct track_stories *stories, const struct track_source *source);
void track_stories_sort(struct track_stories *stories);

#endif
