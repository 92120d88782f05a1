/*
 * redis_health: what Redis says of itself now. The link's own identity is of the handshake, but for replicas.
 */
#ifndef SKEIN_CLUSTER_REDIS_HEALTH_H
#define SKEIN_CLUSTER_REDIS_HEALTH_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

/* `identity` is borrowed; all unknown unless the outcome is OK. */
typedef void redis_health_fn(void *arg, const struct outcome *outcome, const struct redis_identity *identity);
/* The rules are those of queue.h. */
bool redis_health_ask(struct redis_link *link, uint64_t now_ms, redis_health_fn *fn, void *arg);

#endif
