/*
 * arena: many small allocations that end together. One per session, per transaction, per delivery. All zero
 * bytes is a valid empty arena. What it returns lives until arena_reset() or arena_fini().
 */
#ifndef SKEIN_PROTO_BASE_ARENA_H
#define SKEIN_PROTO_BASE_ARENA_H

#include "skein/proto/base/span.h"

struct arena {
	struct arena_block *block;
};

/* Aligned for any type, not zeroed. */
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size);
struct span arena_dup(struct arena *arena, struct span bytes);
/* NUL-terminated. */
char *arena_strdup(struct arena *arena, struct span text);
/* Frees all but one small block, which the next use takes up. */
void arena_reset(struct arena *arena);
void arena_fini(struct arena *arena);

#endif
