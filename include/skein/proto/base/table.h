/*
 * table: bytes → pointer, open addressing, keyed SipHash so that peers cannot choose collisions. The key's
 * bytes are borrowed for as long as the entry is in the table: they usually lie inside the value.
 */
#ifndef SKEIN_PROTO_BASE_TABLE_H
#define SKEIN_PROTO_BASE_TABLE_H

#include "skein/proto/base/span.h"

struct table {
	struct table_slot *slots;
	size_t count, filled, cap; /* filled counts removed slots too; cap is a power of two or 0 */
	uint64_t seed[2];
};

/* `seed` is 16 random bytes; the caller brings them. */
void table_init(struct table *table, const uint64_t seed[2]);
/* Frees the table, not the values. */
void table_fini(struct table *table);
/* Adds or replaces; returns the value replaced, or NULL. */
void *table_put(struct table *table, struct span key, void *value);
void *table_get(const struct table *table, struct span key);
/* Returns what was there, or NULL. */
void *table_remove(struct table *table, struct span key);
/*
 * Walks all values: start with *cursor = 0, ends with NULL. During a walk the current entry may be removed;
 * nothing may be added.
 */
void *table_next(const struct table *table, size_t *cursor);

uint64_t siphash13(const uint64_t seed[2], struct span bytes);

#endif
