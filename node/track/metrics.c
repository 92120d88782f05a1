#include "track/metrics.h"

#include "skein/proto/base/alloc.h"
#include "track/metric_table.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

/* One thread's numbers: a slot per counter, gauge, label value and bucket, on cache lines of its own. */
struct meter {
	struct meter *next;
	const unsigned *first_slot;
	_Alignas(64) _Atomic uint64_t slots[];
};

/* Only added to. Item 0 is METRIC_NAME_OTHER. */
struct names {
	char **items;
	atomic_uint count; /* of those that may be read */
};

struct metrics {
	_Atomic(struct meter *) meters;
	unsigned first_slot[METRIC_COUNT + 1];
	unsigned names_max;
	struct names names[METRIC_NAMES_KINDS];
	pthread_mutex_t naming;
};

static const char *const name_labels[] = {
	[METRIC_NAMES_ROUTE] = "route",
	[METRIC_NAMES_LIMIT] = "limit",
};

/* A histogram has its buckets, one for all that is larger, and the sum. */
static unsigned slots_of(const struct metric_row *row)
{
	return row->type == METRIC_HISTOGRAM ? row->bucket_count + 2 : row->label ? row->label->count : 1;
}

/* There is room for all names from the start, so that no meter ever moves. */
struct metrics *metrics_new(unsigned names_max)
{
	struct metrics *metrics = mem_zalloc(sizeof(*metrics));

	CHECK(names_max < UINT16_MAX);
	metrics->names_max = names_max;
	CHECK(pthread_mutex_init(&metrics->naming, NULL) == 0);
	for (unsigned kind = METRIC_NAMES_NONE + 1; kind < METRIC_NAMES_KINDS; kind++) {
		metrics->names[kind].items = mem_zalloc((names_max + 1) * sizeof(char *));
		metrics->names[kind].items[METRIC_NAME_OTHER] = mem_strdup("other");
		atomic_init(&metrics->names[kind].count, 1);
	}
	for (unsigned i = 0; i < METRIC_COUNT; i++) {
		const struct metric_row *row = metric_row(i);

		metrics->first_slot[i + 1] =
			metrics->first_slot[i] + slots_of(row) * (row->names ? names_max + 1 : 1);
	}
	return metrics;
}

static void free_names(struct names *names)
{
	for (unsigned i = 0; i < atomic_load(&names->count); i++)
		mem_free(names->items[i]);
	mem_free(names->items);
}

void metrics_free(struct metrics **metrics)
{
	struct meter *meter, *next;

	if (!*metrics)
		return;
	for (meter = atomic_load(&(*metrics)->meters); meter; meter = next) {
		next = meter->next;
		free(meter); /* of posix_memalign() */
	}
	for (unsigned kind = METRIC_NAMES_NONE + 1; kind < METRIC_NAMES_KINDS; kind++)
		free_names(&(*metrics)->names[kind]);
	pthread_mutex_destroy(&(*metrics)->naming);
	mem_free(*metrics);
	*metrics = NULL;
}

struct meter *metrics_open(struct metrics *metrics)
{
	size_t size = sizeof(struct meter) + metrics->first_slot[METRIC_COUNT] * sizeof(uint64_t);
	struct meter *meter;

	size = (size + 63) / 64 * 64;
	CHECK(posix_memalign((void **)&meter, _Alignof(struct meter), size) == 0);
	memset(meter, 0, size);
	meter->first_slot = metrics->first_slot;
	meter->next = atomic_load(&metrics->meters);
	while (!atomic_compare_exchange_weak(&metrics->meters, &meter->next, meter))
		;
	return meter;
}

static unsigned find_or_add(struct names *names, unsigned names_max, const char *name)
{
	unsigned count = atomic_load(&names->count);

	for (unsigned i = 0; i < count; i++)
		if (strcmp(names->items[i], name) == 0)
			return i;
	if (count > names_max)
		return METRIC_NAME_OTHER;
	names->items[count] = mem_strdup(name);
	atomic_store_explicit(&names->count, count + 1, memory_order_release);
	return count;
}

unsigned metrics_name(struct metrics *metrics, enum metric_names kind, const char *name)
{
	unsigned number;

	pthread_mutex_lock(&metrics->naming);
	number = find_or_add(&metrics->names[kind], metrics->names_max, name);
	pthread_mutex_unlock(&metrics->naming);
	return number;
}

unsigned metrics_name_count(struct metrics *metrics, enum metric_names kind)
{
	return atomic_load_explicit(&metrics->names[kind].count, memory_order_acquire);
}

static _Atomic uint64_t *slot_at(struct meter *meter, enum metric metric, unsigned at)
{
	unsigned slot = meter->first_slot[metric] + at;

	CHECK(slot < meter->first_slot[metric + 1]);
	return &meter->slots[slot];
}

void meter_add_at(struct meter *meter, enum metric metric, unsigned label, int64_t step)
{
	if (meter)
		atomic_fetch_add_explicit(
			slot_at(meter, metric, label), (uint64_t)step, memory_order_relaxed);
}

void meter_add(struct meter *meter, enum metric metric, int64_t step)
{
	meter_add_at(meter, metric, 0, step);
}

void meter_set_at(struct meter *meter, enum metric metric, unsigned label, int64_t value)
{
	if (meter)
		atomic_store_explicit(slot_at(meter, metric, label), (uint64_t)value, memory_order_relaxed);
}

void meter_set(struct meter *meter, enum metric metric, int64_t value)
{
	meter_set_at(meter, metric, 0, value);
}

static unsigned at_name(enum metric metric, unsigned name, unsigned label)
{
	const struct metric_row *row = metric_row(metric);

	CHECK(row->names && label < slots_of(row));
	return name * slots_of(row) + label;
}

void meter_add_named(struct meter *meter, enum metric metric, unsigned name, unsigned label, int64_t step)
{
	meter_add_at(meter, metric, at_name(metric, name, label), step);
}

void meter_set_named(struct meter *meter, enum metric metric, unsigned name, unsigned label, int64_t value)
{
	meter_set_at(meter, metric, at_name(metric, name, label), value);
}

void meter_observe(struct meter *meter, enum metric metric, uint64_t value)
{
	const struct metric_row *row = metric_row(metric);
	unsigned at = 0;

	CHECK(row->type == METRIC_HISTOGRAM);
	if (!meter)
		return;
	while (at < row->bucket_count && value > row->buckets[at])
		at++;
	atomic_fetch_add_explicit(slot_at(meter, metric, at), 1, memory_order_relaxed);
	atomic_fetch_add_explicit(slot_at(meter, metric, row->bucket_count + 1), value, memory_order_relaxed);
}

static uint64_t sum_slot(struct metrics *metrics, enum metric metric, unsigned at)
{
	bool is_largest = metric_row(metric)->is_largest;
	uint64_t sum = 0;

	for (struct meter *meter = atomic_load(&metrics->meters); meter; meter = meter->next) {
		uint64_t value = atomic_load_explicit(slot_at(meter, metric, at), memory_order_relaxed);

		if (!is_largest)
			sum += value;
		else if (value > sum)
			sum = value;
	}
	return sum;
}

int64_t metrics_sum(struct metrics *metrics, enum metric metric, unsigned label)
{
	const struct metric_row *row = metric_row(metric);
	uint64_t count = 0;

	if (row->type != METRIC_HISTOGRAM)
		return (int64_t)sum_slot(metrics, metric, label);
	for (unsigned at = 0; at <= row->bucket_count; at++)
		count += sum_slot(metrics, metric, at);
	return (int64_t)count;
}

int64_t metrics_sum_named(struct metrics *metrics, enum metric metric, unsigned name, unsigned label)
{
	return (int64_t)sum_slot(metrics, metric, at_name(metric, name, label));
}

static void put_value(struct buf *out, const struct metric_row *row, uint64_t value)
{
	if (row->per_unit == 1 && row->type == METRIC_COUNTER)
		buf_append_u64(out, value);
	else
		buf_printf(out, "%.15g", (double)(int64_t)value / row->per_unit);
	buf_append_byte(out, '\n');
}

/* The buckets of the format are cumulative, and the last one is the count by definition. */
static void write_histogram(struct metrics *metrics, enum metric metric, struct buf *out)
{
	const struct metric_row *row = metric_row(metric);
	uint64_t count = 0;

	for (unsigned at = 0; at <= row->bucket_count; at++) {
		count += sum_slot(metrics, metric, at);
		if (at < row->bucket_count)
			buf_printf(out, "%s_bucket{le=\"%.15g\"} ", row->name,
				(double)row->buckets[at] / row->per_unit);
		else
			buf_printf(out, "%s_bucket{le=\"+Inf\"} ", row->name);
		buf_append_u64(out, count);
		buf_append_byte(out, '\n');
	}
	buf_printf(out, "%s_sum ", row->name);
	put_value(out, row, sum_slot(metrics, metric, row->bucket_count + 1));
	buf_printf(out, "%s_count ", row->name);
	buf_append_u64(out, count);
	buf_append_byte(out, '\n');
}

/* What the format asks for: a backslash, a quote and a line's end are written as two characters. */
static void put_escaped(struct buf *out, const char *text)
{
	for (; *text; text++) {
		if (*text == '\\' || *text == '"' || *text == '\n')
			buf_append_byte(out, '\\');
		buf_append_byte(out, *text == '\n' ? 'n' : *text);
	}
}

static void write_values(struct metrics *metrics, enum metric metric, struct buf *out)
{
	const struct metric_row *row = metric_row(metric);

	for (unsigned at = 0; at < slots_of(row); at++) {
		buf_append_str(out, row->name);
		if (row->label)
			buf_printf(out, "{%s=\"%s\"}", row->label->name, row->label->values[at]);
		buf_append_byte(out, ' ');
		put_value(out, row, sum_slot(metrics, metric, at));
	}
}

static void write_named(struct metrics *metrics, enum metric metric, struct buf *out)
{
	const struct metric_row *row = metric_row(metric);
	unsigned count = metrics_name_count(metrics, row->names);

	for (unsigned at = 0; at < slots_of(row) * count; at++) {
		buf_printf(out, "%s{%s=\"", row->name, name_labels[row->names]);
		put_escaped(out, metrics->names[row->names].items[at / slots_of(row)]);
		if (row->label)
			buf_printf(
				out, "\",%s=\"%s", row->label->name, row->label->values[at % slots_of(row)]);
		buf_append_str(out, "\"} ");
		put_value(out, row, sum_slot(metrics, metric, at));
	}
}

static const char *const type_names[] = {
	[METRIC_COUNTER] = "counter",
	[METRIC_GAUGE] = "gauge",
	[METRIC_HISTOGRAM] = "histogram",
};

void metrics_write(struct metrics *metrics, struct buf *out)
{
	buf_append_str(out,
		"# HELP skein_build_info The version of this node.\n# TYPE skein_build_info gauge\n"
		"skein_build_info{version=\"" SKEIN_VERSION "\"} 1\n");
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_row *row = metric_row(metric);

		buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", row->name, row->help, row->name,
			type_names[row->type]);
		if (row->type == METRIC_HISTOGRAM)
			write_histogram(metrics, metric, out);
		else if (row->names)
			write_named(metrics, metric, out);
		else
			write_values(metrics, metric, out);
	}
}

void metrics_print_docs(struct buf *out)
{
	buf_append_str(out,
		"# Metrics\n\n"
		"`GET /metrics` on `admin.listen` answers in Prometheus' text format. Every name starts "
		"with `skein_`;\ntimes are seconds, sizes are bytes.\n\n"
		"The values of `route` and `limit` are names of the policy; `settings` is the route of a "
		"node's own\n`route.next_hops`. What once had a name keeps it until the node ends, whatever "
		"becomes of the policy, so\nthat counters never go back. `limits.metric_names` bounds how "
		"many there are of each; what comes later\ncounts as `other`.\n\n"
		"<!-- Printed from node/track/metric_table.c by tests/unit/node/track/test_metrics.c: "
		"run it with SKEIN_UPDATE_DOCS=1. -->\n\n"
		"| metric | type | label | meaning |\n|---|---|---|---|\n"
		"| `skein_build_info` | gauge | `version` | The version of this node. |\n"
		"| `skein_hop_certificate_days` | gauge | `host` | Days until the certificate of a next hop "
		"ends, where its route checks it; of hosts that were spoken to within a day, up to 200. |\n");
	for (enum metric metric = 0; metric < METRIC_COUNT; metric++) {
		const struct metric_row *row = metric_row(metric);

		buf_printf(out, "| `%s` | %s | ", row->name, type_names[row->type]);
		if (row->names)
			buf_printf(out, "`%s`%s", name_labels[row->names], row->label ? "; " : "");
		if (row->label)
			buf_printf(out, "`%s`:", row->label->name);
		for (unsigned at = 0; row->label && at < row->label->count; at++)
			buf_printf(out, "%s %s", at ? "," : "", row->label->values[at]);
		buf_printf(out, " | %s |\n", row->help);
	}
}
