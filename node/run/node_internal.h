/* What node.c, build.c, duties.c and membership.c share: the node. */
#ifndef NODE_RUN_NODE_INTERNAL_H
#define NODE_RUN_NODE_INTERNAL_H

#include "admin/admin.h"
#include "dns/resolver.h"
#include "dns/self.h"
#include "io/redis_conn.h"
#include "outbound/sts_store.h"
#include "run/access.h"
#include "run/alerting.h"
#include "run/confine.h"
#include "run/daily.h"
#include "run/node.h"
#include "run/redis_finder.h"
#include "run/server_tls.h"
#include "run/service.h"
#include "run/ticket_keeper.h"
#include "run/tracking.h"
#include "run/worker.h"

enum {
	WORKERS_MAX = 256,
	SETTINGS_MAX = 64, /* reloads of one process that are remembered */
	HOST_LEN_MAX = 128,
};

struct node {
	const struct options *options;
	struct settings *settings, *older[SETTINGS_MAX]; /* sessions borrow from the older ones */
	size_t older_count;
	struct loop loop;
	uv_signal_t signals[3];
	struct log_writer *log_writer;
	struct log *log, *admin_log;
	struct tracking tracking;
	struct track *track;
	struct metrics *metrics;
	struct meter *meter;
	struct health *health;
	struct health_reporter reporter;
	struct service service;
	struct inherited *inherited; /* NULL: the service manager handed no socket over */
	struct confine_state confined;
	struct admin *admin;
	struct spool *spool;
	struct budget budget;
	atomic_size_t connections; /* SMTP clients that were let in */
	uint64_t disk_free;        /* bytes, when it was last looked at */
	struct access access;
	struct server_tls server_tls;
	struct tls_slot redis_tls;
	struct tls_context *hop_tls;
	struct resolver *resolver;
	struct sts_store *sts;
	struct tls_ledger *tls_ledger; /* NULL: TLS is not reported */
	struct hop_certificates *hop_certificates;
	struct alert_ledger *alert_ledger; /* NULL: standalone */
	struct dns_self *self;
	char *redis_password, *sentinel_password;
	struct redis_master *redis_master; /* NULL: redis.address says it */
	struct redis_finder *finder;       /* NULL: the same */
	struct worker *workers[WORKERS_MAX];
	unsigned worker_count;

	struct redis_conn *redis; /* NULL: standalone */
	struct member *member;
	struct ticket_keeper *ticket_keeper;
	struct daily daily;
	struct alerting alerting;
	char host[HOST_LEN_MAX], cluster_id[40], load[1024], address[300], admin_address[300];
	struct loop_timer member_timer, start_timer, disk_timer, leave_timer;
	uint64_t asserted_epoch[WORKERS_MAX];
	unsigned listening, drained; /* workers */
	bool is_opening;             /* workers were told to let clients in */
	bool is_leaving;             /* SIGTERM: the process ends; else an operator's drain */
	int status;
};

/* --- node.c */

/* What a failed write left on the disk is unknown: another node goes on with the mail. Does not return. */
void node_fail(void *node, const char *why);
/* Not ready first: whoever balances gets the time to look. */
void node_begin_drain(struct node *node);
/* What workers tell the node by. */
struct worker_events node_worker_events(struct node *node);

/* --- build.c */

/* Opens and replays everything; nothing is served yet. On failure appends lines to `why_out`. */
WARN_UNUSED enum err node_build(struct node *node, struct buf *why_out);
/* Of what was built, wherever that ended. */
void node_tear_down(struct node *node);

/* --- duties.c */

/* Ticket keys, daily jobs, alerts: for a node of a cluster. */
void node_begin_duties(struct node *node);

/* --- membership.c */

/* The timer of it. */
void membership_init(struct node *node);
/* Nothing to do for a node that stands alone. */
void membership_join(struct node *node);
/* Something has changed that the member is to look at now. */
void membership_poke(struct node *node);
/* A node that says goodbye is swept at once instead of after its lease. The leave timer ends the wait. */
void membership_say_goodbye(struct node *node);

#endif
