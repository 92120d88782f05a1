/*
 * secret_watch: keeps the process' secrets at what the cluster has. Asks Redis each second, on the node's own
 * connection, whether anything changed; what did is read and opened. A secret that cannot be opened is
 * logged, and an older value of that name stays in use. While Redis is away, or after it lost everything, the
 * secrets stay as they are.
 */
#ifndef NODE_ACCESS_SECRET_WATCH_H
#define NODE_ACCESS_SECRET_WATCH_H

#include "access/secrets.h"
#include "io/loop.h"
#include "skein/cluster/secret_store.h"
#include "track/log.h"

struct secret_watch;

/* All borrowed. */
struct secret_watch_options {
	struct loop *loop;
	struct log *log;
	struct redis_link *link;
	const struct secret_keys *keys;
	struct secrets *secrets;
};

struct secret_watch *secret_watch_new(const struct secret_watch_options *options);
/* After the link's connection is freed. Sets the pointer to NULL; NULL inside is fine. */
void secret_watch_free(struct secret_watch **watch);

#endif
