/* The arithmetic of limits in C, and the same in Redis. */
#include "queue_driver.h"

#include "skein/cluster/limit_store.h"

#include <stdlib.h>

#define SECOND 1000000u
#define MINUTE (60 * SECOND)

static struct limit_rule rule_of(uint64_t rate, uint64_t period_us, uint64_t burst)
{
	return (struct limit_rule){ .name = "r", .rate = rate, .period_us = period_us, .burst = burst };
}

struct taken {
	struct outcome outcome;
	size_t refused;
	uint64_t wait_us;
	unsigned calls;
};

static void on_taken(void *arg, const struct outcome *outcome, size_t refused, uint64_t wait_us)
{
	struct taken *taken = arg;

	*taken = (struct taken){ *outcome, refused, wait_us, taken->calls + 1 };
}

static struct taken take(struct queue_driver *q, const struct limit_take *takes, size_t count)
{
	struct taken taken = { .calls = 0 };

	assert_true(limit_store_take(q->link, takes, count, 0, 0, on_taken, &taken));
	link_driver_settle(q->driver);
	assert_int_equal(taken.calls, 1);
	return taken;
}

static bool take_one(struct queue_driver *q, const struct limit_rule *rule, const char *value, uint64_t cost)
{
	struct limit_take one = { rule, span_of_str(value), cost };

	return take(q, &one, 1).outcome.kind == OUTCOME_OK;
}

static void on_peek(void *arg, const struct outcome *outcome, const uint64_t *owed_us, size_t count)
{
	uint64_t *owed = arg;

	assert_true(outcome_is_ok(outcome));
	memcpy(owed, owed_us, count * sizeof(*owed));
}

static uint64_t peek_one(struct queue_driver *q, const struct limit_rule *rule, const char *value)
{
	struct limit_take one = { rule, span_of_str(value), 0 };
	uint64_t owed = 0;

	assert_true(limit_store_peek(q->link, &one, 1, 0, on_peek, &owed));
	link_driver_settle(q->driver);
	return owed;
}

static void set_clock_us(struct queue_driver *q, uint64_t now_us)
{
	redis_client_command(&q->redis, "SET virtual:clock %llu", (unsigned long long)now_us);
}

static void a_rule_has_bounds(void **state)
{
	static const struct {
		struct limit_rule rule;
		const char *part; /* of what is said; NULL: fine */
	} rows[] = {
		{ { .rate = 1, .period_us = 1, .burst = 1 }, NULL },
		{ { .rate = 0, .period_us = 1, .burst = 1 }, "begin at 1" },
		{ { .rate = 1, .period_us = 1, .burst = 0 }, "begin at 1" },
		{ { .rate = 1, .period_us = 0, .burst = 1 }, "period" },
		{ { .rate = 1, .period_us = LIMIT_TIME_US_MAX, .burst = 1 }, NULL },
		{ { .rate = 1, .period_us = LIMIT_TIME_US_MAX, .burst = 2 }, "95 years" },
		{ { .rate = 1, .period_us = LIMIT_TIME_US_MAX + 1, .burst = 1 }, "period" },
		{ { .rate = UINT64_MAX, .period_us = 1, .burst = UINT64_MAX }, NULL },
		{ { .rate = 2000000, .period_us = SECOND, .burst = 1 }, "one per microsecond" },
		{ { .rate = 104857600, .period_us = SECOND, .burst = 10485760 }, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const char *said = limit_rule_check(&rows[i].rule);

		if (!said != !rows[i].part || (said && !strstr(said, rows[i].part)))
			fail_msg("row %zu: %s", i, said ? said : "fine");
	}
}

/*
 * Each row goes on from the one before; in C and in Redis. Times are long, as keys end by the real clock.
 */
static void takes_are_let_in_or_wait(void **state)
{
	static const struct {
		uint64_t at_us, cost, wait_us; /* in thousands; wait 0: let in */
	} rows[] = {
		/* 10 in 10,000 s, 3 at once */
		{ 0, 1, 0 },
		{ 0, 1, 0 },
		{ 0, 2, 1 * SECOND },
		{ 0, 1, 0 },
		{ 0, 1, 1 * SECOND },
		{ 0, 0, 0 }, /* costs nothing, and nothing is owed beyond the burst */
		{ 999999, 1, 1 },
		{ 1000000, 1, 0 },
		{ 1000000, 5, 3 * SECOND }, /* larger than the burst: when nothing is owed */
		{ 4000000, 5, 0 },
		{ 4000000, 1, 3 * SECOND },
		{ 4000000, 0, 2 * SECOND }, /* over the burst: even nothing is refused */
		{ 7000000, 1, 0 },
	};
	struct queue_driver *q = *state;
	struct limit_rule rule = rule_of(10, 10000ull * SECOND, 3);
	struct limit_state local = { 0 };
	uint64_t base = q->now_ms * 1000;

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct limit_take one = { &rule, SPAN_LIT("v"), rows[i].cost };
		uint64_t now = base + rows[i].at_us * 1000, cost = limit_cost_us(&rule, rows[i].cost);
		uint64_t wait = limit_wait_us(&local, now, cost, limit_burst_us(&rule));
		struct taken taken;

		set_clock_us(q, now);
		taken = take(q, &one, 1);
		if (wait != rows[i].wait_us * 1000 || taken.wait_us != wait)
			fail_msg("row %zu: %llu here, %llu in Redis", i, (unsigned long long)wait,
				(unsigned long long)taken.wait_us);
		assert_int_equal(taken.outcome.kind, wait ? OUTCOME_NOT : OUTCOME_OK);
		if (!wait)
			limit_take(&local, now, cost);
	}
}

/* Random takes, refunds, pauses and jumps of the clock, of three counters: Redis and C agree on each step. */
static void redis_counts_as_the_reference_does(void **state)
{
	struct queue_driver *q = *state;
	const struct limit_rule rules[] = {
		{ .name = "a", .rate = 7, .period_us = 1000 * SECOND, .burst = 5 },
		{ .name = "b", .rate = 100, .period_us = 1000 * MINUTE, .burst = 20 },
		{ .name = "c", .rate = 3, .period_us = LIMIT_TIME_US_MAX / 4, .burst = 2 }
	};
	struct limit_state local[3] = { 0 };
	uint64_t now = q->now_ms * 1000;
	unsigned seed = 4711, refused = 0, let_in = 0;

	for (unsigned step = 0; step < 3000; step++) {
		struct limit_take takes[3];
		uint64_t longest = 0;
		size_t count = 1 + (unsigned)rand_r(&seed) % 3, at = 0;

		now += (unsigned)rand_r(&seed) % 400000 * 1000ull;
		if (rand_r(&seed) % 100 == 0)
			now -= 86400ull * SECOND;
		if (rand_r(&seed) % 200 == 0)
			now += 864000ull * SECOND;
		set_clock_us(q, now);
		for (size_t i = 0; i < count; i++) {
			takes[i] = (struct limit_take){ &rules[i], SPAN_LIT("Who@X"),
				(unsigned)rand_r(&seed) % 8 };
			uint64_t wait = limit_wait_us(&local[i], now, limit_cost_us(&rules[i], takes[i].cost),
				limit_burst_us(&rules[i]));

			if (wait > longest) {
				longest = wait;
				at = i;
			}
		}
		if (rand_r(&seed) % 5 == 0) {
			assert_true(limit_store_refund(q->link, takes, count, 0, NULL, NULL));
			for (size_t i = 0; i < count; i++)
				limit_refund(&local[i], now, limit_cost_us(&rules[i], takes[i].cost));
			link_driver_settle(q->driver);
		} else {
			struct taken taken = take(q, takes, count);

			assert_int_equal(taken.outcome.kind, longest ? OUTCOME_NOT : OUTCOME_OK);
			assert_int_equal(taken.wait_us, longest);
			assert_int_equal(taken.refused, at);
			refused += longest > 0;
			let_in += longest == 0;
			for (size_t i = 0; i < count && !longest; i++)
				if (takes[i].cost)
					limit_take(&local[i], now, limit_cost_us(&rules[i], takes[i].cost));
		}
		for (size_t i = 0; i < 3; i++)
			assert_int_equal(peek_one(q, &rules[i], "who@x"), limit_owed_us(&local[i], now));
	}
	assert_true(refused > 300 && let_in > 100);
}

static void all_is_taken_or_nothing(void **state)
{
	struct queue_driver *q = *state;
	struct limit_rule wide = { .name = "wide", .rate = 100, .period_us = SECOND, .burst = 100 };
	struct limit_rule small = { .name = "small", .rate = 1, .period_us = SECOND, .burst = 1 };
	struct limit_rule slow = { .name = "slow", .rate = 1, .period_us = MINUTE, .burst = 1 };
	struct limit_take takes[] = { { &wide, SPAN_LIT("c"), 1 }, { &small, SPAN_LIT("s"), 1 },
		{ &slow, SPAN_LIT("d"), 1 } };
	struct taken taken = take(q, takes, 3);

	assert_int_equal(taken.outcome.kind, OUTCOME_OK);
	taken = take(q, takes, 3);
	assert_int_equal(taken.outcome.kind, OUTCOME_NOT);
	assert_int_equal(taken.refused, 2); /* has to wait longest */
	assert_int_equal(taken.wait_us, MINUTE);
	assert_int_equal(peek_one(q, &wide, "c"), 10000);
}

static void takes_of_one_counter_are_added_up(void **state)
{
	struct queue_driver *q = *state;
	struct limit_rule rule = rule_of(10, SECOND, 3);
	struct limit_take takes[] = { { &rule, SPAN_LIT("Example.com"), 1 }, { &rule, SPAN_LIT("other"), 1 },
		{ &rule, SPAN_LIT("example.COM"), 2 } };
	struct taken taken;

	assert_int_equal(take(q, takes, 3).outcome.kind, OUTCOME_OK);
	assert_int_equal(peek_one(q, &rule, "example.com"), 300000);
	taken = take(q, takes, 3);
	assert_int_equal(taken.outcome.kind, OUTCOME_NOT);
	assert_int_equal(taken.refused, 0);
	assert_int_equal(peek_one(q, &rule, "other"), 100000);
}

static void counters_end_by_themselves(void **state)
{
	struct queue_driver *q = *state;
	struct limit_rule rule = rule_of(100, MINUTE, 100);
	long long ttl;

	assert_true(take_one(q, &rule, "10.0.0.1", 2));
	ttl = redis_client_integer(&q->redis, "PTTL skein:{limits}:r:10.0.0.1");
	assert_in_range(ttl, 1, 1200);
}

/* 10 takes owe 10 s. Back by an hour: still 10 s. Forward: free, and no more than a burst. */
static void jumps_of_redis_clock_neither_bar_for_ever_nor_open(void **state)
{
	struct queue_driver *q = *state;
	struct limit_rule rule = rule_of(1, SECOND, 10);
	uint64_t now = q->now_ms * 1000;

	assert_true(take_one(q, &rule, "v", 10));
	assert_false(take_one(q, &rule, "v", 1));
	set_clock_us(q, now - 3600ull * SECOND);
	assert_false(take_one(q, &rule, "v", 1));
	assert_int_equal(peek_one(q, &rule, "v"), 10 * SECOND);
	set_clock_us(q, now + 86400ull * SECOND);
	for (unsigned i = 0; i < 10; i++)
		assert_true(take_one(q, &rule, "v", 1));
	assert_false(take_one(q, &rule, "v", 1));
}

static void three_nodes_share_one_limit(void **state)
{
	static const struct redis_link_options options = {
		.client_name = "n", .prefix = "skein:", .handshake_timeout_ms = 5000, .call_timeout_ms = 5000
	};
	struct queue_driver *q = *state;
	struct limit_rule rule = rule_of(100, MINUTE, 100);
	struct limit_take one = { &rule, SPAN_LIT("app"), 1 };
	struct link_driver *nodes[3];
	struct taken taken[3][60] = { { { .calls = 0 } } };
	unsigned let_in = 0;

	for (size_t n = 0; n < 3; n++)
		nodes[n] = link_driver_start(q->server.port, &options);
	for (size_t i = 0; i < 60; i++)
		for (size_t n = 0; n < 3; n++)
			assert_true(limit_store_take(nodes[n]->link, &one, 1, 0, 0, on_taken, &taken[n][i]));
	for (size_t n = 0; n < 3; n++)
		link_driver_settle(nodes[n]);
	for (size_t i = 0; i < 60; i++)
		for (size_t n = 0; n < 3; n++)
			let_in += taken[n][i].outcome.kind == OUTCOME_OK;
	assert_int_equal(let_in, 100);
	pass_ms(q, 600); /* one more */
	assert_true(take_one(q, &rule, "app", 1));
	assert_false(take_one(q, &rule, "app", 1));
	for (size_t n = 0; n < 3; n++)
		link_driver_stop(&nodes[n]);
}

static void what_is_no_counter_of_ours_counts_nothing(void **state)
{
	struct queue_driver *q = *state;
	struct limit_rule rule = rule_of(1, SECOND, 1);

	redis_client_command(&q->redis, "SET skein:{limits}:r:v %s", "nonsense");
	assert_true(take_one(q, &rule, "v", 1));
	assert_false(take_one(q, &rule, "v", 1));
}

static uint64_t cpu_us(struct queue_driver *q)
{
	static const char *const fields[] = { "used_cpu_sys:", "used_cpu_user:" };
	const char *info = redis_client_command(&q->redis, "INFO cpu")->str;
	double seconds = 0;

	for (size_t i = 0; i < ARRAY_LEN(fields); i++)
		seconds += strtod(strstr(info, fields[i]) + strlen(fields[i]), NULL);
	return (uint64_t)(seconds * 1000000);
}

/* A figure, not a promise. */
static void costs_of_a_take_are_printed(void **state)
{
	enum { CALLS = 5000 };
	static const size_t counts[] = { 1, 3, 5 };
	struct queue_driver *q = *state;
	struct limit_rule rules[5];
	char names[5][4];
	struct limit_take takes[5];
	struct taken taken = { .calls = 0 };

	for (unsigned i = 0; i < 5; i++) {
		snprintf(names[i], sizeof(names[i]), "r%u", i);
		rules[i] = (struct limit_rule){
			.name = names[i], .rate = 1000000, .period_us = SECOND, .burst = 1000000
		};
		takes[i] = (struct limit_take){ &rules[i], SPAN_LIT("someone@example.com"), 1 };
	}
	for (size_t c = 0; c < ARRAY_LEN(counts); c++) {
		uint64_t before = cpu_us(q);

		for (unsigned i = 0; i < CALLS; i++)
			assert_true(limit_store_take(q->link, takes, counts[c], 0, 0, on_taken, &taken));
		link_driver_settle(q->driver);
		print_message("%zu limits in one call: %.1f us of Redis' CPU\n", counts[c],
			(double)(cpu_us(q) - before) / CALLS);
	}
	assert_int_equal(taken.calls, CALLS * ARRAY_LEN(counts));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_rule_has_bounds),
		cmocka_unit_test_setup(takes_are_let_in_or_wait, queue_driver_reset),
		cmocka_unit_test_setup(redis_counts_as_the_reference_does, queue_driver_reset),
		cmocka_unit_test_setup(all_is_taken_or_nothing, queue_driver_reset),
		cmocka_unit_test_setup(takes_of_one_counter_are_added_up, queue_driver_reset),
		cmocka_unit_test_setup(counters_end_by_themselves, queue_driver_reset),
		cmocka_unit_test_setup(
			jumps_of_redis_clock_neither_bar_for_ever_nor_open, queue_driver_reset),
		cmocka_unit_test_setup(three_nodes_share_one_limit, queue_driver_reset),
		cmocka_unit_test_setup(what_is_no_counter_of_ours_counts_nothing, queue_driver_reset),
		cmocka_unit_test_setup(costs_of_a_take_are_printed, queue_driver_reset),
	};

	return cmocka_run_group_tests(tests, queue_driver_setup, queue_driver_teardown);
}
