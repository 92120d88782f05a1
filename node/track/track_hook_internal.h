/*
 * track_hook_internal: what track_hook.c (batches, retries) and track_hook_send.c (the way out) share.
 */
#ifndef NODE_TRACK_TRACK_HOOK_INTERNAL_H
#define NODE_TRACK_TRACK_HOOK_INTERNAL_H

#include "notify/syslog.h"
#include "notify/target.h"
#include "notify/web_post.h"
#include "track/track_hook.h"

struct hook_batch {
	struct list link;
	uint64_t number;
	size_t events;
	struct buf bytes; /* encoded events */
};

enum hook_phase {
	HOOK_SERVING,
	HOOK_LEAVING, /* without pauses, until the first failure */
	HOOK_DONE,    /* nothing is begun any more */
};

struct track_hook {
	struct track_hook_options options;
	const struct hook_settings *next; /* to change to when nothing is under way; NULL: none */
	struct target target;
	struct track_redaction redaction;
	struct arena arena; /* of one event that is redacted */
	uint32_t kinds;     /* a bit for each that is wanted */
	uint64_t run;       /* in the name of each batch, with its number */
	uint64_t last_number;

	struct list batches;         /* full, or due; the first may be under way */
	struct hook_batch *building; /* NULL: none */
	size_t bytes, events;        /* of all of them */
	struct loop_timer due;       /* the batch that is built has waited long enough */
	struct loop_timer pause;
	struct loop_timer changing; /* to `next` */
	enum hook_phase phase;
	bool is_sending;
	bool is_due;
	unsigned failures;        /* in a row */
	uint64_t refused, fallen; /* events, since it was told that there are any */

	/* The way out. */
	const struct secret_value *secret; /* of a file; NULL: none */
	struct web_post *post;
	struct syslog *syslog;
	struct hook_told *told; /* of a batch for syslog: one for each of its events */
	size_t awaited;         /* ends of messages */
	enum notify_end worst;
	size_t refused_now;
	uint64_t wait_ms; /* asked for by the receiver */
	bool is_too_large;
	size_t body_len; /* of the request that is under way */
	size_t body_max; /* what the receiver may take, as far as it has refused more; SIZE_MAX: anything */
	char why[NOTIFY_WHY_MAX];
};

/* An event as a message of syslog. */
struct hook_told {
	struct track_hook *hook;
	bool is_over; /* taken or refused: not told again */
};

/* track_hook_send.c */

WARN_UNUSED bool hook_way_open(struct track_hook *hook, struct buf *why_out);
void hook_way_close(struct track_hook *hook);
/* The first batch is another one from here on: what is known of the events of the last one says nothing of
 * its own. */
void hook_forget_told(struct track_hook *hook);
/* Nothing is under way. False: `why_out` has a sentence, and the old way stays. */
WARN_UNUSED bool hook_way_change(
	struct track_hook *hook, const struct hook_settings *settings, struct buf *why_out);
/* hook_sent() follows, later. A batch that is larger than body_max is cut before. */
void hook_send(struct track_hook *hook, struct hook_batch *batch);
/* False: `why_out` has a sentence, and the old one stays. */
WARN_UNUSED bool hook_read_secret(struct track_hook *hook, struct buf *why_out);

/* track_hook.c: the end of what hook_send() began. */
struct hook_result {
	enum notify_end end;
	size_t refused;    /* events, of NOTIFY_SENT */
	bool is_too_large; /* of NOTIFY_NEVER */
	uint64_t wait_ms;
	const char *why;
};
void hook_sent(struct track_hook *hook, const struct hook_result *result);
/* The first `events` of the batch stay in it, of `len` bytes; the rest becomes the next one. */
void hook_cut(struct track_hook *hook, struct hook_batch *batch, size_t events, size_t len);

#endif
