#include "run/worker_internal.h"

enum { WATCH_MS = 500 };

static void watch_journal(struct worker *worker)
{
	struct journal_stats now;

	journal_stats(worker->journal, &now);
	if (now.commits > worker->seen.commits) {
		meter_observe(worker->meter, METRIC_JOURNAL_COMMIT_TIME,
			(now.commit_us_sum - worker->seen.commit_us_sum) /
				(now.commits - worker->seen.commits));
		meter_observe(worker->meter, METRIC_JOURNAL_COMMIT_RECORDS,
			(now.entries - worker->seen.entries) / (now.commits - worker->seen.commits));
	}
	meter_add(worker->meter, METRIC_JOURNAL_BYTES,
		(int64_t)now.disk_bytes - (int64_t)worker->seen.disk_bytes);
	meter_add(worker->meter, METRIC_JOURNAL_LIVE_BYTES,
		(int64_t)now.live_bytes - (int64_t)worker->seen.live_bytes);
	worker->seen = now;
	health_set(&worker->health, HEALTH_DISK, !journal_is_nearly_full(worker->journal),
		"the journal is nearly full");
	if (journal_has_failed(worker->journal)) {
		health_set(&worker->health, HEALTH_JOURNAL, false, "a write to the journal failed");
		worker->shared.events.on_failed(worker->shared.events.node, "a write to the journal failed");
	}
}

static void watch_queue(struct worker *worker)
{
	const struct ownership *ownership = worker->ownership;

	/* Gauges of several threads are moved, not set. */
	const int64_t counts[] = {
		[QUEUE_ACTIVE] = (int64_t)(ownership_count(ownership, HOLDING_OWNED) +
					   ownership_count(ownership, HOLDING_OFFERED)),
		[QUEUE_KEPT] = (int64_t)ownership_count(ownership, HOLDING_KEPT),
		[QUEUE_LOCAL] = (int64_t)ownership_count(ownership, HOLDING_LOCAL),
	};

	for (unsigned state = QUEUE_ACTIVE; state <= QUEUE_LOCAL; state++) {
		meter_add_at(worker->meter, METRIC_QUEUE, state, counts[state] - worker->queue_seen[state]);
		worker->queue_seen[state] = counts[state];
	}
}

static void watch_redis(struct worker *worker)
{
	const struct redis_link_stats *now = redis_link_stats(worker->link);
	struct redis_link_stats *seen = &worker->calls_seen;

	meter_add_at(
		worker->meter, METRIC_REDIS_CALLS, REDIS_CALL_OK, (int64_t)(now->answered - seen->answered));
	meter_add_at(
		worker->meter, METRIC_REDIS_CALLS, REDIS_CALL_ERROR, (int64_t)(now->errors - seen->errors));
	meter_add_at(worker->meter, METRIC_REDIS_CALLS, REDIS_CALL_UNKNOWN,
		(int64_t)(now->unknown - seen->unknown));
	*seen = *now;
}

static void on_round_trip(void *arg, enum redis_outcome outcome, const struct redisReply *reply)
{
	struct worker *worker = arg;

	(void)reply;
	if (outcome == REDIS_REPLY)
		meter_observe(worker->meter, METRIC_REDIS_TIME, uv_hrtime() / 1000 - worker->probed_us);
	worker->probed_us = 0;
}

/* The smallest call there is, one at a time. */
static void probe_redis(struct worker *worker)
{
	const struct span time[] = { SPAN_LIT("TIME") };

	if (!worker->probed_us && redis_link_call(worker->link, ARRAY_LEN(time), time, REDIS_CALL_PLAIN,
					  loop_boottime_ms(), on_round_trip, worker))
		worker->probed_us = uv_hrtime() / 1000;
}

static void watch_limits(struct worker *worker)
{
	const struct limiter_stats *now = limiter_stats(worker->limits.limiter);
	struct limiter_stats *seen = &worker->limits_seen;

	meter_add_at(worker->meter, METRIC_LIMITS_ASKED, LIMIT_ANSWER_SHARE,
		(int64_t)(now->by_share - seen->by_share));
	meter_add_at(worker->meter, METRIC_LIMITS_ASKED, LIMIT_ANSWER_REDIS,
		(int64_t)(now->by_redis - seen->by_redis));
	meter_add(worker->meter, METRIC_LIMITS_REFUSED, (int64_t)(now->refused - seen->refused));
	*seen = *now;
}

/* How late this timer is says how long others had to wait for the loop. */
static void watch_lag(struct worker *worker)
{
	uint64_t now_us = uv_hrtime() / 1000;

	if (worker->watch_due_us && now_us > worker->watch_due_us)
		meter_observe(worker->meter, METRIC_LOOP_LAG, now_us - worker->watch_due_us);
	worker->watch_due_us = now_us + WATCH_MS * 1000;
}

static void on_watch(void *arg)
{
	struct worker *worker = arg;
	enum budget_level level = budget_level(worker->shared.budget);

	watch_lag(worker);
	watch_journal(worker);
	watch_redis(worker);
	probe_redis(worker);
	watch_limits(worker);
	watch_queue(worker);
	tally_step(worker->tally);
	outbound_watch(&worker->outbound);
	outbound_count(&worker->outbound);
	health_set(&worker->health, HEALTH_MEMORY, level != BUDGET_FULL, "memory.budget is used up");
	if (worker->index == 0)
		meter_set(worker->meter, METRIC_MEMORY_USED, (int64_t)budget_used(worker->shared.budget));
	loop_timer_set(&worker->loop, &worker->watch_timer, WATCH_MS);
}

void worker_watch_init(struct worker *worker)
{
	loop_timer_init(&worker->watch_timer, on_watch, worker);
}

void worker_watch(struct worker *worker)
{
	on_watch(worker);
}
