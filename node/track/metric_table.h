/*
 * metric_table: what each metric is called, means and counts in. The only place to add one, beside its name
 * in metrics.h; exposition and docs/metrics.md are printed from it.
 */
#ifndef NODE_TRACK_METRIC_TABLE_H
#define NODE_TRACK_METRIC_TABLE_H

#include "track/metrics.h"

enum metric_type { METRIC_COUNTER, METRIC_GAUGE, METRIC_HISTOGRAM };

struct metric_label {
	const char *name;
	const char *const *values;
	unsigned count;
};

struct metric_row {
	const char *name;
	enum metric_type type;
	unsigned per_unit; /* how many of the unit that is counted in make one of the unit that is shown */
	const struct metric_label *label; /* NULL: none */
	enum metric_names names;          /* a label more, with names of the policy or the settings */
	bool is_largest;                  /* of all meters the largest counts, not their sum */
	const uint64_t *buckets;          /* upper bounds, growing, in the unit that is counted in */
	unsigned bucket_count;
	const char *help;
};

const struct metric_row *metric_row(enum metric metric);

#endif
