/* secret_rows: what the cluster has of secrets, as it was when it was asked. */
#ifndef CTL_SECRET_ROWS_H
#define CTL_SECRET_ROWS_H

#include "session.h"
#include "skein/cluster/secret_store.h"

struct secret_rows {
	struct arena arena; /* what the rows point to */
	struct secret_row *rows;
	size_t count;
	enum ctl_exit exit;
};

/* With the sealed texts, or without. */
WARN_UNUSED enum ctl_exit secret_rows_load(
	struct secret_rows *rows, struct session *session, bool with_sealed);
void secret_rows_fini(struct secret_rows *rows);
/* NULL: there is none. */
const struct secret_row *secret_rows_find(const struct secret_rows *rows, const char *name);
/*
 * CTL_NEGATIVE, and told: a secret other than `name` is sealed by a key that is not in `keys`. A cluster
 * whose secrets only some keys open is a mistake: nodes read all of them with one key file.
 */
WARN_UNUSED enum ctl_exit secret_rows_check_key(
	const struct secret_rows *rows, const char *name, const struct secret_keys *keys);

#endif
