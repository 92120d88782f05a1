#include "track_story_internal.h"

#include "skein/cluster/msg_id.h"
#include "skein/cluster/track_filter.h"
#include "skein/proto/base/alloc.h"

static size_t slot_of(const struct track_stories *stories, uint64_t key)
{
	size_t at = (size_t)key & (stories->key_cap - 1);

	while (stories->keys[at] && stories->keys[at] != key)
		at = (at + 1) & (stories->key_cap - 1);
	return at;
}

/* The first story with this key; `count`: there is none. */
size_t track_stories_find_key(const struct track_stories *stories, uint64_t key)
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

void track_stories_put_key(struct track_stories *stories, uint64_t key, size_t story)
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

size_t track_stories_add(struct track_stories *stories, struct span id)
{
	size_t index = stories->count++;

	if (index == stories->cap) {
		stories->cap = stories->cap ? stories->cap * 2 : 64;
		stories->items = mem_realloc(stories->items, stories->cap * sizeof(*stories->items));
	}
	stories->items[index] = (struct track_story){ .id = arena_dup(&stories->arena, id), .root = index };
	if (id.len)
		track_stories_put_key(stories, track_term(TRACK_TERM_ID, id), index);
	return index;
}

size_t track_stories_find_id(const struct track_stories *stories, struct span id)
{
	return id.len ? track_stories_find_key(stories, track_term(TRACK_TERM_ID, id)) : stories->count;
}

uint64_t track_stories_session_key(const struct track_event *event)
{
	return track_term(TRACK_TERM_SESSION, event->text[TRACK_NODE_NAME]) ^
	       (event->session * 0x9e3779b97f4a7c15u);
}

void track_stories_set_session(struct track_stories *stories, size_t story, const struct track_event *event)
{
	struct track_story *item = &stories->items[story];
	uint64_t key;

	if (!event->session || item->session)
		return;
	item->session = event->session;
	item->node = arena_dup(&stories->arena, event->text[TRACK_NODE_NAME]);
	key = track_stories_session_key(event);
	track_stories_put_key(stories, item->id.len ? key : ~key, story);
}

void track_stories_learn(struct track_stories *stories, size_t story, const struct track_event *event)
{
	struct track_story *item = &stories->items[story];
	bool is_receipt = event->kind == TRACK_RECEIVE || event->kind == TRACK_DISCARD;

	track_stories_set_session(stories, story, event);
	if ((is_receipt || !item->sender.len) && event->text[TRACK_SENDER].len)
		item->sender = arena_dup(&stories->arena, event->text[TRACK_SENDER]);
	if ((is_receipt || !item->recipient.len) && event->text[TRACK_RECIPIENT].len)
		item->recipient = arena_dup(&stories->arena, event->text[TRACK_RECIPIENT]);
	if (is_receipt) {
		item->is_received = true;
		item->recipients = event->recipients;
	}
}

bool track_story_is_of_session(const struct track_story *story, const struct track_event *event)
{
	return story->session && story->session == event->session &&
	       span_eq(story->node, event->text[TRACK_NODE_NAME]);
}

bool track_stories_is_shown(const struct track_stories *stories, size_t story)
{
	return story < stories->count && !stories->items[story].is_hidden;
}

uint64_t track_story_begin_of(struct span id)
{
	struct msg_id parsed;
	uint64_t ms = 0;

	if (!msg_id_parse(id, &parsed))
		return 0;
	for (size_t i = 0; i < 6; i++)
		ms = ms << 8 | parsed.bytes[i];
	return ms * 1000;
}

void track_stories_tell(struct track_stories *stories, size_t story, const struct track_event *event,
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
