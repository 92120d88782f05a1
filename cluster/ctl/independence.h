/*
 * independence: whether 250 means two independent places: the journal of the node and Redis on another host.
 * Who runs where is read from the connections of the nodes, as Redis sees them (CLIENT LIST).
 */
#ifndef CTL_INDEPENDENCE_H
#define CTL_INDEPENDENCE_H

#include "roster.h"

struct independence {
	enum redis_fact
		is_given; /* YES: for every living node; NO: not for the named ones, without replicas */
	struct buf text;  /* a sentence; to be freed with buf_fini() */
};

/* `clients`: the lines of CLIENT LIST; empty: not allowed to see it. */
struct independence independence_judge(const struct roster *roster, struct span clients, unsigned replicas);
/* Asks Redis and judges. */
WARN_UNUSED enum ctl_exit independence_load(
	struct independence *independence, struct session *session, const struct roster *roster);

#endif
