/* roster: the cluster's nodes as the registry had them at one moment, kept. */
#ifndef CTL_ROSTER_H
#define CTL_ROSTER_H

#include "session.h"
#include "skein/cluster/registry.h"

struct roster {
	struct registry_node *nodes; /* by name; all text in the arena */
	size_t count;
	struct registry_leader leader;
	struct arena arena;
};

/* All zero bytes is a valid empty roster. */
WARN_UNUSED enum ctl_exit roster_load(struct roster *roster, struct session *session);
void roster_fini(struct roster *roster);

/*
 * By name, UUID, or the start of a UUID. Several nodes have one name when dead ones are among them: the
 * living one is meant then. NULL, told on standard error with the names there are: CTL_NEGATIVE.
 */
const struct registry_node *roster_find(const struct roster *roster, const char *text);
/* NULL: the registry does not know it. */
const struct registry_node *roster_of(const struct roster *roster, const struct node_uuid *node);
/* The node's name, or its UUID (the caller's) where the registry does not know it. */
struct span roster_name(const struct roster *roster, const struct node_uuid *node);
bool roster_is_leader(const struct roster *roster, const struct registry_node *node);
size_t roster_count(const struct roster *roster, enum registry_state state);

/* "alive", "dead", "left", "forgotten" */
const char *roster_state_name(enum registry_state state);

#endif
