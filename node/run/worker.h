/*
 * worker: one thread with its own loop, listeners, sessions, journal, Redis connection and couriers. Workers
 * share nothing but what is built for it (budget, throttle, health, metrics, log, certificates); settings
 * are read-only.
 *
 * Life: worker_new() replays the journal (blocking, before any thread runs), worker_start() runs the thread,
 * worker_drain() ends it in good order and tells the node, worker_join(), worker_free().
 */
#ifndef NODE_RUN_WORKER_H
#define NODE_RUN_WORKER_H

#include "access/policy_slot.h"
#include "access/throttle.h"
#include "admin/health.h"
#include "auth/authenticator.h"
#include "config/settings.h"
#include "custody/budget.h"
#include "custody/own_mail.h"
#include "custody/spool.h"
#include "io/loop.h"
#include "io/tls.h"
#include "skein/cluster/member.h"
#include "track/metrics.h"

struct alert_ledger;
struct credentials;
struct dns_self;
struct hop_news;
struct inherited;
struct redis_master;
struct resolver;
struct secrets;
struct signing_slot;
struct sts_store;
struct hop_certificates;
struct tls_ledger;
struct tracker;
struct worker;

/* What a worker tells the node; called on the worker's thread. */
struct worker_events {
	void *node;
	/* Everything that goes on is adopted under this epoch. */
	void (*on_asserted)(void *node, unsigned worker, uint64_t epoch);
	void (*on_fenced)(void *node, uint64_t epoch, uint64_t fence);
	/* The journal or the disk failed: this process must end. */
	void (*on_failed)(void *node, const char *why);
	/* worker_listen() is through: clients are let in. */
	void (*on_listening)(void *node, unsigned worker);
	/* worker_drain() is through: nothing is left to do. */
	void (*on_drained)(void *node, unsigned worker);
};

/* What is shared; everything is borrowed for the worker's life. */
struct worker_shared {
	unsigned workers;
	struct spool *spool;
	struct log_writer *log;
	struct tracker *tracker;
	struct metrics *metrics;
	struct health *health;
	struct budget *budget;
	atomic_size_t *connections;
	struct throttle *throttle;
	struct hop_news *hop_news;
	struct policy_slot *policy;
	struct resolver *resolver;
	struct inherited *inherited; /* for worker_new(); may be NULL */
	const struct dns_self *self;
	struct signing_slot *signing;
	struct credentials *credentials;
	struct secrets *secrets;
	struct sts_store *sts;
	struct tls_ledger *tls_ledger; /* NULL: nothing is reported */
	struct hop_certificates *hop_certificates;
	struct alert_ledger *alert_ledger;   /* NULL: nobody counts senders */
	struct authenticator *authenticator; /* NULL: nobody can authenticate */
	struct tls_slot *server_tls;         /* one per listener */
	struct tls_slot *redis_tls;
	struct redis_master *redis_master; /* NULL: redis.address says it */
	struct tls_context *hop_tls;
	const char *redis_password; /* NULL: none */
	struct worker_events events;
};

/* Opens and replays the journal and binds the listeners. On failure appends lines to `why_out`. */
WARN_UNUSED enum err worker_new(unsigned index, const struct settings *settings,
	const struct worker_shared *shared, struct worker **worker_out, struct buf *why_out);
WARN_UNUSED enum err worker_start(struct worker *worker, struct buf *why_out);
/* The thread has ended, or never ran. Sets the pointer to NULL. */
void worker_free(struct worker **worker);
void worker_join(struct worker *worker);

/* How this node talks to Redis; text is borrowed from its arguments. */
struct redis_conn_options;
void worker_redis_options(struct redis_conn_options *options, const struct settings *settings,
	struct redis_master *master, const char *password, struct tls_slot *tls);

/* --- any thread */

void worker_set_lease(struct worker *worker, const struct lease *lease);
/* Lets clients in, then tells on_listening. A listener that cannot is on_failed. */
void worker_listen(struct worker *worker);
/* For what begins from now on; `settings` outlive the worker. */
void worker_reload(struct worker *worker, const struct settings *settings);
struct drain_options {
	uint64_t timeout_ms; /* what is not done then is cut off */
	uint64_t linger_ms;  /* sessions may send further messages; at most half of the above */
	bool is_leaving;     /* the process will end */
};
/* Closes listeners, lets sessions and attempts end, hands over what is left, then tells on_drained. */
void worker_drain(struct worker *worker, const struct drain_options *options);
/*
 * Takes a message of the node's own into custody. The text is copied. `fn` is told once, on the worker's
 * thread, unless the worker ends before.
 */
void worker_send_mail(struct worker *worker, const struct own_mail *mail, custody_fn *fn, void *arg);
/* Ends the loop. */
void worker_stop(struct worker *worker);
const struct loop *worker_loop(const struct worker *worker);

/* Is the message live in this worker's journal? Before start only. */
bool worker_has_message(struct worker *worker, const struct msg_id *id);

#endif
