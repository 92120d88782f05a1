/* What worker.c, worker_watch.c and worker_drain.c share: the worker. */
#ifndef NODE_RUN_WORKER_INTERNAL_H
#define NODE_RUN_WORKER_INTERNAL_H

#include "custody/custody.h"
#include "custody/tally.h"
#include "inbound/inbound.h"
#include "io/redis_conn.h"
#include "outbound/outbound.h"
#include "run/worker.h"

enum drain_phase { DRAIN_NONE, DRAIN_LINGER, DRAIN_SESSIONS, DRAIN_DELIVERIES, DRAIN_DONE };

struct worker {
	unsigned index;
	const struct settings *settings;
	struct worker_shared shared;
	uv_thread_t thread;
	bool is_running;
	struct loop loop;
	struct log *log;
	struct track *track;
	struct meter *meter;
	struct random random;
	struct health_reporter health;

	struct journal *journal;
	uv_async_t journal_wake;
	struct body_store *bodies;
	struct redis_conn *redis; /* NULL: standalone */
	struct redis_link *link;  /* of redis, or one that never comes up */
	struct limit_desk limits;
	struct ownership *ownership;
	struct loop_timer ownership_timer, watch_timer, drain_timer;
	struct custody custody;
	struct fetcher *fetcher;
	struct outbound outbound;
	struct inbound inbound;
	struct journal_stats seen;           /* what the metrics know of the journal, */
	struct redis_link_stats calls_seen;  /* of Redis, */
	struct limiter_stats limits_seen;    /* of limits, */
	int64_t queue_seen[QUEUE_LOCAL + 1]; /* and of the queue */
	struct tally *tally;
	uint64_t watch_due_us;
	uint64_t probed_us; /* when Redis was asked for its time; 0: no answer is awaited */

	enum drain_phase drain;
	uint64_t drain_until_ms, linger_until_ms;
};

/* --- worker_watch.c */

/* The timer of it. */
void worker_watch_init(struct worker *worker);
/* From now on, twice a second: what the metrics and the health are to know of it. */
void worker_watch(struct worker *worker);

/* --- worker_drain.c */

/* The timer of it. */
void worker_drain_init(struct worker *worker);
/* Nothing to do while it is under way already. */
void worker_begin_drain(struct worker *worker, const struct drain_options *options);

#endif
