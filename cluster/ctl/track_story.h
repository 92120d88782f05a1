/*
 * track_story: what is told of messages that somebody searches for: all their events over all nodes, those of
 * the session that brought each, and those of reports about them, in the order of time. Where a match belongs
 * to no message, such as a refusal, it is the story of its session.
 */
#ifndef CTL_TRACK_STORY_H
#define CTL_TRACK_STORY_H

#include "skein/proto/base/arena.h"
#include "track_source.h"
#include "track_wanted.h"

enum { TRACK_STORIES_MAX = 1000, TRACK_TOLD_MAX = 200000, TRACK_RELATED_MAX = 200 };

struct track_story {
	struct span id;   /* of the message; empty: a session, or one event that belongs to nothing */
	struct span node; /* of the session */
	uint64_t session; /* 0: not known */
	struct span sender, recipient;
	uint64_t matched_us;              /* the last event that matched; a related one has none */
	uint64_t first_us;                /* its first event, without those of its session */
	size_t root;                      /* the story that it is related to, or itself */
	bool is_hidden;                   /* told in another, or beyond the limit */
	bool is_received;                 /* its receipt is known */
	uint64_t recipients, ended;       /* 0: not known; how many of them have come to an end */
	uint64_t last_us;                 /* its last event that was read, without those of its session */
	unsigned id_round, session_round; /* when its events were asked for, and those of its session; 0: not
					     yet */
	size_t id_at, session_at;         /* the terms that ask for them */
};

/* An event of a story. The same event may be in several. */
struct track_told {
	size_t story;
	uint64_t run, number;
	struct track_event event; /* text in the arena */
};

struct track_stories {
	const struct track_wanted *wanted;
	size_t limit;
	struct arena arena;
	struct track_story *items;
	size_t count, cap, related;
	struct track_told *told; /* story by story, each in the order of time */
	size_t told_count, told_cap;
	bool has_more;  /* than the limit: the newest are told */
	bool is_cut;    /* there are more events than can be told */
	uint64_t *keys; /* of ids, sessions and recipients that have ended; a table */
	size_t *values, key_count, key_cap;
	unsigned round;
	struct track_any *asked; /* in this round */
	size_t asked_count;
};

void track_stories_init(struct track_stories *stories, const struct track_wanted *wanted, size_t limit);
void track_stories_fini(struct track_stories *stories);
WARN_UNUSED enum ctl_exit track_stories_read(
	struct track_stories *stories, const struct track_source *source);
/* Those that are shown. */
size_t track_stories_shown(const struct track_stories *stories);
/* Does a later event go on with one of these? Then ids that it brings in belong to them from now on. */
bool track_stories_go_on(struct track_stories *stories, const struct track_event *event);

#endif
