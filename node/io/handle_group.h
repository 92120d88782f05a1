/*
 * handle_group: the libuv handles embedded in one owner. libuv touches a handle until its close callback; the
 * group counts, and calls its owner back after the last one, which is where the owner's memory may go.
 */
#ifndef SKEIN_NODE_IO_HANDLE_GROUP_H
#define SKEIN_NODE_IO_HANDLE_GROUP_H

#include <uv.h>

typedef void handle_group_fn(void *arg);

struct handle_group {
	unsigned open; /* added and not yet reported closed */
	handle_group_fn *on_closed;
	void *arg;
};

/* `on_closed` runs once, in the last handle's close callback; NULL when nobody waits for it. */
void handle_group_init(struct handle_group *group, handle_group_fn *on_closed, void *arg);
/* Counts a handle that was initialised (uv_*_init() succeeded). */
void handle_group_add(struct handle_group *group);
/* Closes one of them. Takes over handle->data; requests still in flight must find their owner by themselves.
 */
void handle_group_close(struct handle_group *group, uv_handle_t *handle);

#endif
