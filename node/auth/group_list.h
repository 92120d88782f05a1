/*
 * group_list: the groups that policy asks about, and their SIDs once a directory told them. Does not change,
 * and is counted; a new list takes the place of an old one. Written as an account name (smtp-relay-users),
 * DOMAIN\name, a distinguished name, or a SID.
 */
#ifndef NODE_AUTH_GROUP_LIST_H
#define NODE_AUTH_GROUP_LIST_H

#include "auth/sid.h"
#include "skein/cluster/schema/table.h"

struct wanted_group {
	const char *name; /* as it was written */
	struct sid sid;   /* len 0: not found, or not looked for yet */
};

struct group_list {
	struct wanted_group *items;
	size_t count;
	size_t missing;        /* without a SID */
	uint64_t looked_at_ms; /* 0: never */
};

/* Copies the names. SIDs that are written as such are there already. */
struct group_list *group_list_new(struct text_list names);
/* The names and SIDs of `from`, to be completed by whoever makes it before others see it. */
struct group_list *group_list_copy(const struct group_list *from);
struct group_list *group_list_ref(struct group_list *list);
void group_list_unref(struct group_list **list);
void group_list_found(struct group_list *list, size_t index, const struct sid *sid);
/* Those with one of these SIDs, in the order of the list; `names_out` has room for all. */
size_t group_list_match(
	const struct group_list *list, const struct span *sids, size_t sid_count, const char **names_out);

#endif
