/*
 * daily: what a node does for the cluster once a day, while it leads: it looks at the DNS of domains, and
 * reports about TLS. All calls are the main thread's.
 */
#ifndef NODE_RUN_DAILY_H
#define NODE_RUN_DAILY_H

#include "daily/dns_watch.h"
#include "daily/tls_flush.h"
#include "run/duty.h"

struct tls_reporter;
/* All zero bytes is one that was never started. */
struct daily {
	struct fetcher *fetcher;
	struct dns_watch *dns_watch;
	struct tls_flush *tls_flush;
	struct tls_reporter *tls_reporter;
};

void daily_start(struct daily *daily, const struct duty_options *options);
/* The node is about to end: what it has counted is told. */
void daily_drain(struct daily *daily);
/* Workers are joined, the link's connection is freed; the loop is still there. */
void daily_stop(struct daily *daily);

#endif
