/*
 * network_tree: a radix tree over IPv4 and IPv6 networks. Asked for an address it gives, in order, the
 * numbers of the rules with a network around it. Filled once, then only read.
 */
#ifndef CLUSTER_POLICY_NETWORK_TREE_H
#define CLUSTER_POLICY_NETWORK_TREE_H

#include "skein/cluster/schema/cidr.h"

struct sockaddr;

struct network_tree {
	struct tree_node *nodes; /* the first two are the roots: IPv4, IPv6 */
	size_t node_count, node_cap;
	struct tree_entry *entries; /* until the tree is finished */
	size_t entry_count, entry_cap;
	uint32_t *numbers;
	size_t number_count, number_cap;
};

struct network_hits {
	const uint32_t *numbers; /* ascending */
	size_t count;
};

enum { NETWORK_TREE_NUMBERS_MAX = 4 * 1024 * 1024 };

/* All zero bytes is an empty tree that takes networks. */
void network_tree_add(struct network_tree *tree, const struct cidr *network, uint32_t number);
/* To be called once, after the last add and before the first look. False: networks lie in one another so
 * often that the tree would need more than NETWORK_TREE_NUMBERS_MAX numbers. */
bool network_tree_finish(struct network_tree *tree) WARN_UNUSED;
void network_tree_fini(struct network_tree *tree);

/* Neither AF_INET nor AF_INET6: none. */
struct network_hits network_tree_find(const struct network_tree *tree, const struct sockaddr *addr);
/* Rules with a network around all of this one, which was added. */
struct network_hits network_tree_around(const struct network_tree *tree, const struct cidr *network);

#endif
