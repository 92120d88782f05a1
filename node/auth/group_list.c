#include "auth/group_list.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/arena.h"

#include <stdatomic.h>

struct counted_groups {
	struct group_list public;
	atomic_uint refs;
	struct arena arena;
};

static struct group_list *make(size_t count)
{
	struct counted_groups *list = mem_zalloc(sizeof(*list));

	list->refs = 1;
	list->public.items = arena_zalloc(&list->arena, (count + 1) * sizeof(*list->public.items));
	list->public.count = list->public.missing = count;
	return &list->public;
}

static struct counted_groups *counted(struct group_list *list)
{
	return CONTAINER_OF(list, struct counted_groups, public);
}

struct group_list *group_list_new(struct text_list names)
{
	struct group_list *list = make(names.count);

	for (size_t i = 0; i < names.count; i++) {
		struct span name = span_of_str(names.items[i]);
		struct sid sid;

		list->items[i].name = arena_strdup(&counted(list)->arena, name);
		if (sid_from_text(name, &sid))
			group_list_found(list, i, &sid);
	}
	return list;
}

struct group_list *group_list_copy(const struct group_list *from)
{
	struct group_list *list = make(from->count);

	for (size_t i = 0; i < from->count; i++) {
		list->items[i] = from->items[i];
		list->items[i].name = arena_strdup(&counted(list)->arena, span_of_str(from->items[i].name));
	}
	list->missing = from->missing;
	return list;
}

struct group_list *group_list_ref(struct group_list *list)
{
	atomic_fetch_add(&counted(list)->refs, 1);
	return list;
}

void group_list_unref(struct group_list **list_ptr)
{
	struct counted_groups *list;

	if (!*list_ptr)
		return;
	list = counted(*list_ptr);
	*list_ptr = NULL;
	if (atomic_fetch_sub(&list->refs, 1) > 1)
		return;
	arena_fini(&list->arena);
	mem_free(list);
}

void group_list_found(struct group_list *list, size_t index, const struct sid *sid)
{
	list->missing -= list->items[index].sid.len == 0;
	list->items[index].sid = *sid;
}

static bool has_sid(const struct sid *sid, const struct span *sids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (sid_is(sid, sids[i]))
			return true;
	return false;
}

size_t group_list_match(
	const struct group_list *list, const struct span *sids, size_t sid_count, const char **names_out)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++)
		if (has_sid(&list->items[i].sid, sids, sid_count))
			names_out[count++] = list->items[i].name;
	return count;
}
