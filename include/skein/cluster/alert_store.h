/*
 * alert_store: what nodes count and who sends how much, what the leader has made of it, and the notices that
 * have still to be given, in Redis, as typed calls over one redis_link. The rules for the calls are those of
 * queue.h. Times are of Redis' clock.
 */
#ifndef SKEIN_CLUSTER_ALERT_STORE_H
#define SKEIN_CLUSTER_ALERT_STORE_H

#include "skein/cluster/incarnation.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	ALERT_TELL_NAMES_MAX = 200, /* senders in one call; the same of logins */
	ALERT_TELL_NAME_MAX = 320,  /* bytes of one */
	ALERT_TELL_NODE_MAX = 8192, /* bytes of what a node says of itself */
	ALERT_NOTICE_MAX = 8192,    /* bytes */
	ALERT_NOTICE_ID_MAX = 128,
	ALERT_SENDERS_LOOK = 50, /* the busiest ones that the leader looks at */
	ALERT_WHY_MAX = 200,
};

/* `fn` of a call that has no more to tell than its outcome; may be NULL. */
typedef void alert_outcome_fn(void *arg, const struct outcome *outcome);

struct alert_count {
	struct span name;
	uint64_t step;
};
struct alert_counts {
	const struct alert_count *items;
	size_t count;
};

/* Since the last time. */
struct alert_tell {
	struct node_uuid node;
	struct span said; /* of itself; opaque, one line */
	struct alert_counts counters, senders, logins;
};
bool alert_store_tell(struct redis_link *link, const struct alert_tell *args, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg);

/* Text with a name: a subject and its state, an id and a notice. */
struct alert_note {
	struct span name, text;
	uint64_t at_ms; /* where there is a time */
};
struct alert_notes {
	const struct alert_note *items;
	size_t count;
};

struct alert_store_sender {
	struct span name;
	uint64_t recent, usual; /* messages in the last hour; in an hour */
};

struct alert_store_look {
	struct incarnation leader;
	struct span name; /* of the node */
	uint64_t window_ms, least_messages, least_failures;
};
/* All borrowed. */
struct alert_store_view {
	uint64_t now_ms;
	uint64_t number;                     /* of changes, for alert_store_put() */
	uint64_t waiting, dropped;           /* notices in the outbox; those that nobody took */
	struct alert_notes firing, silences; /* text of a silence: until made by why */
	struct alert_counts counters, logins;
	struct alert_notes nodes; /* by uuid; what each says of itself, and when it did */
	const struct alert_store_sender *senders;
	size_t sender_count;
	struct alert_notes tests; /* name: an id, text: a channel or "" for all. The caller's from now on */
};
typedef void alert_store_look_fn(
	void *arg, const struct outcome *outcome, const struct alert_store_view *view);
/* Of the leader alone. */
bool alert_store_look(struct redis_link *link, const struct alert_store_look *args, uint64_t now_ms,
	alert_store_look_fn *fn, void *arg);

/* NOT: another leader was faster, and nothing was changed. */
struct alert_store_put {
	uint64_t number;
	struct alert_notes changes; /* of `firing`; an empty text: it is well again */
	struct alert_notes notices; /* for the outbox: id and notice */
};
bool alert_store_put(struct redis_link *link, const struct alert_store_put *args, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg);

typedef void alert_store_outbox_fn(
	void *arg, const struct outcome *outcome, uint64_t at_ms, const struct alert_notes *notices);
bool alert_store_outbox(struct redis_link *link, uint64_t now_ms, alert_store_outbox_fn *fn, void *arg);
/* It leaves the outbox; `was_dropped`: nobody took it. */
bool alert_store_given(struct redis_link *link, struct span id, bool was_dropped, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg);

struct alert_silence {
	struct span what; /* an alert, or one and its subject */
	uint64_t for_ms;  /* 0: no longer */
	struct span by, why;
};
/* NOT: it was not silent. HELD: too many are. */
bool alert_store_silence(struct redis_link *link, const struct alert_silence *args, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg);

struct alert_store_list {
	uint64_t now_ms, at_ms; /* when the leader looked last; 0: never */
	struct span by;
	uint64_t waiting, dropped;
	struct alert_notes firing, silences;
};
typedef void alert_store_list_fn(
	void *arg, const struct outcome *outcome, const struct alert_store_list *list);
bool alert_store_list(struct redis_link *link, uint64_t now_ms, alert_store_list_fn *fn, void *arg);

/* A wish to try channels. HELD: there are too many. */
bool alert_store_test(struct redis_link *link, struct span id, struct span channel, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg);
bool alert_store_tested(struct redis_link *link, struct span id, struct span text, uint64_t now_ms,
	alert_outcome_fn *fn, void *arg);
/* Empty: not known yet. */
typedef void alert_store_result_fn(void *arg, const struct outcome *outcome, struct span text);
bool alert_store_result(
	struct redis_link *link, struct span id, uint64_t now_ms, alert_store_result_fn *fn, void *arg);

#endif
