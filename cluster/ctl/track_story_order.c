/* Stories in the order in which they began, their events by time. */
#include "track_story_internal.h"

#include "skein/proto/base/alloc.h"

#include <stdlib.h>

static int compare(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

struct ordered {
	uint64_t root_us, root, story_us;
	const struct track_told *told;
};

static int by_story_and_time(const void *left, const void *right)
{
	const struct ordered *a = left, *b = right;
	int order = compare(a->root_us, b->root_us);

	order = order ? order : compare(a->root, b->root);
	/* An original before its reports. */
	order = order ? order : compare(a->told->story != a->root, b->told->story != b->root);
	order = order ? order : compare(a->story_us, b->story_us);
	order = order ? order : compare(a->told->story, b->told->story);
	order = order ? order : compare(a->told->event.time_us, b->told->event.time_us);
	order = order ? order : compare(a->told->run, b->told->run);
	return order ? order : compare(a->told->number, b->told->number);
}

/* Not when its session began: messages of one session follow one another. */
static void find_beginnings(struct track_stories *stories)
{
	for (size_t i = 0; i < stories->told_count; i++) {
		struct track_story *item = &stories->items[stories->told[i].story];
		uint64_t time_us = stories->told[i].event.time_us;

		if (item->id.len && !stories->told[i].event.text[TRACK_ID].len)
			continue;
		if (!item->first_us || time_us < item->first_us)
			item->first_us = time_us;
	}
}

static bool is_same(const struct track_told *a, const struct track_told *b)
{
	return a->story == b->story && a->run == b->run && a->number == b->number;
}

void track_stories_sort(struct track_stories *stories)
{
	struct ordered *order = mem_alloc((stories->told_count + 1) * sizeof(*order));
	struct track_told *sorted = mem_alloc((stories->told_count + 1) * sizeof(*sorted));
	size_t shown = 0, count = 0;

	find_beginnings(stories);
	for (size_t i = 0; i < stories->told_count; i++) {
		const struct track_story *item = &stories->items[stories->told[i].story];

		if (!item->is_hidden)
			order[shown++] = (struct ordered){ stories->items[item->root].first_us, item->root,
				item->first_us, &stories->told[i] };
	}
	if (shown)
		qsort(order, shown, sizeof(*order), by_story_and_time);
	for (size_t i = 0; i < shown; i++)
		if (!count || !is_same(&sorted[count - 1], order[i].told))
			sorted[count++] = *order[i].told;
	mem_free(order);
	mem_free(stories->told);
	stories->told = sorted;
	stories->told_count = stories->told_cap = count;
}
