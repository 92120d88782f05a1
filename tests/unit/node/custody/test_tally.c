/* How many messages wait, by route and by age. */
#include "cmocka_all.h"

#include "custody/tally.h"
#include "io/wall_clock.h"
#include "lone_link.h"

enum { ROUTE = 1, NEXT_ROUTE = 2, MANY = 10000 };

struct lab {
	struct metrics *metrics;
	struct redis_link *link;
	struct custody custody;
	struct outbound outbound;
	struct tally *tally;
	uint64_t serial;
};

static void on_released(void *ctx, struct holding *holding)
{
	struct message *message = message_of_holding(holding);

	(void)ctx;
	message_unref(&message);
}

static int setup(void **state)
{
	static struct lab lab;
	const struct ownership_options options = {
		.shards = 16, .workers = 1, .claim_batch = 10, .claim_interval_ms = 1000, .seed = { 1, 2 }
	};
	const struct ownership_owner owner = { .on_released = on_released };

	lab = (struct lab){ .metrics = metrics_new(10), .link = lone_link_new() };
	lab.outbound.routings = 1;
	lab.custody.outbound = &lab.outbound;
	lab.custody.meter = metrics_open(lab.metrics);
	lab.custody.ownership = ownership_new(&options, lab.link, &owner);
	metrics_name(lab.metrics, METRIC_NAMES_ROUTE, "first");
	metrics_name(lab.metrics, METRIC_NAMES_ROUTE, "next");
	lab.tally = tally_new(&lab.custody, lab.metrics);
	*state = &lab;
	return 0;
}

static int teardown(void **state)
{
	struct lab *lab = *state;

	tally_free(&lab->tally);
	ownership_free(&lab->custody.ownership);
	redis_link_free(&lab->link);
	metrics_free(&lab->metrics);
	return 0;
}

/* One that has been routed already. */
static struct message *put(struct lab *lab, unsigned route, uint64_t age_ms, bool is_holder)
{
	const struct msg_id id = msg_id_make(wall_clock_ms() - age_ms, 0, ++lab->serial);
	struct message *message = message_new(&id);

	message->route = (uint16_t)route;
	message->routing = lab->outbound.routings;
	ownership_add(lab->custody.ownership, &message->holding, HOLDING_LOCAL, is_holder);
	return message;
}

static int64_t waiting(struct lab *lab, unsigned route, enum queue_age_class age)
{
	return metrics_sum_named(lab->metrics, METRIC_ROUTE_QUEUE, route, age);
}

static int64_t oldest_s(struct lab *lab, unsigned route)
{
	return metrics_sum_named(lab->metrics, METRIC_ROUTE_QUEUE_AGE, route, 0) / 1000;
}

static void messages_are_told_by_route_and_age(void **state)
{
	struct lab *lab = *state;
	static const uint64_t minutes[] = { 0, 5, 30, 120, 600, 3000 };

	for (unsigned i = 0; i < ARRAY_LEN(minutes); i++)
		for (unsigned k = 0; k <= i; k++)
			put(lab, ROUTE, minutes[i] * 60000, true);
	put(lab, NEXT_ROUTE, 120000, true);
	tally_step(lab->tally);
	for (unsigned age = 0; age < QUEUE_AGE_CLASSES; age++)
		assert_int_equal(waiting(lab, ROUTE, age), age + 1);
	assert_int_equal(waiting(lab, NEXT_ROUTE, QUEUE_AGE_10M), 1);
	assert_in_range(oldest_s(lab, ROUTE), 3000 * 60, 3000 * 60 + 3600);
	assert_in_range(oldest_s(lab, NEXT_ROUTE), 120, 120 + 3600);
	assert_int_equal(waiting(lab, METRIC_NAME_OTHER, QUEUE_AGE_1M), 0);
}

static void what_another_journal_has_is_counted_there(void **state)
{
	struct lab *lab = *state;

	put(lab, ROUTE, 0, false);
	put(lab, ROUTE, 0, true);
	tally_step(lab->tally);
	assert_int_equal(waiting(lab, ROUTE, QUEUE_AGE_1M), 1);
}

static void what_has_ended_is_no_longer_told(void **state)
{
	struct lab *lab = *state;
	struct message *message = put(lab, ROUTE, 120000, true);

	tally_step(lab->tally);
	assert_int_equal(waiting(lab, ROUTE, QUEUE_AGE_10M), 1);
	ownership_end_local(lab->custody.ownership, &message->holding);
	tally_step(lab->tally);
	assert_int_equal(waiting(lab, ROUTE, QUEUE_AGE_10M), 0);
	assert_int_equal(oldest_s(lab, ROUTE), 0);
}

static void a_long_queue_is_walked_in_steps(void **state)
{
	struct lab *lab = *state;
	unsigned steps = 1;

	for (unsigned i = 0; i < MANY; i++)
		put(lab, i % 5 ? ROUTE : NEXT_ROUTE, 0, true);
	tally_step(lab->tally);
	assert_int_equal(waiting(lab, ROUTE, QUEUE_AGE_1M), 0);
	for (; !waiting(lab, ROUTE, QUEUE_AGE_1M) && steps < 20; steps++)
		tally_step(lab->tally);
	assert_int_equal(steps, 6);
	assert_int_equal(waiting(lab, ROUTE, QUEUE_AGE_1M), MANY / 5 * 4);
	assert_int_equal(waiting(lab, NEXT_ROUTE, QUEUE_AGE_1M), MANY / 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(messages_are_told_by_route_and_age, setup, teardown),
		cmocka_unit_test_setup_teardown(what_another_journal_has_is_counted_there, setup, teardown),
		cmocka_unit_test_setup_teardown(what_has_ended_is_no_longer_told, setup, teardown),
		cmocka_unit_test_setup_teardown(a_long_queue_is_walked_in_steps, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
