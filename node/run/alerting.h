/*
 * alerting: what a node does for the cluster's alerts: it tells what it has counted, and while it leads it
 * judges that and sends notices. All calls are the main thread's.
 */
#ifndef NODE_RUN_ALERTING_H
#define NODE_RUN_ALERTING_H

#include "alerts/alert_teller.h"
#include "alerts/alert_watch.h"
#include "run/duty.h"

/* All zero bytes is one that was never started. */
struct alerting {
	struct notifier *notifier;
	struct alert_sender *sender;
	struct alert_post *post;
	struct alert_watch *watch;
	struct alert_teller *teller;
};

void alerting_start(struct alerting *alerting, const struct duty_options *options);
/* Workers are joined, the link's connection is freed; the loop is still there. */
void alerting_stop(struct alerting *alerting);

#endif
