#include "skein/proto/base/table.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"

enum slot_state { SLOT_FREE, SLOT_USED, SLOT_REMOVED };

struct table_slot {
	struct span key;
	void *value;
	uint64_t hash;
	enum slot_state state;
};

void table_init(struct table *table, const uint64_t seed[2])
{
	*table = (struct table){ .seed = { seed[0], seed[1] } };
}

void table_fini(struct table *table)
{
	mem_free(table->slots);
	table->slots = NULL;
	table->count = table->filled = table->cap = 0;
}

static struct table_slot *find(const struct table *table, struct span key, uint64_t hash)
{
	if (!table->cap)
		return NULL;
	for (size_t i = hash & (table->cap - 1);; i = (i + 1) & (table->cap - 1)) {
		struct table_slot *slot = &table->slots[i];

		if (slot->state == SLOT_FREE)
			return NULL;
		if (slot->state == SLOT_USED && slot->hash == hash && span_eq(slot->key, key))
			return slot;
	}
}

static void insert_new(struct table *table, struct span key, uint64_t hash, void *value)
{
	size_t i = hash & (table->cap - 1);

	while (table->slots[i].state != SLOT_FREE)
		i = (i + 1) & (table->cap - 1);
	table->slots[i] = (struct table_slot){ key, value, hash, SLOT_USED };
	table->count++;
	table->filled++;
}

static void rehash(struct table *table)
{
	struct table_slot *old = table->slots;
	size_t old_cap = table->cap;

	table->cap = 16;
	while (table->cap < table->count * 3)
		table->cap *= 2;
	table->slots = mem_zalloc(table->cap * sizeof(*table->slots));
	table->count = table->filled = 0;
	for (size_t i = 0; i < old_cap; i++) {
		if (old[i].state == SLOT_USED)
			insert_new(table, old[i].key, old[i].hash, old[i].value);
	}
	mem_free(old);
}

void *table_put(struct table *table, struct span key, void *value)
{
	uint64_t hash = siphash13(table->seed, key);
	struct table_slot *slot = find(table, key, hash);

	CHECK(value);
	if (slot) {
		void *old = slot->value;

		slot->key = key;
		slot->value = value;
		return old;
	}
	if ((table->filled + 1) * 4 > table->cap * 3)
		rehash(table);
	insert_new(table, key, hash, value);
	return NULL;
}

void *table_get(const struct table *table, struct span key)
{
	struct table_slot *slot = find(table, key, siphash13(table->seed, key));

	return slot ? slot->value : NULL;
}

void *table_remove(struct table *table, struct span key)
{
	struct table_slot *slot = find(table, key, siphash13(table->seed, key));
	void *value;

	if (!slot)
		return NULL;
	value = slot->value;
	slot->state = SLOT_REMOVED;
	slot->value = NULL;
	table->count--;
	return value;
}

void *table_next(const struct table *table, size_t *cursor)
{
	while (*cursor < table->cap) {
		struct table_slot *slot = &table->slots[(*cursor)++];

		if (slot->state == SLOT_USED)
			return slot->value;
	}
	return NULL;
}
