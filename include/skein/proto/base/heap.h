/*
 * heap: deadlines in order. An element embeds a heap_node; the heap holds pointers and never owns. Ties leave
 * in no promised order. All zero bytes is a valid empty heap and a valid node in no heap.
 */
#ifndef SKEIN_PROTO_BASE_HEAP_H
#define SKEIN_PROTO_BASE_HEAP_H

#include "skein/proto/base/check.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
	uint64_t due;
	size_t slot; /* index in the heap plus one; 0 when in none */
};

struct heap {
	struct heap_node **nodes;
	size_t count, cap;
};

void heap_fini(struct heap *heap);
/* Inserts, or moves when it is in the heap already. */
void heap_set(struct heap *heap, struct heap_node *node, uint64_t due);
/* Harmless when the node is in no heap. */
void heap_remove(struct heap *heap, struct heap_node *node);
/* The earliest, or NULL. */
struct heap_node *heap_peek(const struct heap *heap);

static inline bool heap_has(const struct heap_node *node)
{
	return node->slot != 0;
}

#endif
