/*
 * ban_list: the bans that a node knows, so that a banned client is refused at connect without asking anybody.
 * Bounded: a full list forgets the ban that ends first.
 */
#ifndef SKEIN_CLUSTER_BAN_LIST_H
#define SKEIN_CLUSTER_BAN_LIST_H

#include "skein/cluster/network.h"
#include "skein/proto/base/heap.h"
#include "skein/proto/base/table.h"

struct ban_list {
	struct table by_network;
	struct heap by_end;
	size_t count_of_prefix[129];
	size_t bans_max;
};

void ban_list_init(struct ban_list *list, size_t bans_max, const uint64_t seed[2]);
void ban_list_fini(struct ban_list *list);
/* Until then; 0: no longer. Replaces what was known of this network. */
void ban_list_set(struct ban_list *list, const struct network *network, uint64_t until_ms);
void ban_list_clear(struct ban_list *list);
/* When the last ban that covers the address ends; 0: none does. */
uint64_t ban_list_find(struct ban_list *list, const struct network *address, uint64_t now_ms);

#endif
