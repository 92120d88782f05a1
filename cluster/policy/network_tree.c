/*
 * Path-compressed: a node stands where a network is or where two part. Each node holds the merged numbers of
 * itself and all above it, so a look is one walk down and no merging.
 */
#include "policy/network_tree.h"

#include "skein/proto/base/alloc.h"

#include <netinet/in.h>

enum { ROOT_V4, ROOT_V6, ROOTS, NONE = 0 };

struct key {
	uint64_t high, low; /* IPv4: the first 32 bits */
};

struct tree_node {
	struct key key;    /* bits beyond `len` are zero */
	uint32_t child[2]; /* NONE: no root is anybody's child */
	uint32_t first;    /* of `numbers`; while the tree is filled, the last entry, from 1 */
	uint32_t count;
	uint8_t len;
};

struct tree_entry {
	uint32_t number, next;
};

static uint64_t word_of(const unsigned char bytes[8])
{
	uint64_t word = 0;

	for (unsigned i = 0; i < 8; i++)
		word = word << 8 | bytes[i];
	return word;
}

static struct key key_of_cidr(const struct cidr *cidr)
{
	return (struct key){ word_of(cidr->bytes), word_of(cidr->bytes + 8) };
}

static unsigned bit_of(struct key key, unsigned at)
{
	return (unsigned)((at < 64 ? key.high >> (63 - at) : key.low >> (127 - at)) & 1);
}

static struct key cut(struct key key, unsigned len)
{
	if (len == 0)
		return (struct key){ 0, 0 };
	if (len <= 64)
		return (struct key){ key.high & (UINT64_MAX << (64 - len)), 0 };
	return (struct key){ key.high, key.low & (UINT64_MAX << (128 - len)) };
}

static bool is_same(struct key a, struct key b)
{
	return a.high == b.high && a.low == b.low;
}

static unsigned common_bits(struct key a, struct key b)
{
	if (a.high != b.high)
		return (unsigned)__builtin_clzll(a.high ^ b.high);
	if (a.low != b.low)
		return 64 + (unsigned)__builtin_clzll(a.low ^ b.low);
	return 128;
}

static uint32_t add_node(struct network_tree *tree, struct key key, unsigned len)
{
	if (tree->node_count == tree->node_cap) {
		tree->node_cap = tree->node_cap ? tree->node_cap * 2 : 64;
		tree->nodes = mem_realloc(tree->nodes, tree->node_cap * sizeof(*tree->nodes));
	}
	tree->nodes[tree->node_count] = (struct tree_node){ .key = cut(key, len), .len = (uint8_t)len };
	return (uint32_t)tree->node_count++;
}

static void add_roots(struct network_tree *tree)
{
	for (size_t i = tree->node_count; i < ROOTS; i++)
		add_node(tree, (struct key){ 0, 0 }, 0);
}

/* Puts a node for the first `len` bits between `parent` and its child. */
static uint32_t split(struct network_tree *tree, uint32_t parent, struct key key, unsigned len)
{
	uint32_t added = add_node(tree, key, len);
	uint32_t *link = &tree->nodes[parent].child[bit_of(key, tree->nodes[parent].len)];

	tree->nodes[added].child[bit_of(tree->nodes[*link].key, len)] = *link;
	*link = added;
	return added;
}

/* The node of a network, made where there is none. */
static uint32_t node_for(struct network_tree *tree, uint32_t root, struct key key, unsigned len)
{
	uint32_t at = root;

	while (tree->nodes[at].len < len) {
		unsigned side = bit_of(key, tree->nodes[at].len);
		uint32_t child = tree->nodes[at].child[side];
		unsigned common;

		if (child == NONE) {
			uint32_t added = add_node(tree, key, len);

			tree->nodes[at].child[side] = added;
			return added;
		}
		common = common_bits(key, tree->nodes[child].key);
		if (common > len)
			common = len;
		at = common < tree->nodes[child].len ? split(tree, at, key, common) : child;
	}
	return at;
}

void network_tree_add(struct network_tree *tree, const struct cidr *network, uint32_t number)
{
	uint32_t at;

	add_roots(tree);
	at = node_for(tree, network->is_v6 ? ROOT_V6 : ROOT_V4, key_of_cidr(network), network->prefix);
	if (tree->entry_count == tree->entry_cap) {
		tree->entry_cap = tree->entry_cap ? tree->entry_cap * 2 : 64;
		tree->entries = mem_realloc(tree->entries, tree->entry_cap * sizeof(*tree->entries));
	}
	tree->entries[tree->entry_count++] = (struct tree_entry){ number, tree->nodes[at].first };
	tree->nodes[at].first = (uint32_t)tree->entry_count;
}

static void insert_sorted(uint32_t *numbers, uint32_t *count, uint32_t number)
{
	uint32_t at = *count;

	while (at && numbers[at - 1] > number)
		at--;
	if (at && numbers[at - 1] == number)
		return;
	memmove(numbers + at + 1, numbers + at, (*count - at) * sizeof(*numbers));
	numbers[at] = number;
	(*count)++;
}

static bool reserve_numbers(struct network_tree *tree, size_t more)
{
	size_t wanted = tree->number_count + more;

	if (wanted > NETWORK_TREE_NUMBERS_MAX)
		return false;
	if (wanted > tree->number_cap) {
		tree->number_cap = wanted * 2;
		tree->numbers = mem_realloc(tree->numbers, tree->number_cap * sizeof(*tree->numbers));
	}
	return true;
}

/* A node without entries of its own shares the numbers of the one above. */
static bool merge_numbers(struct network_tree *tree, struct tree_node *node, const struct tree_node *above)
{
	uint32_t entry = node->first, count = above->count;
	size_t own = 0;

	for (uint32_t at = entry; at; at = tree->entries[at - 1].next)
		own++;
	node->first = above->first;
	node->count = count;
	if (!own)
		return true;
	if (!reserve_numbers(tree, count + own))
		return false;
	node->first = (uint32_t)tree->number_count;
	if (count)
		memcpy(tree->numbers + node->first, tree->numbers + above->first, count * sizeof(uint32_t));
	for (uint32_t at = entry; at; at = tree->entries[at - 1].next)
		insert_sorted(tree->numbers + node->first, &count, tree->entries[at - 1].number);
	node->count = count;
	tree->number_count += count;
	return true;
}

/* At most 128 deep. */
static bool finish_below(struct network_tree *tree, uint32_t at)
{
	for (unsigned side = 0; side < 2; side++) {
		uint32_t child = tree->nodes[at].child[side];

		if (child != NONE && (!merge_numbers(tree, &tree->nodes[child], &tree->nodes[at]) ||
					     !finish_below(tree, child)))
			return false;
	}
	return true;
}

bool network_tree_finish(struct network_tree *tree)
{
	static const struct tree_node nothing = { .count = 0 };
	bool fits = true;

	add_roots(tree);
	for (uint32_t root = 0; root < ROOTS && fits; root++)
		fits = merge_numbers(tree, &tree->nodes[root], &nothing) && finish_below(tree, root);
	mem_free(tree->entries);
	tree->entries = NULL;
	return fits;
}

void network_tree_fini(struct network_tree *tree)
{
	mem_free(tree->nodes);
	mem_free(tree->entries);
	mem_free(tree->numbers);
	*tree = (struct network_tree){ .nodes = NULL };
}

/* The deepest node around the first `len` bits of the key. */
static const struct tree_node *walk(
	const struct network_tree *tree, uint32_t root, struct key key, unsigned len)
{
	const struct tree_node *node = &tree->nodes[root];

	while (node->len < len) {
		uint32_t child = node->child[bit_of(key, node->len)];
		const struct tree_node *next = &tree->nodes[child];

		if (child == NONE || next->len > len || !is_same(cut(key, next->len), next->key))
			break;
		node = next;
	}
	return node;
}

static struct network_hits hits_of(const struct network_tree *tree, const struct tree_node *node)
{
	return (struct network_hits){ node->count ? tree->numbers + node->first : NULL, node->count };
}

struct network_hits network_tree_around(const struct network_tree *tree, const struct cidr *network)
{
	return hits_of(
		tree, walk(tree, network->is_v6 ? ROOT_V6 : ROOT_V4, key_of_cidr(network), network->prefix));
}

struct network_hits network_tree_find(const struct network_tree *tree, const struct sockaddr *addr)
{
	struct cidr cidr;

	if (!cidr_of_address(addr, &cidr))
		return (struct network_hits){ NULL, 0 };
	return network_tree_around(tree, &cidr);
}
