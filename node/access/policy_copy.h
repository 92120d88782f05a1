/*
 * policy_copy: one version of the policy with its text, and the file in the spool that keeps the last good
 * one for a start without Redis.
 */
#ifndef NODE_ACCESS_POLICY_COPY_H
#define NODE_ACCESS_POLICY_COPY_H

#include "skein/cluster/policy_store.h"
#include "skein/proto/base/err.h"

/* All zero bytes is an empty one. */
struct policy_copy {
	struct policy_version version;
	struct buf author, comment, text;
};

void policy_copy_set(struct policy_copy *copy, const struct policy_note *note, struct span text);
void policy_copy_fini(struct policy_copy *copy);
/* Borrowed from the copy. */
struct policy_note policy_copy_note(const struct policy_copy *copy);

/* Durable on return, and the old file or the new one whenever the power fails. Blocks. */
enum err policy_copy_write(const char *dir, const struct policy_copy *copy) WARN_UNUSED;
/* ERR_NOT_FOUND: there is none. ERR_CORRUPT: not as policy_copy_write() writes it. Blocks. */
enum err policy_copy_read(const char *dir, struct policy_copy *copy_out) WARN_UNUSED;

#endif
