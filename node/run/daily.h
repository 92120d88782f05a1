/*
 * daily: what a node does for the cluster once a day, while it leads. All calls are the main thread's.
 */
#ifndef NODE_RUN_DAILY_H
#define NODE_RUN_DAILY_H

#include "daily/dns_watch.h"

struct daily {
	struct fetcher *fetcher;
	struct dns_watch *dns_watch; /* NULL: standalone */
};

/* What `options` point to is borrowed; its fetcher is made here. */
void daily_start(struct daily *daily, const struct dns_watch_options *options);
/* After the link's connection is freed; the loop is still there. */
void daily_stop(struct daily *daily);

#endif
