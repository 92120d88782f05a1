#include "io/handle_group.h"

#include "skein/proto/base/check.h"

void handle_group_init(struct handle_group *group, handle_group_fn *on_closed, void *arg)
{
	*group = (struct handle_group){ .on_closed = on_closed, .arg = arg };
}

void handle_group_add(struct handle_group *group)
{
	group->open++;
}

static void handle_on_closed(uv_handle_t *handle)
{
	struct handle_group *group = handle->data;

	CHECK(group->open > 0);
	if (--group->open == 0 && group->on_closed)
		group->on_closed(group->arg);
}

void handle_group_close(struct handle_group *group, uv_handle_t *handle)
{
	handle->data = group;
	uv_close(handle, handle_on_closed);
}
