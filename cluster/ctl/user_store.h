/*
 * user_store: changes to the file of local users (skein/proto/auth/user_file.h). Each writes a new file
 * beside the old one, syncs it and puts it in its place, so that a node that reads it meanwhile sees one or
 * the other. A lock file beside it keeps two changes apart. Owner and mode stay; a new file is for its owner
 * alone. Blocks.
 */
#ifndef CTL_USER_STORE_H
#define CTL_USER_STORE_H

#include "skein/proto/auth/user_file.h"
#include "skein/proto/base/err.h"

/* On every error one line for people is appended to `why`, with the place and the cure. */

/* What to change of a user; what is NULL stays as it is, or is empty for a new one. */
struct user_change {
	const char *password; /* hashed by yescrypt; secret, wiped by whoever holds it */
	bool with_scram;      /* with `password`: a verifier for SCRAM-SHA-256 too */
	const struct user_list *groups, *addresses;
	const bool *is_disabled;
};

/* ERR_BUSY: there is one of this name. The password must be given. */
enum err user_store_add(
	const char *path, const char *name, const struct user_change *change, struct buf *why) WARN_UNUSED;
/* ERR_NOT_FOUND: there is none of this name. A new password without `with_scram` drops the old verifier. */
enum err user_store_change(
	const char *path, const char *name, const struct user_change *change, struct buf *why) WARN_UNUSED;
enum err user_store_remove(const char *path, const char *name, struct buf *why) WARN_UNUSED;

#endif
