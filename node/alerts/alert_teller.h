/*
 * alert_teller: each node tells Redis what it has counted since the last time (alerts.interval), who sent
 * most and whose logins failed, and how its disk, its certificates and those of next hops are: one call. All
 * calls are for the loop's own thread.
 */
#ifndef NODE_ALERTS_ALERT_TELLER_H
#define NODE_ALERTS_ALERT_TELLER_H

#include "alerts/alert_ledger.h"
#include "config/settings.h"
#include "io/loop.h"
#include "io/tls.h"
#include "track/metrics.h"

struct alert_teller;
struct hop_certificates;
struct spool;

/* All borrowed. */
struct alert_teller_options {
	struct loop *loop;
	const struct settings *settings; /* of the start */
	struct redis_link *link;
	struct metrics *metrics;
	struct meter *meter;
	struct spool *spool;
	struct alert_ledger *ledger;
	struct hop_certificates *hops;
	struct tls_slot *server_tls; /* one for each listener of the settings */
};

struct alert_teller *alert_teller_new(const struct alert_teller_options *options);
/* After the link's connection is freed. Sets the pointer to NULL; NULL inside is fine. */
void alert_teller_free(struct alert_teller **teller);

#endif
