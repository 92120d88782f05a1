#include "skein/proto/base/arena.h"

#include "skein/proto/base/alloc.h"

#include <stddef.h>

enum { BLOCK_SIZE = 1024 };

struct arena_block {
	struct arena_block *older;
	size_t used, cap;
	max_align_t bytes[];
};

static struct arena_block *new_block(struct arena *arena, size_t size)
{
	size_t cap = size > BLOCK_SIZE ? size : BLOCK_SIZE;
	struct arena_block *block = mem_alloc(sizeof(*block) + cap);

	block->used = 0;
	block->cap = cap;
	block->older = arena->block;
	arena->block = block;
	return block;
}

void *arena_alloc(struct arena *arena, size_t size)
{
	struct arena_block *block = arena->block;
	size_t unit = sizeof(max_align_t);
	void *ptr;

	size = (size + unit - 1) / unit * unit;
	if (!block || block->cap - block->used < size)
		block = new_block(arena, size);
	ptr = (char *)block->bytes + block->used;
	block->used += size;
	return ptr;
}

void *arena_zalloc(struct arena *arena, size_t size)
{
	return memset(arena_alloc(arena, size), 0, size);
}

struct span arena_dup(struct arena *arena, struct span bytes)
{
	char *copy = arena_alloc(arena, bytes.len);

	if (bytes.len)
		memcpy(copy, bytes.ptr, bytes.len);
	return span_of(copy, bytes.len);
}

char *arena_strdup(struct arena *arena, struct span text)
{
	char *copy = arena_alloc(arena, text.len + 1);

	if (text.len)
		memcpy(copy, text.ptr, text.len);
	copy[text.len] = '\0';
	return copy;
}

void arena_reset(struct arena *arena)
{
	while (arena->block && (arena->block->older || arena->block->cap > BLOCK_SIZE)) {
		struct arena_block *older = arena->block->older;

		mem_free(arena->block);
		arena->block = older;
	}
	if (arena->block)
		arena->block->used = 0;
}

void arena_fini(struct arena *arena)
{
	arena_reset(arena);
	mem_free(arena->block);
	arena->block = NULL;
}
