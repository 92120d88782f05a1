/*
 * redis_finder: finds the master of Redis for the whole process. It keeps a connection to every Sentinel,
 * listens there for failovers, asks each one once a second, and tells a redis_master what sentinel_choose()
 * makes of the answers. All calls are for the loop's own thread.
 *
 * One Sentinel would not do: one that was cut off together with the old master tells nothing, or the wrong
 * thing. When no Sentinel answers any more the last master stays: connections look at its role.
 */
#ifndef NODE_RUN_REDIS_FINDER_H
#define NODE_RUN_REDIS_FINDER_H

#include "config/settings.h"
#include "io/redis_master.h"
#include "io/tls.h"
#include "track/log.h"
#include "track/metrics.h"

struct redis_finder;

/* All borrowed. */
struct redis_finder_options {
	struct loop *loop;
	struct log *log;
	struct meter *meter;
	const struct settings *settings;
	const char *password; /* for the Sentinels; NULL: none */
	struct tls_slot *tls; /* NULL: in clear */
	struct redis_master *master;
};

struct redis_finder *redis_finder_new(const struct redis_finder_options *options);
/* Sets the pointer to NULL; NULL is fine. */
void redis_finder_free(struct redis_finder **finder);

#endif
