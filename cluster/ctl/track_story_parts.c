#include "track_story_internal.h"

#include "skein/cluster/track_filter.h"
#include "skein/proto/base/alloc.h"

enum {
	ROUNDS = 6,
	/* So many terms may be anywhere: by chance a chunk has each with one in a hundred. */
	SURE_COUNT = 64,
};
/* That a session may have lasted before it brought a message. */
#define BEFORE_US ((uint64_t)24 * 3600 * 1000000)
/* That clocks of nodes may differ. */
#define SLACK_US ((uint64_t)3600 * 1000000)
/* That something may follow when the last recipient of a message has come to an end. */
#define AFTER_END_US ((uint64_t)3600 * 1000000)

/* Brings in a message because of another one, if there is room. */
void track_stories_relate(struct track_stories *stories, struct span id)
{
	size_t story = track_stories_find_id(stories, id);

	if (!id.len || track_stories_is_shown(stories, story))
		return;
	if (stories->related == TRACK_RELATED_MAX)
		return;
	stories->related++;
	if (story == stories->count)
		story = track_stories_add(stories, id);
	stories->items[story].is_hidden = false;
}

/* A report and its original are told together. */
static void relate_report(struct track_stories *stories, const struct track_event *event)
{
	struct span id = event->text[TRACK_ID], about = event->text[TRACK_ABOUT];
	size_t report, original;

	track_stories_relate(stories, id);
	track_stories_relate(stories, about);
	report = track_stories_find_id(stories, id);
	original = track_stories_find_id(stories, about);
	if (report != original && track_stories_is_shown(stories, report) &&
		track_stories_is_shown(stories, original))
		stories->items[report].root = original;
}

/* ---- how long a message is looked for ---- */

static bool is_new_end(struct track_stories *stories, const struct track_event *event)
{
	uint64_t key = track_term(TRACK_TERM_RECIPIENT, event->text[TRACK_RECIPIENT]) ^
		       (track_term(TRACK_TERM_ID, event->text[TRACK_ID]) * 0x9e3779b97f4a7c15u);

	if (track_stories_find_key(stories, key) < stories->count)
		return false;
	track_stories_put_key(stories, key, track_stories_find_id(stories, event->text[TRACK_ID]));
	return true;
}

/* Few are looked for in all that is there. */
static void look_until(struct track_stories *stories, size_t at, uint64_t time_us)
{
	if (stories->asked_count > SURE_COUNT)
		stories->asked[at].until_us = time_us + AFTER_END_US;
}

static void note_end(struct track_stories *stories, size_t story, const struct track_event *event)
{
	struct track_story *item = &stories->items[story];
	bool is_end =
		event->kind == TRACK_DELIVER || event->kind == TRACK_FAIL || event->kind == TRACK_EXPIRE;

	item->last_us = event->time_us > item->last_us ? event->time_us : item->last_us;
	if (is_end && is_new_end(stories, event))
		item->ended++;
	if (event->kind == TRACK_DISCARD || (item->recipients && item->ended >= item->recipients))
		look_until(stories, item->id_at, item->last_us);
}

/* ---- their events ---- */

/* Each story is told of by the round that asks for it: its events may have been passed over before. */
static bool is_asked(const struct track_stories *stories, size_t story)
{
	return track_stories_is_shown(stories, story) && stories->items[story].id_round == stories->round;
}

static void take_own(
	struct track_stories *stories, const struct track_event *event, uint64_t run, uint64_t number)
{
	struct span id = event->text[TRACK_ID], about = event->text[TRACK_ABOUT];
	size_t story = track_stories_find_id(stories, id), original = stories->count;

	if (event->kind == TRACK_BOUNCE)
		original = track_stories_find_id(stories, about);
	if (is_asked(stories, story)) {
		track_stories_tell(stories, story, event, run, number);
		track_stories_learn(stories, story, event);
		note_end(stories, story, event);
	}
	if (original != story && is_asked(stories, original))
		track_stories_tell(stories, original, event, run, number);
	if (event->kind == TRACK_BOUNCE && (is_asked(stories, story) || is_asked(stories, original)))
		relate_report(stories, event);
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

static bool is_known_session(const struct track_stories *stories, const struct track_event *event)
{
	uint64_t key = track_stories_session_key(event);

	return track_stories_find_key(stories, key) < stories->count ||
	       track_stories_find_key(stories, ~key) < stories->count;
}

static void take_session(
	struct track_stories *stories, const struct track_event *event, uint64_t run, uint64_t number)
{
	if (!event->session || !is_known_session(stories, event))
		return;
	for (size_t i = 0; i < stories->count; i++) {
		struct track_story *item = &stories->items[i];

		if (item->is_hidden || item->session_round != stories->round ||
			!track_story_is_of_session(item, event))
			continue;
		if (is_part(item, event))
			track_stories_tell(stories, i, event, run, number);
		if (event->kind == TRACK_DISCONNECT)
			look_until(stories, item->session_at, event->time_us);
	}
}

static void take_part(void *arg, const struct track_event *event, uint64_t run, uint64_t number)
{
	take_own(arg, event, run, number);
	take_session(arg, event, run, number);
}

/* ---- what is asked for ---- */

static size_t ask(struct track_stories *stories, uint64_t term, uint64_t since_us, struct span node)
{
	size_t at = stories->asked_count++;

	stories->asked[at] = (struct track_any){ term, since_us, UINT64_MAX, node };
	return at;
}

/* What a session may have refused is known by the sender: once that is known. */
static bool is_session_due(const struct track_story *story)
{
	return story->session && !story->session_round &&
	       (story->is_received || !story->id.len || story->id_round);
}

static void ask_for_session(struct track_stories *stories, struct track_story *item, uint64_t since_us)
{
	item->session_round = stories->round;
	item->session_at = ask(stories, track_term_session(item->node, item->session), since_us, item->node);
}

static void ask_for(struct track_stories *stories, struct track_story *item)
{
	uint64_t begin_us = item->id.len ? track_story_begin_of(item->id) : item->matched_us;
	uint64_t before_us = begin_us > BEFORE_US ? begin_us - BEFORE_US : 0;

	if (is_session_due(item))
		ask_for_session(stories, item, before_us);
	if (item->id.len && !item->id_round) {
		item->id_round = stories->round;
		item->id_at = ask(stories, track_term(TRACK_TERM_ID, item->id),
			begin_us > SLACK_US ? begin_us - SLACK_US : 0, span_of(NULL, 0));
	}
}

/* What no round has asked for yet, of all stories that are shown. */
static void ask_for_all(struct track_stories *stories)
{
	stories->asked_count = 0;
	for (size_t i = 0; i < stories->count; i++)
		if (!stories->items[i].is_hidden)
			ask_for(stories, &stories->items[i]);
}

enum ctl_exit track_stories_read_parts(struct track_stories *stories, const struct track_source *source)
{
	const struct track_visitor visitor = { take_part, NULL, stories };
	enum ctl_exit exit = CTL_OK;

	while (!exit && stories->round < ROUNDS) {
		struct track_search search = { .order = TRACK_OLDEST_FIRST, .since_us = UINT64_MAX };

		stories->round++;
		stories->asked =
			mem_realloc(stories->asked, (2 * stories->count + 1) * sizeof(*stories->asked));
		ask_for_all(stories);
		if (!stories->asked_count)
			break;
		for (size_t i = 0; i < stories->asked_count; i++)
			if (stories->asked[i].since_us < search.since_us)
				search.since_us = stories->asked[i].since_us;
		search.any = stories->asked;
		search.any_count = stories->asked_count;
		exit = source->visit(source->ctx, &search, &visitor);
	}
	return exit;
}
