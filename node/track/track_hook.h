/*
 * track_hook: one receiver outside that is told of events: a webhook, or a collector of syslog. Events are
 * gathered into batches, which are sent one after the other, and again after a pause that grows while the
 * receiver fails: each is told at least once. What waits is bounded: when the queue is full, the oldest
 * events fall out. All calls are the tracker's thread's.
 */
#ifndef NODE_TRACK_TRACK_HOOK_H
#define NODE_TRACK_TRACK_HOOK_H

#include "config/settings.h"
#include "notify/notifier.h"
#include "track/metrics.h"

struct track_hook;

/* All borrowed. */
struct track_hook_options {
	const struct hook_settings *settings;
	const uint64_t *redact_key; /* two numbers, of TRACK_REDACT_HASHED */
	struct notifier *notifier;
	struct loop *loop;
	struct log *log;
	struct meter *meter;
};

/* Reads its files: for the start. NULL: `why_out` has a sentence. */
struct track_hook *track_hook_new(const struct track_hook_options *options, struct buf *why_out);
/* What is left is counted and told in the log. Sets the pointer to NULL; NULL is fine. */
void track_hook_free(struct track_hook **hook);

const char *track_hook_name(const struct track_hook *hook);
void track_hook_take(struct track_hook *hook, const struct track_event *event);
/* A batch of the tracker has ended. */
void track_hook_flush(struct track_hook *hook);
/*
 * New settings of the same name, which outlive the hook; they may be the same. What waits stays, and goes the
 * new way. Where they differ they hold once the batch that is under way has ended; reads files. Where they
 * cannot hold the old ones stay, and the log says so.
 */
void track_hook_reload(struct track_hook *hook, const struct hook_settings *settings);
/* Everything is tried now, for the last time. */
void track_hook_leave(struct track_hook *hook);
/* Nothing waits; after track_hook_leave() also: the receiver failed. */
bool track_hook_is_idle(const struct track_hook *hook);

#endif
