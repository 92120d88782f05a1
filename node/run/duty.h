/*
 * duty: what the jobs of the main thread work with, daily ones and alerts alike. All is borrowed.
 */
#ifndef NODE_RUN_DUTY_H
#define NODE_RUN_DUTY_H

#include "access/policy_slot.h"
#include "config/settings.h"
#include "custody/spool.h"
#include "io/loop.h"
#include "skein/cluster/member.h"
#include "track/metrics.h"

struct alert_ledger;
struct hop_certificates;
struct redis_link;
struct resolver;
struct secrets;
struct signing_slot;
struct tls_ledger;
struct worker;

struct duty_options {
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
	struct signing_slot *signing;
	struct spool *spool;
	struct tls_ledger *tls_ledger; /* NULL: TLS is not reported */
	struct alert_ledger *alert_ledger;
	struct hop_certificates *hop_certificates;
	struct tls_slot *server_tls; /* one for each listener */
	struct worker *worker;       /* mail goes out by it */
};

#endif
