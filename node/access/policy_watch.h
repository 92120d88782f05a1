/*
 * policy_watch: keeps the slot at the cluster's current policy. Asks Redis for the current version twice a
 * second on the node's own connection; a new one is fetched, compiled and kept in the spool off the loop,
 * then put into the slot, where all workers find it with their next question. A text that does not compile
 * here (another version of Skein wrote it) changes nothing but what is logged and reported.
 *
 * Where Redis has lost the policy, or went back behind the version that it gave this process, that version is
 * written again: a policy ends only by a newer one.
 */
#ifndef NODE_ACCESS_POLICY_WATCH_H
#define NODE_ACCESS_POLICY_WATCH_H

#include "access/policy_slot.h"
#include "io/loop.h"
#include "track/log.h"

struct policy_watch;

struct policy_watch_options {
	struct loop *loop;
	struct log *log;
	struct track *track; /* NULL: nothing is tracked */
	struct policy_slot *slot;
	const char *spool_dir;
};

/* Puts the copy of the spool into the slot, if there is a good one. Everything is borrowed. Blocks. */
struct policy_watch *policy_watch_new(const struct policy_watch_options *options);
/* After the link's connection is freed. Sets the pointer to NULL; harmless for NULL inside. */
void policy_watch_free(struct policy_watch **watch);
/* Begins to ask; whether the link is ready is looked at each time. */
void policy_watch_follow(struct policy_watch *watch, struct redis_link *link);

#endif
