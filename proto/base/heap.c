#include "skein/proto/base/heap.h"

#include "skein/proto/base/alloc.h"

void heap_fini(struct heap *heap)
{
	mem_free(heap->nodes);
	*heap = (struct heap){ 0 };
}

static void place(struct heap *heap, size_t index, struct heap_node *node)
{
	heap->nodes[index] = node;
	node->slot = index + 1;
}

static void sift_up(struct heap *heap, size_t index, struct heap_node *node)
{
	while (index) {
		size_t parent = (index - 1) / 2;

		if (heap->nodes[parent]->due <= node->due)
			break;
		place(heap, index, heap->nodes[parent]);
		index = parent;
	}
	place(heap, index, node);
}

static void sift_down(struct heap *heap, size_t index, struct heap_node *node)
{
	for (;;) {
		size_t child = index * 2 + 1;

		if (child >= heap->count)
			break;
		if (child + 1 < heap->count && heap->nodes[child + 1]->due < heap->nodes[child]->due)
			child++;
		if (node->due <= heap->nodes[child]->due)
			break;
		place(heap, index, heap->nodes[child]);
		index = child;
	}
	place(heap, index, node);
}

static void settle(struct heap *heap, size_t index, struct heap_node *node)
{
	if (index && heap->nodes[(index - 1) / 2]->due > node->due)
		sift_up(heap, index, node);
	else
		sift_down(heap, index, node);
}

void heap_set(struct heap *heap, struct heap_node *node, uint64_t due)
{
	node->due = due;
	if (!node->slot) {
		if (heap->count == heap->cap) {
			heap->cap = heap->cap ? heap->cap * 2 : 16;
			heap->nodes = mem_realloc(heap->nodes, heap->cap * sizeof(struct heap_node *));
		}
		place(heap, heap->count++, node);
	}
	settle(heap, node->slot - 1, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
	size_t index;
	struct heap_node *last;

	if (!node->slot)
		return;
	index = node->slot - 1;
	CHECK(heap->nodes[index] == node);
	node->slot = 0;
	last = heap->nodes[--heap->count];
	if (last != node)
		settle(heap, index, last);
}

struct heap_node *heap_peek(const struct heap *heap)
{
	return heap->count ? heap->nodes[0] : NULL;
}
