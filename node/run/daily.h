/*
 * daily: what a node does for the cluster once a day, while it leads: it looks at the DNS of domains, and
 * reports about TLS. All calls are the main thread's.
 */
#ifndef NODE_RUN_DAILY_H
#define NODE_RUN_DAILY_H

#include "daily/dns_watch.h"
#include "daily/tls_flush.h"

struct tls_reporter;
struct worker;

/* All borrowed. */
struct daily_options {
	struct loop *loop;
	struct log *log;
	struct meter *meter;
	const struct settings *settings; /* of the start */
	struct redis_link *link;
	const struct member *member;
	struct resolver *resolver;
	struct policy_slot *policy;
	struct signing_slot *signing;
	struct tls_ledger *tls_ledger; /* NULL: TLS is not reported */
	struct worker *worker;         /* mail goes out by it */
};

/* All zero bytes is one that was never started. */
struct daily {
	struct fetcher *fetcher;
	struct dns_watch *dns_watch;
	struct tls_flush *tls_flush;
	struct tls_reporter *tls_reporter;
};

void daily_start(struct daily *daily, const struct daily_options *options);
/* The node is about to end: what it has counted is told. */
void daily_drain(struct daily *daily);
/* Workers are joined, the link's connection is freed; the loop is still there. */
void daily_stop(struct daily *daily);

#endif
