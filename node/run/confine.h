/*
 * confine: gives up access to the file system, by Landlock: from then on this process writes only in its
 * spool and beside its log, reads only what settings name (with the folders around: files are replaced
 * there), /etc, the system's libraries and authorities, and starts no program. Whoever takes the process over
 * has no more.
 *
 * It cannot be undone, so a file that a reload names elsewhere cannot be read: config/file.h: file_why() says
 * so.
 */
#ifndef NODE_RUN_CONFINE_H
#define NODE_RUN_CONFINE_H

#include "config/settings.h"
#include "skein/proto/base/buf.h"

struct confine_state {
	unsigned abi;    /* version of Landlock; 0: not confined */
	const char *why; /* a constant text, when not */
};

/*
 * For this thread and those that it makes: before any other runs, and once the spool is there. `config_file`
 * may be NULL. On failure, which under `node.confine: auto` is none, appends a line with the cure to
 * `why_out`.
 */
WARN_UNUSED enum err confine_enter(const struct settings *settings, const char *config_file,
	struct confine_state *state_out, struct buf *why_out);

#endif
