/*
 * pattern_set: texts with the wildcards '*' (any number of characters) and '?' (one), ASCII letters without
 * case. Whole texts and whole domains are found by bisection, so a list may have many thousand of them; only
 * other patterns are tried one by one.
 */
#ifndef CLUSTER_POLICY_PATTERN_SET_H
#define CLUSTER_POLICY_PATTERN_SET_H

#include "skein/proto/base/arena.h"

struct pattern {
	struct span text;  /* lower case; what is compared */
	const char *entry; /* as the author wrote it */
};

struct pattern_group {
	struct pattern *items;
	size_t count, cap;
};

/* All zero bytes is an empty one, which nothing matches. */
struct pattern_set {
	struct pattern_group whole, domains, globs; /* domains: of "*@domain", without the "*@" */
};

/* `entry` is borrowed for the set's life; `text` is copied to the arena, as everything else. */
void pattern_set_add(struct pattern_set *set, struct arena *arena, struct span text, const char *entry);
/* Once, after the last add. */
void pattern_set_finish(struct pattern_set *set);
bool pattern_set_is_empty(const struct pattern_set *set);
/* The entry that matches, or NULL. */
const char *pattern_set_find(const struct pattern_set *set, struct span text);
/* Does every text that `inner` matches match `outer` too? False where that is not plain to see. */
bool pattern_set_covers(const struct pattern_set *outer, const struct pattern_set *inner);

bool pattern_matches(struct span pattern, struct span text);

#endif
