/* secret_write: one change of the cluster's secrets. What went wrong is told; the exit code says it again. */
#ifndef CTL_SECRET_WRITE_H
#define CTL_SECRET_WRITE_H

#include "session.h"
#include "skein/cluster/secret_store.h"

struct secret_written {
	struct secret_version version;
	enum ctl_exit exit;
};

/* Seals and puts it, if what is there is still version `expected`; CTL_NEGATIVE if not. */
WARN_UNUSED enum ctl_exit secret_write(struct session *session, const struct secret_key *key,
	struct span name, uint64_t expected, struct span text, struct secret_written *written_out);
WARN_UNUSED enum ctl_exit secret_erase(struct session *session, struct span name, uint64_t expected);

#endif
