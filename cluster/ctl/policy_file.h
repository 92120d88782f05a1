/* policy_file: a policy as text: read from a file, from Redis, checked, and put there. */
#ifndef CTL_POLICY_FILE_H
#define CTL_POLICY_FILE_H

#include "session.h"
#include "skein/cluster/policy.h"
#include "skein/cluster/policy_store.h"

/* All zero bytes is none. */
struct policy_file {
	struct policy_version version; /* number 0: of a file, or there is none in Redis */
	struct buf author, comment, text;
};

void policy_file_fini(struct policy_file *file);
/* From a path, "-" being standard input. Complains. */
WARN_UNUSED enum ctl_exit policy_file_read(struct policy_file *file, const char *path);
/* From Redis; `number` 0: the current one, and none is no error then. Complains. */
WARN_UNUSED enum ctl_exit policy_file_load(
	struct policy_file *file, struct session *session, uint64_t number);
/* The same, but none is an error. */
WARN_UNUSED enum ctl_exit policy_file_load_current(struct policy_file *file, struct session *session);

/* Tells all errors and warnings on standard error, with `source` as the name. NULL: there were errors. */
WARN_UNUSED struct policy *policy_file_check(const struct policy_file *file, const char *source);

/*
 * Makes `text`, which is checked, the version after `expected`. Complains of a conflict: CTL_NEGATIVE. Prints
 * the new version, and warns of secrets that it names and that are not there.
 */
struct policy_change {
	uint64_t expected;
	struct span text;
	const char *comment; /* NULL: none */
};
WARN_UNUSED enum ctl_exit policy_file_put(struct session *session, const struct policy_change *change);

/* "2026-11-27 01:00:00", local time. Appends. */
void policy_file_print_time(struct buf *out, uint64_t at_ms);

#endif
