#include "node_rates.h"

#include "skein/proto/base/alloc.h"

#include <jansson.h>

static const char *const names[NODE_COUNTS] = {
	[NODE_CONNECTIONS] = "connections",
	[NODE_ACCEPTED] = "accepted",
	[NODE_REJECTED] = "rejected",
	[NODE_DELIVERED] = "delivered",
	[NODE_DEFERRED] = "deferred",
	[NODE_FAILED] = "failed",
};

const char *node_count_name(enum node_count count)
{
	return names[count];
}

static uint64_t number_of(const json_t *load, const char *key)
{
	json_int_t number = json_integer_value(json_object_get(load, key));

	return number > 0 ? (uint64_t)number : 0;
}

static struct node_rate read_row(const struct registry_node *node)
{
	json_t *load = json_loadb(node->load.ptr ? node->load.ptr : "", node->load.len, 0, NULL);
	struct node_rate row = { .node = node->node, .epoch = node->epoch };

	row.at_ms = number_of(load, "at_ms");
	row.sessions = number_of(load, "sessions");
	for (size_t i = 0; i < NODE_COUNTS; i++)
		row.counts[i] = number_of(load, names[i]);
	json_decref(load);
	return row;
}

static const struct node_rate *find(const struct node_rates *rates, const struct node_rate *row)
{
	for (size_t i = 0; i < rates->count; i++)
		if (node_uuid_eq(&rates->rows[i].node, &row->node) && rates->rows[i].epoch == row->epoch)
			return &rates->rows[i];
	return NULL;
}

static void compare(struct node_rate *row, const struct node_rate *before)
{
	if (row->at_ms <= before->at_ms) {
		*row = *before;
		return;
	}
	if (!before->at_ms)
		return;
	row->is_known = true;
	for (size_t i = 0; i < NODE_COUNTS; i++) {
		uint64_t step = row->counts[i] > before->counts[i] ? row->counts[i] - before->counts[i] : 0;

		row->per_second[i] = (double)step * 1000 / (double)(row->at_ms - before->at_ms);
	}
}

void node_rates_look(struct node_rates *rates, const struct roster *roster)
{
	struct node_rates now = { mem_zalloc((roster->count + 1) * sizeof(*now.rows)), roster->count };

	for (size_t i = 0; i < roster->count; i++) {
		const struct node_rate *before;

		now.rows[i] = read_row(&roster->nodes[i]);
		before = find(rates, &now.rows[i]);
		if (before)
			compare(&now.rows[i], before);
	}
	node_rates_fini(rates);
	*rates = now;
}

void node_rates_fini(struct node_rates *rates)
{
	mem_free(rates->rows);
	*rates = (struct node_rates){ .rows = NULL };
}
