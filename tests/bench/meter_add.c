/*
 * What it costs a worker to count something by name, beside counting without; and what a step of the tally
 * costs for each message that it looks at; printed. Not a test: run it on a quiet machine.
 */
#include "custody/tally.h"
#include "io/wall_clock.h"
#include "lone_link.h"

#include <stdio.h>
#include <time.h>

enum { ADDS = 20000000, NAMES = 200, MESSAGES = 200000, STEPS_MAX = 100 };

static double now_s(void)
{
	struct timespec time;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
	return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static void measure_adds(struct meter *meter, const unsigned *names)
{
	double began = now_s(), plain, named;

	for (unsigned i = 0; i < ADDS; i++)
		meter_add_at(meter, METRIC_CONNECTIONS_REFUSED, i % 4, 1);
	plain = now_s() - began;
	began = now_s();
	for (unsigned i = 0; i < ADDS; i++)
		meter_add_named(meter, METRIC_ROUTE_MESSAGES, names[i % NAMES], i % 4, 1);
	named = now_s() - began;
	printf("%.1f ns a count with a fixed label, %.1f ns by name\n", plain * 1e9 / ADDS,
		named * 1e9 / ADDS);
}

static void on_released(void *ctx, struct holding *holding)
{
	struct message *message = message_of_holding(holding);

	(void)ctx;
	message_unref(&message);
}

static void fill(struct custody *custody, const unsigned *names)
{
	uint64_t now_ms = wall_clock_ms();

	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct msg_id id = msg_id_make(now_ms - i, i % 16, i);
		struct message *message = message_new(&id);

		message->route = (uint16_t)names[i % NAMES];
		message->routing = custody->outbound->routings;
		ownership_add(custody->ownership, &message->holding, HOLDING_LOCAL, true);
	}
}

static void measure_tally(struct metrics *metrics, struct meter *meter, const unsigned *names)
{
	const struct ownership_options options = {
		.shards = 16, .workers = 1, .claim_batch = 10, .claim_interval_ms = 1000, .seed = { 1, 2 }
	};
	const struct ownership_owner owner = { .on_released = on_released };
	struct redis_link *link = lone_link_new();
	struct outbound outbound = { .routings = 1 };
	struct custody custody = {
		.outbound = &outbound, .meter = meter, .ownership = ownership_new(&options, link, &owner)
	};
	struct tally *tally = tally_new(&custody, metrics);
	double longest = 0, sum = 0;
	unsigned steps = 0;

	fill(&custody, names);
	for (; steps < STEPS_MAX; steps++) {
		double began = now_s(), took;

		tally_step(tally);
		took = now_s() - began;
		sum += took;
		longest = took > longest ? took : longest;
	}
	printf("%.2f ms a step of the tally with %d messages, the longest %.2f ms\n", sum * 1e3 / steps,
		MESSAGES, longest * 1e3);
	tally_free(&tally);
	ownership_free(&custody.ownership);
	redis_link_free(&link);
}

int main(void)
{
	struct metrics *metrics = metrics_new(NAMES);
	struct meter *meter = metrics_open(metrics);
	unsigned names[NAMES];

	for (unsigned i = 0; i < NAMES; i++) {
		char name[16];

		snprintf(name, sizeof(name), "route-%u", i);
		names[i] = metrics_name(metrics, METRIC_NAMES_ROUTE, name);
	}
	measure_adds(meter, names);
	measure_tally(metrics, meter, names);
	metrics_free(&metrics);
	return 0;
}
