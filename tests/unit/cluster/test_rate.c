/* A provider's rate over three nodes with two workers each: held, and used to the full. */
#include "queue_driver.h"

#include "skein/cluster/limiter.h"

#define SECOND 1000000u

enum {
	NODES = 3,
	WORKERS = 6,
	SECONDS = 60,
	RATE = 14,
	USES_MAX = 2 * RATE * SECONDS,
	DEADLINE_MS = 300,
	AHEAD_US = 2 * SECOND,
};

static const struct limit_rule fourteen = {
	.name = "ses", .key = LIMIT_PER_ROUTE, .rate = RATE, .period_us = SECOND, .burst = 1
};
static const struct limit_take place = { &fourteen, SPAN_LIT("ses"), 1 };

struct worker {
	struct link_driver *driver;
	struct limiter *limiter;
	struct limit_question question;
	uint64_t use_ms; /* a place that it waits for; UINT64_MAX: none */
	unsigned used;
};

struct cluster {
	struct queue_driver *q;
	struct limit_share *shares[NODES];
	struct worker workers[WORKERS];
	uint64_t now_ms;
	uint64_t uses_ms[USES_MAX]; /* when a place was used */
	size_t use_count;
};

static struct cluster *running;

static void on_verdict(void *arg, const struct limit_verdict *verdict)
{
	struct worker *worker = arg;

	assert_true(verdict->is_let_in);
	worker->use_ms = running->now_ms + (verdict->wait_us + 999) / 1000;
}

static void reserve(struct worker *worker)
{
	struct limit_verdict verdict;

	worker->use_ms = UINT64_MAX;
	if (limiter_reserve(worker->limiter, &worker->question, &place, 1, AHEAD_US, running->now_ms,
		    on_verdict, worker, &verdict))
		on_verdict(worker, &verdict);
}

static void start(struct cluster *cluster, struct queue_driver *q)
{
	static const struct redis_link_options options = {
		.client_name = "n", .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 5000
	};
	const struct limit_share_options share = { .counters_max = 10, .seed = { 1, 2 } };

	*cluster = (struct cluster){ .q = q, .now_ms = 1 };
	running = cluster;
	for (unsigned n = 0; n < NODES; n++) {
		cluster->shares[n] = limit_share_new(&share);
		limit_share_set_nodes(cluster->shares[n], NODES);
	}
	for (unsigned w = 0; w < WORKERS; w++) {
		struct worker *worker = &cluster->workers[w];

		worker->driver = link_driver_start(q->server.port, &options);
		worker->limiter = limiter_new(worker->driver->link, cluster->shares[w % NODES], DEADLINE_MS);
		limit_question_init(&worker->question);
		worker->use_ms = UINT64_MAX;
	}
}

static void stop(struct cluster *cluster)
{
	for (unsigned w = 0; w < WORKERS; w++) {
		limiter_cancel(cluster->workers[w].limiter, &cluster->workers[w].question);
		link_driver_settle(cluster->workers[w].driver);
		limiter_free(&cluster->workers[w].limiter);
		link_driver_stop(&cluster->workers[w].driver);
	}
	for (unsigned n = 0; n < NODES; n++)
		limit_share_free(&cluster->shares[n]);
}

/* Redis answers a millisecond after it has executed. */
static void answer_all(struct cluster *cluster)
{
	bool is_any = false;

	for (unsigned w = 0; w < WORKERS; w++)
		is_any = is_any || limit_question_is_asked(&cluster->workers[w].question);
	if (!is_any)
		return;
	pass_ms(cluster->q, 1);
	cluster->now_ms++;
	for (unsigned w = 0; w < WORKERS; w++)
		link_driver_settle(cluster->workers[w].driver);
}

static uint64_t next_use(const struct cluster *cluster)
{
	uint64_t next_ms = UINT64_MAX;

	for (unsigned w = 0; w < WORKERS; w++)
		if (cluster->workers[w].use_ms < next_ms)
			next_ms = cluster->workers[w].use_ms;
	return next_ms;
}

/* Uses what is due and reserves the next place at once. */
static void use_due(struct cluster *cluster)
{
	for (unsigned w = 0; w < WORKERS; w++) {
		struct worker *worker = &cluster->workers[w];

		if (worker->use_ms > cluster->now_ms)
			continue;
		assert_true(cluster->use_count < USES_MAX);
		cluster->uses_ms[cluster->use_count++] = cluster->now_ms;
		worker->used++;
		reserve(worker);
	}
}

static void run(struct cluster *cluster, uint64_t until_ms)
{
	for (;;) {
		uint64_t next_ms;

		answer_all(cluster);
		next_ms = next_use(cluster);
		if (next_ms > until_ms)
			return;
		if (next_ms > cluster->now_ms) {
			pass_ms(cluster->q, next_ms - cluster->now_ms);
			cluster->now_ms = next_ms;
		}
		use_due(cluster);
	}
}

/* The most in any stretch of `ms`. */
static size_t most_within(const struct cluster *cluster, uint64_t ms)
{
	size_t most = 0;

	for (size_t first = 0, last = 0; last < cluster->use_count; last++) {
		while (cluster->uses_ms[last] - cluster->uses_ms[first] >= ms)
			first++;
		most = last - first + 1 > most ? last - first + 1 : most;
	}
	return most;
}

static uint64_t asked(const struct cluster *cluster)
{
	uint64_t sum = 0;

	for (unsigned w = 0; w < WORKERS; w++)
		sum += limiter_stats(cluster->workers[w].limiter)->asked;
	return sum;
}

static void six_workers_hold_a_rate_and_use_it_to_the_full(void **state)
{
	struct cluster cluster;

	start(&cluster, *state);
	for (unsigned w = 0; w < WORKERS; w++)
		reserve(&cluster.workers[w]);
	run(&cluster, SECONDS * 1000);
	assert_in_range(cluster.use_count, RATE * SECONDS * 99 / 100, RATE * SECONDS + 1);
	/* The burst, and what a round trip moves. */
	assert_in_range(most_within(&cluster, 1000), RATE, RATE + 1);
	/* One call for each place, and nobody waits for more than his turn. */
	assert_in_range(asked(&cluster), cluster.use_count, cluster.use_count + WORKERS);
	for (unsigned w = 0; w < WORKERS; w++)
		assert_in_range(cluster.workers[w].used, RATE * SECONDS / WORKERS - RATE,
			RATE * SECONDS / WORKERS + RATE);
	stop(&cluster);
}

static void one_worker_alone_has_the_whole_rate(void **state)
{
	struct cluster cluster;

	start(&cluster, *state);
	reserve(&cluster.workers[4]);
	run(&cluster, SECONDS * 1000);
	assert_in_range(cluster.use_count, RATE * SECONDS * 99 / 100, RATE * SECONDS + 1);
	assert_in_range(most_within(&cluster, 1000), RATE, RATE + 1);
	stop(&cluster);
}

/* Each node by itself: a third of the rate, and also without a wasted call. */
static void without_redis_each_node_reserves_of_its_share(void **state)
{
	struct cluster cluster;

	start(&cluster, *state);
	for (unsigned w = 0; w < WORKERS; w++)
		link_driver_cut(cluster.workers[w].driver);
	for (unsigned w = 0; w < WORKERS; w++)
		reserve(&cluster.workers[w]);
	run(&cluster, SECONDS * 1000);
	assert_in_range(cluster.use_count, RATE * SECONDS * 95 / 100, RATE * SECONDS + NODES);
	assert_in_range(most_within(&cluster, 1000), RATE, RATE + NODES);
	assert_int_equal(asked(&cluster), 0);
	stop(&cluster);
}

struct verdict_of {
	struct limit_verdict verdict;
	char rule[16];
	unsigned answers;
};

static void on_answer(void *arg, const struct limit_verdict *verdict)
{
	struct verdict_of *of = arg;

	of->verdict = *verdict;
	snprintf(of->rule, sizeof(of->rule), "%s", verdict->rule ? verdict->rule->name : "");
	of->answers++;
}

static struct verdict_of reserve_once(struct cluster *cluster, uint64_t ahead_us)
{
	struct worker *worker = &cluster->workers[0];
	struct verdict_of of = { .answers = 0 };
	struct limit_verdict decided;

	if (limiter_reserve(worker->limiter, &worker->question, &place, 1, ahead_us, cluster->now_ms,
		    on_answer, &of, &decided))
		on_answer(&of, &decided);
	link_driver_settle(worker->driver);
	assert_int_equal(of.answers, 1);
	return of;
}

/* By Redis, and by the share alone: the same answers, with three times the wait. */
static void what_lies_too_far_ahead_is_refused_for_exactly_that_long(void **state)
{
	struct cluster cluster;
	const uint64_t step_us = limit_cost_us(&fourteen, 1);

	for (uint64_t nodes = 1; nodes <= NODES; nodes += NODES - 1) {
		struct verdict_of of;

		start(&cluster, *state);
		if (nodes > 1)
			link_driver_cut(cluster.workers[0].driver);
		for (uint64_t i = 0; i < 3; i++) {
			of = reserve_once(&cluster, 2 * step_us * nodes);
			assert_true(of.verdict.is_let_in);
			assert_int_equal(of.verdict.source, nodes > 1 ? LIMIT_BY_SHARE : LIMIT_BY_REDIS);
			assert_int_equal(of.verdict.wait_us, i * step_us * nodes);
		}
		of = reserve_once(&cluster, 2 * step_us * nodes);
		assert_false(of.verdict.is_let_in);
		assert_string_equal(of.rule, "ses");
		assert_int_equal(of.verdict.wait_us, step_us * nodes);
		/* What was refused took nothing. What is not used comes back. */
		assert_int_equal(
			reserve_once(&cluster, 3 * step_us * nodes).verdict.wait_us, 3 * step_us * nodes);
		limiter_refund(cluster.workers[0].limiter, &place, 1, of.verdict.source, cluster.now_ms);
		assert_int_equal(
			reserve_once(&cluster, 3 * step_us * nodes).verdict.wait_us, 3 * step_us * nodes);
		stop(&cluster);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(six_workers_hold_a_rate_and_use_it_to_the_full, queue_driver_reset),
		cmocka_unit_test_setup(one_worker_alone_has_the_whole_rate, queue_driver_reset),
		cmocka_unit_test_setup(without_redis_each_node_reserves_of_its_share, queue_driver_reset),
		cmocka_unit_test_setup(
			what_lies_too_far_ahead_is_refused_for_exactly_that_long, queue_driver_reset),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
