/*
 * alerting: what a node does for the cluster's alerts: it tells what it has counted, and while it leads it
 * judges that and sends notices. All calls are the main thread's.
 */
#ifndef NODE_RUN_ALERTING_H
#define NODE_RUN_ALERTING_H

#include "alerts/alert_teller.h"
#include "alerts/alert_watch.h"

struct worker;

/* All borrowed. */
struct alerting_options {
	struct loop *loop;
	struct log *log;
	struct metrics *metrics;
	struct meter *meter;
	const struct settings *settings; /* of the start */
	struct redis_link *link;
	const struct member *member;
	struct resolver *resolver;
	struct policy_slot *policy;
	struct secrets *secrets;
	struct spool *spool;
	struct alert_ledger *ledger;
	struct tls_slot *server_tls; /* one for each listener */
	struct worker *worker;       /* mail goes out by it */
};

/* All zero bytes is one that was never started. */
struct alerting {
	struct notifier *notifier;
	struct alert_sender *sender;
	struct alert_post *post;
	struct alert_watch *watch;
	struct alert_teller *teller;
};

void alerting_start(struct alerting *alerting, const struct alerting_options *options);
/* Workers are joined, the link's connection is freed; the loop is still there. */
void alerting_stop(struct alerting *alerting);

#endif
