#include "cmocka_all.h"

#include "generated_file.h"
#include "track/metric_table.h"
#include "track/metrics.h"

#include <pthread.h>
#include <stdio.h>

/* NUL-terminated text of a scrape; the caller ends `out`. */
static const char *scrape(struct metrics *metrics, struct buf *out)
{
	buf_clear(out);
	metrics_write(metrics, out);
	buf_append_byte(out, '\0');
	return buf_span(out).ptr;
}

static void every_row_is_named_described_and_bounded(void **state)
{
	(void)state;
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		const struct metric_row *row = metric_row(i);
		size_t len = row->name ? strlen(row->name) : 0;

		assert_true(len > 6 && strncmp(row->name, "skein_", 6) == 0);
		assert_int_equal(strspn(row->name, "abcdefghijklmnopqrstuvwxyz_"), len);
		/* https://prometheus.io/docs/practices/naming: counters, and only they, end in _total. */
		assert_int_equal(row->type == METRIC_COUNTER, strcmp(row->name + len - 6, "_total") == 0);
		assert_true(row->per_unit > 0);
		assert_non_null(row->help);
		assert_null(strpbrk(row->help, "\\\n|"));
		assert_int_equal(row->type == METRIC_HISTOGRAM, row->bucket_count > 0);
		for (unsigned at = 1; at < row->bucket_count; at++)
			assert_true(row->buckets[at - 1] < row->buckets[at]);
		for (unsigned at = 0; row->label && at < row->label->count; at++)
			assert_non_null(row->label->values[at]);
		/* A histogram's other label is `le`. */
		assert_false(row->type == METRIC_HISTOGRAM && (row->label || row->names));
		/* Sums of those are not to be had of several nodes. */
		assert_false(row->is_largest && row->type != METRIC_GAUGE);
		for (unsigned k = 0; k < i; k++)
			assert_string_not_equal(row->name, metric_row(k)->name);
	}
}

static void a_scrape_adds_up_the_meters(void **state)
{
	struct metrics *metrics = metrics_new(10);
	struct meter *a = metrics_open(metrics), *b = metrics_open(metrics);
	struct buf out = { 0 };
	const char *text;

	(void)state;
	meter_add(a, METRIC_MESSAGES_ACCEPTED, 3);
	meter_add(b, METRIC_MESSAGES_ACCEPTED, 4);
	meter_add_at(b, METRIC_CONNECTIONS_REFUSED, REFUSED_TLS, 1);
	/* A connection that ends on another thread than it began on. */
	meter_add(a, METRIC_CONNECTIONS_OPEN, 5);
	meter_add(b, METRIC_CONNECTIONS_OPEN, -2);
	meter_set(a, METRIC_LEASE_REMAINING, 4250);
	meter_set(a, METRIC_LEASE_REMAINING, -500);
	meter_set_at(a, METRIC_QUEUE, QUEUE_KEPT, 9);
	meter_add(NULL, METRIC_MESSAGES_ACCEPTED, 1);
	text = scrape(metrics, &out);
	assert_non_null(strstr(
		text, "# TYPE skein_messages_accepted_total counter\nskein_messages_accepted_total 7\n"));
	assert_non_null(strstr(text, "\nskein_connections_refused_total{reason=\"tls\"} 1\n"));
	assert_non_null(strstr(text, "\nskein_connections_refused_total{reason=\"not_ready\"} 0\n"));
	assert_non_null(strstr(text, "\nskein_connections_open 3\n"));
	assert_non_null(strstr(text, "\nskein_lease_remaining_seconds -0.5\n"));
	assert_non_null(strstr(text, "\nskein_queue_messages{state=\"kept\"} 9\n"));
	assert_non_null(strstr(text, "\nskein_build_info{version=\"" SKEIN_VERSION "\"} 1\n"));
	assert_int_equal(metrics_sum(metrics, METRIC_CONNECTIONS_OPEN, 0), 3);
	assert_int_equal(metrics_sum(metrics, METRIC_QUEUE, QUEUE_KEPT), 9);
	buf_fini(&out);
	metrics_free(&metrics);
	assert_null(metrics);
}

static void a_histogram_is_cumulative_with_its_bounds_included(void **state)
{
	struct metrics *metrics = metrics_new(10);
	struct meter *meter = metrics_open(metrics);
	struct buf out = { 0 };
	const char *text;

	(void)state;
	meter_observe(meter, METRIC_CUSTODY_TIME, 100);
	meter_observe(meter, METRIC_CUSTODY_TIME, 101);
	meter_observe(meter, METRIC_CUSTODY_TIME, 10000000);
	meter_observe(meter, METRIC_CUSTODY_TIME, 10000001);
	meter_observe(NULL, METRIC_CUSTODY_TIME, 1);
	text = scrape(metrics, &out);
	assert_non_null(strstr(text, "# TYPE skein_custody_seconds histogram\n"
				     "skein_custody_seconds_bucket{le=\"0.0001\"} 1\n"
				     "skein_custody_seconds_bucket{le=\"0.00025\"} 2\n"));
	assert_non_null(strstr(text, "skein_custody_seconds_bucket{le=\"10\"} 3\n"
				     "skein_custody_seconds_bucket{le=\"+Inf\"} 4\n"
				     "skein_custody_seconds_sum 20.000202\n"
				     "skein_custody_seconds_count 4\n"));
	assert_int_equal(metrics_sum(metrics, METRIC_CUSTODY_TIME, 0), 4);
	buf_fini(&out);
	metrics_free(&metrics);
}

static void a_name_has_one_number_for_good(void **state)
{
	struct metrics *metrics = metrics_new(3);

	(void)state;
	assert_int_equal(metrics_name_count(metrics, METRIC_NAMES_ROUTE), 1);
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_ROUTE, "partner"), 1);
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_ROUTE, "internet"), 2);
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_ROUTE, "partner"), 1);
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_LIMIT, "internet"), 1);
	/* Nobody's own. */
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_ROUTE, "other"), METRIC_NAME_OTHER);
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_ROUTE, "third"), 3);
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_ROUTE, "fourth"), METRIC_NAME_OTHER);
	assert_int_equal(metrics_name(metrics, METRIC_NAMES_ROUTE, "third"), 3);
	assert_int_equal(metrics_name_count(metrics, METRIC_NAMES_ROUTE), 4);
	metrics_free(&metrics);
}

static void what_has_a_name_is_counted_by_it(void **state)
{
	struct metrics *metrics = metrics_new(1);
	struct meter *a = metrics_open(metrics), *b = metrics_open(metrics);
	unsigned one = metrics_name(metrics, METRIC_NAMES_ROUTE, "one");
	unsigned two = metrics_name(metrics, METRIC_NAMES_ROUTE, "two");
	struct buf out = { 0 };
	const char *text;

	(void)state;
	meter_add_named(a, METRIC_ROUTE_MESSAGES, one, ROUTE_RESULT_DELIVERED, 3);
	meter_add_named(b, METRIC_ROUTE_MESSAGES, one, ROUTE_RESULT_DELIVERED, 4);
	meter_add_named(a, METRIC_ROUTE_MESSAGES, one, ROUTE_RESULT_EXPIRED, 1);
	meter_add_named(a, METRIC_ROUTE_MESSAGES, two, ROUTE_RESULT_FAILED, 5);
	meter_add_named(NULL, METRIC_ROUTE_MESSAGES, one, ROUTE_RESULT_DELIVERED, 1);
	meter_add_named(b, METRIC_ROUTE_FAILURES, one, 0, 2);
	/* The age of the oldest message that any thread knows. */
	meter_set_named(a, METRIC_ROUTE_QUEUE_AGE, one, 0, 1500);
	meter_set_named(b, METRIC_ROUTE_QUEUE_AGE, one, 0, 500);
	text = scrape(metrics, &out);
	assert_non_null(strstr(text, "# TYPE skein_route_messages_total counter\n"
				     "skein_route_messages_total{route=\"other\",result=\"delivered\"} 0\n"));
	assert_non_null(strstr(text, "\nskein_route_messages_total{route=\"other\",result=\"failed\"} 5\n"));
	assert_non_null(strstr(text, "\nskein_route_messages_total{route=\"one\",result=\"delivered\"} 7\n"));
	assert_non_null(strstr(text, "\nskein_route_messages_total{route=\"one\",result=\"expired\"} 1\n"));
	assert_null(strstr(text, "\"two\""));
	assert_non_null(strstr(text, "\nskein_route_hop_failures_total{route=\"one\"} 2\n"));
	assert_non_null(strstr(text, "\nskein_route_queue_oldest_seconds{route=\"one\"} 1.5\n"));
	assert_int_equal(metrics_sum_named(metrics, METRIC_ROUTE_MESSAGES, one, ROUTE_RESULT_DELIVERED), 7);
	/* The next metric is untouched. */
	assert_non_null(strstr(text, "\nskein_messages_signed_total 0\n"));
	buf_fini(&out);
	metrics_free(&metrics);
}

static void names_are_escaped(void **state)
{
	struct metrics *metrics = metrics_new(1);
	struct buf out = { 0 };

	(void)state;
	metrics_name(metrics, METRIC_NAMES_ROUTE, "a\\b\"c\nd");
	assert_non_null(strstr(
		scrape(metrics, &out), "\nskein_route_hop_failures_total{route=\"a\\\\b\\\"c\\nd\"} 0\n"));
	buf_fini(&out);
	metrics_free(&metrics);
}

enum { THREADS = 4, STEPS = 50000 };

static void *count_many(void *arg)
{
	struct meter *meter = metrics_open(arg);

	for (unsigned i = 0; i < STEPS; i++) {
		meter_add(meter, METRIC_CONNECTIONS, 1);
		meter_observe(meter, METRIC_LOOP_LAG, i);
		meter_add_named(meter, METRIC_ROUTE_FAILURES, 1, 0, 1);
	}
	return NULL;
}

static void nothing_is_lost_when_threads_count_while_others_scrape(void **state)
{
	struct metrics *metrics = metrics_new(10);
	struct buf out = { 0 };
	pthread_t threads[THREADS];

	(void)state;
	for (unsigned i = 0; i < THREADS; i++)
		pthread_create(&threads[i], NULL, count_many, metrics);
	for (unsigned i = 0; i < 20; i++) {
		char name[16];

		snprintf(name, sizeof(name), "route-%u", i);
		metrics_name(metrics, METRIC_NAMES_ROUTE, name);
		scrape(metrics, &out);
	}
	for (unsigned i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(metrics_sum(metrics, METRIC_CONNECTIONS, 0), THREADS * STEPS);
	assert_int_equal(metrics_sum(metrics, METRIC_LOOP_LAG, 0), THREADS * STEPS);
	assert_int_equal(metrics_sum_named(metrics, METRIC_ROUTE_FAILURES, 1, 0), THREADS * STEPS);
	buf_fini(&out);
	metrics_free(&metrics);
}

static void the_documentation_lists_what_the_code_exposes(void **state)
{
	struct buf docs = { 0 };

	(void)state;
	metrics_print_docs(&docs);
	assert_file_is_up_to_date("docs/metrics.md", buf_span(&docs));
	buf_fini(&docs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_named_described_and_bounded),
		cmocka_unit_test(a_scrape_adds_up_the_meters),
		cmocka_unit_test(a_histogram_is_cumulative_with_its_bounds_included),
		cmocka_unit_test(a_name_has_one_number_for_good),
		cmocka_unit_test(what_has_a_name_is_counted_by_it),
		cmocka_unit_test(names_are_escaped),
		cmocka_unit_test(nothing_is_lost_when_threads_count_while_others_scrape),
		cmocka_unit_test(the_documentation_lists_what_the_code_exposes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
