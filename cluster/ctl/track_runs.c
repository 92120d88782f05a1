#include "track_runs.h"

#include "skein/proto/base/alloc.h"

static size_t find(const struct track_runs *runs, uint64_t run)
{
	size_t i = 0;

	while (i < runs->count && runs->items[i].run != run)
		i++;
	return i;
}

void track_runs_fini(struct track_runs *runs)
{
	mem_free(runs->items);
}

bool track_runs_have(const struct track_runs *runs, uint64_t run, uint64_t number)
{
	size_t i = find(runs, run);

	return i < runs->count && number <= runs->items[i].last;
}

static void add(struct track_runs *runs, const struct track_run *run)
{
	if (runs->count == runs->cap) {
		runs->cap = runs->cap ? runs->cap * 2 : 16;
		runs->items = mem_realloc(runs->items, runs->cap * sizeof(*runs->items));
	}
	runs->items[runs->count++] = *run;
}

uint64_t track_runs_note(struct track_runs *runs, const struct track_head *head)
{
	const struct track_run told = { head->run, head->first + head->count - 1 };
	size_t i = find(runs, head->run);
	uint64_t missing;

	if (i == runs->count) {
		add(runs, &told);
		return 0;
	}
	missing = head->first > runs->items[i].last + 1 ? head->first - runs->items[i].last - 1 : 0;
	if (told.last > runs->items[i].last)
		runs->items[i].last = told.last;
	return missing;
}
