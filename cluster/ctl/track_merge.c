#include "track_merge.h"

#include "skein/proto/base/alloc.h"

#include <stdlib.h>

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

static int by_time(const void *left, const void *right)
{
	const struct track_waiting *a = left, *b = right;
	int order = compare(a->time_us, b->time_us);

	order = order ? order : compare(a->run, b->run);
	return order ? order : compare(a->number, b->number);
}

void track_merge_hold(struct track_merge *merge, const struct track_event *event, struct span encoded,
	uint64_t run, uint64_t number)
{
	if (merge->count == merge->cap) {
		merge->cap = merge->cap ? merge->cap * 2 : 1024;
		merge->items = mem_realloc(merge->items, merge->cap * sizeof(*merge->items));
	}
	merge->items[merge->count++] = (struct track_waiting){ event->time_us, run, number,
		span_of(mem_dup(encoded.ptr, encoded.len), encoded.len) };
}

void track_merge_let_go(struct track_merge *merge, uint64_t before_us, const struct track_visitor *visitor)
{
	struct track_event event;
	size_t told = 0;

	if (merge->count)
		qsort(merge->items, merge->count, sizeof(*merge->items), by_time);
	for (; told < merge->count && merge->items[told].time_us < before_us; told++) {
		const struct track_waiting *item = &merge->items[told];
		struct span rest = item->encoded;
		bool is_twice = told && !by_time(item, item - 1);

		if (!is_twice && track_event_decode(&rest, &event) == ERR_OK)
			visitor->take(visitor->arg, &event, item->run, item->number);
	}
	for (size_t i = 0; i < told; i++)
		mem_free((void *)(uintptr_t)merge->items[i].encoded.ptr);
	if (told)
		memmove(merge->items, merge->items + told, (merge->count - told) * sizeof(*merge->items));
	merge->count -= told;
}

void track_merge_drop(struct track_merge *merge)
{
	for (size_t i = 0; i < merge->count; i++)
		mem_free((void *)(uintptr_t)merge->items[i].encoded.ptr);
	merge->count = 0;
}

void track_merge_fini(struct track_merge *merge)
{
	track_merge_drop(merge);
	mem_free(merge->items);
}
