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

enum { USER_PASSWORD_MAX = 511 }; /* bytes: what crypt(3) takes */

/* Whether a new password makes a verifier for SCRAM-SHA-256 too. */
enum user_scram { USER_SCRAM_AS_BEFORE, USER_SCRAM_YES, USER_SCRAM_NO };

/* What to change of a user; what is NULL stays as it is, or is empty for a new one. */
struct user_change {
	const char *password;  /* hashed by yescrypt; secret, wiped by whoever holds it */
	enum user_scram scram; /* with `password`; AS_BEFORE is NO for a new user */
	const struct user_list *groups, *addresses;
	const bool *is_disabled;
};

/* ERR_BUSY: there is one of this name. The password must be given. */
enum err user_store_add(
	const char *path, const char *name, const struct user_change *change, struct buf *why) WARN_UNUSED;
/* ERR_NOT_FOUND: there is none of this name. */
enum err user_store_change(
	const char *path, const char *name, const struct user_change *change, struct buf *why) WARN_UNUSED;
enum err user_store_remove(const char *path, const char *name, struct buf *why) WARN_UNUSED;
/* All users as they are; the caller frees the file. */
enum err user_store_read(const char *path, struct user_file **file_out, struct buf *why) WARN_UNUSED;

#endif
