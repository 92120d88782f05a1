#include "auth/dc_list.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/check.h"

#include <pthread.h>

enum { PAUSE_FIRST_MS = 1000, PAUSE_MAX_MS = 60000 };

struct dc {
	uint64_t pause_ms; /* 0: up */
	uint64_t failed_at_ms;
	bool is_probed;
	bool is_down; /* it failed itself */
};

struct dc_list {
	pthread_mutex_t lock;
	size_t count;
	struct dc dcs[DC_MAX];
};

struct dc_list *dc_list_new(size_t count)
{
	struct dc_list *list = mem_zalloc(sizeof(*list));

	CHECK(count <= DC_MAX);
	list->count = count;
	CHECK(pthread_mutex_init(&list->lock, NULL) == 0);
	return list;
}

void dc_list_free(struct dc_list **list)
{
	if (!*list)
		return;
	pthread_mutex_destroy(&(*list)->lock);
	mem_free(*list);
	*list = NULL;
}

static bool is_any_up(const struct dc_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		if (!list->dcs[i].pause_ms)
			return true;
	return false;
}

static bool may_ask(const struct dc *dc, bool is_needed, uint64_t now_ms)
{
	uint64_t pause_ms = is_needed && dc->pause_ms ? PAUSE_FIRST_MS : dc->pause_ms;

	return !dc->pause_ms || (!dc->is_probed && now_ms >= dc->failed_at_ms + pause_ms);
}

bool dc_list_next(struct dc_list *list, uint64_t now_ms, uint32_t *tried, size_t *index_out)
{
	bool is_needed, is_found = false;

	pthread_mutex_lock(&list->lock);
	is_needed = !is_any_up(list);
	for (size_t i = 0; i < list->count && !is_found; i++) {
		struct dc *dc = &list->dcs[i];

		if (*tried & 1u << i || !may_ask(dc, is_needed, now_ms))
			continue;
		dc->is_probed = dc->pause_ms > 0;
		*tried |= 1u << i;
		*index_out = i;
		is_found = true;
	}
	pthread_mutex_unlock(&list->lock);
	return is_found;
}

bool dc_list_up(struct dc_list *list, size_t index)
{
	bool was_down;

	pthread_mutex_lock(&list->lock);
	was_down = list->dcs[index].pause_ms > 0;
	list->dcs[index] = (struct dc){ 0 };
	pthread_mutex_unlock(&list->lock);
	return was_down;
}

/* Under the lock. Askers that were under way when its pause began tell nothing new. */
static void leave_alone(struct dc *dc, uint64_t now_ms)
{
	uint64_t pause_ms = dc->pause_ms ? dc->pause_ms * 2 : PAUSE_FIRST_MS;

	if (dc->pause_ms && !dc->is_probed)
		return;
	dc->pause_ms = pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS;
	dc->failed_at_ms = now_ms;
	dc->is_probed = false;
}

bool dc_list_down(struct dc_list *list, size_t index, uint64_t now_ms)
{
	struct dc *dc = &list->dcs[index];
	bool was_down;

	pthread_mutex_lock(&list->lock);
	was_down = dc->is_down;
	dc->is_down = true;
	leave_alone(dc, now_ms);
	pthread_mutex_unlock(&list->lock);
	return !was_down;
}

void dc_list_rest(struct dc_list *list, size_t index, uint64_t now_ms)
{
	pthread_mutex_lock(&list->lock);
	leave_alone(&list->dcs[index], now_ms);
	pthread_mutex_unlock(&list->lock);
}
