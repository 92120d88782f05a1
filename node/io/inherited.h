/*
 * inherited: listening sockets that a service manager opened for this process (socket activation), so that it
 * needs no privilege for ports below 1024 and connections wait in the kernel while it is restarted. Each
 * worker has a duplicate of its own; the socket itself stays open, here and with the manager.
 *
 * Before threads start, all calls; then read only.
 */
#ifndef SKEIN_NODE_IO_INHERITED_H
#define SKEIN_NODE_IO_INHERITED_H

#include "io/address.h"
#include "skein/proto/base/buf.h"

enum { INHERITED_MAX = 64 };

struct inherited;

/*
 * Takes the descriptors `first` to `first + count - 1`, which are moved, also on failure. `names` is the
 * manager's list, "smtp:submission", or NULL. On failure appends a line with the cure to `why_out`.
 */
WARN_UNUSED enum err inherited_new(
	int first, size_t count, const char *names, struct inherited **inherited_out, struct buf *why_out);
/* Closes them. Sets the pointer to NULL. */
void inherited_free(struct inherited **inherited);

/*
 * A duplicate of the socket that listens on `address`, or else of the one that is called `name`; -1 when
 * there is none. NULL has none. The caller closes it.
 */
int inherited_dup(struct inherited *inherited, const struct address *address, const char *name);
/* ERR_INVALID and a line when nobody took a socket: its clients would wait for ever. NULL is well. */
WARN_UNUSED enum err inherited_check_used(const struct inherited *inherited, struct buf *why_out);

#endif
