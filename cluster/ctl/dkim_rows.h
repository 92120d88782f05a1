/* dkim_rows: the cluster's DKIM keys, opened with its key. */
#ifndef CTL_DKIM_ROWS_H
#define CTL_DKIM_ROWS_H

#include "secret_rows.h"
#include "skein/cluster/dkim_secret.h"
#include "skein/proto/dkim/key.h"

struct dkim_row {
	const struct secret_row *secret;
	struct dkim_secret_name name;
	enum dkim_state state;
	uint64_t since_ms;
	struct dkim_key *key;
};

struct dkim_rows {
	struct secret_rows secrets;
	struct dkim_row *rows; /* by selector */
	size_t count;
};

/* CTL_NEGATIVE, and told: one of them cannot be opened. */
WARN_UNUSED enum ctl_exit dkim_rows_load(
	struct dkim_rows *rows, struct session *session, const struct secret_keys *keys);
void dkim_rows_fini(struct dkim_rows *rows);

/* Writes a key with its state. `expected` as for secret_write(). */
WARN_UNUSED enum ctl_exit dkim_row_write(struct session *session, const struct secret_keys *keys,
	const struct dkim_row *row, uint64_t expected);

uint64_t dkim_now_ms(void);
/* "rsa", "ed25519" */
const char *dkim_row_algorithm(const struct dkim_row *row);

#endif
