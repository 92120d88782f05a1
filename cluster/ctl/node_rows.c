#include "node_rows.h"

#include "screen.h"

static const struct grid_column columns[] = {
	{ .title = "NAME" },
	{ .title = "STATE" },
	{ .title = "ROLE" },
	{ .title = "OWNS", .is_number = true },
	{ .title = "AWAITS", .is_number = true },
	{ .title = "VERSION" },
	{ .title = "POLICY" },
	{ .title = "SMTP" },
	{ .title = "ADMIN" },
	{ .title = "UUID" },
};

static enum tint tint_of(const struct registry_node *node)
{
	if (node->state == NODE_DEAD)
		return TINT_BAD;
	if (node->state != NODE_ALIVE)
		return TINT_FAINT;
	return node->drain ? TINT_WARN : TINT_GOOD;
}

/* The version it runs; with a newer one that it cannot run. */
static void add_policy(struct grid *grid, const struct registry_node *node)
{
	json_t *load = json_loadb(node->load.ptr ? node->load.ptr : "", node->load.len, 0, NULL);
	json_int_t running = json_integer_value(json_object_get(load, "policy"));
	json_int_t refused = json_integer_value(json_object_get(load, "policy_refused"));

	if (refused)
		grid_printf(grid, TINT_BAD, "%lld, not %lld", (long long)running, (long long)refused);
	else if (running)
		grid_printf(grid, TINT_NONE, "%lld", (long long)running);
	else
		grid_add(grid, SPAN_LIT("-"), TINT_FAINT);
	json_decref(load);
}

static void add_row(struct grid *grid, const struct roster *roster, const struct tally *tally,
	const struct registry_node *node)
{
	struct tally_node numbers = tally_of_node(tally, &node->node);

	grid_add(grid, node->name, TINT_NONE);
	grid_printf(
		grid, tint_of(node), "%s%s", roster_state_name(node->state), node->drain ? ", drain" : "");
	grid_printf(grid, TINT_NONE, "%s", roster_is_leader(roster, node) ? "leader" : "");
	grid_printf(grid, TINT_NONE, "%llu", (unsigned long long)numbers.owned);
	grid_printf(grid, TINT_NONE, "%llu", (unsigned long long)numbers.awaited);
	grid_add(grid, node->version, TINT_NONE);
	add_policy(grid, node);
	grid_add(grid, node->address, TINT_NONE);
	grid_add(grid, node->admin, TINT_NONE);
	grid_add(grid, node_uuid_span(&node->node), TINT_FAINT);
}

void node_rows_print(const struct roster *roster, const struct tally *tally, bool with_forgotten)
{
	struct grid grid;

	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < roster->count; i++)
		if (with_forgotten || roster->nodes[i].state != NODE_FORGOTTEN)
			add_row(&grid, roster, tally, &roster->nodes[i]);
	screen_print_grid(&grid);
}

/* As the node wrote it; text where it is no JSON. */
static json_t *load_json(struct span load)
{
	json_t *value = json_loadb(load.ptr ? load.ptr : "", load.len, 0, NULL);

	if (value)
		return value;
	return load.len ? json_of_span(load) : json_null();
}

static json_t *row_json(
	const struct roster *roster, const struct tally *tally, const struct registry_node *node)
{
	struct tally_node numbers = tally_of_node(tally, &node->node);
	json_t *row = json_pack("{s:o, s:o, s:s, s:b, s:b, s:o, s:o, s:o}", "name", json_of_span(node->name),
		"uuid", json_of_span(node_uuid_span(&node->node)), "state", roster_state_name(node->state),
		"leader", roster_is_leader(roster, node), "drain", node->drain, "epoch",
		json_of_u64(node->epoch), "owns", json_of_u64(numbers.owned), "awaits",
		json_of_u64(numbers.awaited));

	json_object_set_new(row, "version", json_of_span(node->version));
	json_object_set_new(row, "smtp", json_of_span(node->address));
	json_object_set_new(row, "admin", json_of_span(node->admin));
	json_object_set_new(row, "load", load_json(node->load));
	return row;
}

json_t *node_rows_json(const struct roster *roster, const struct tally *tally, bool with_forgotten)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < roster->count; i++)
		if (with_forgotten || roster->nodes[i].state != NODE_FORGOTTEN)
			json_array_append_new(rows, row_json(roster, tally, &roster->nodes[i]));
	return rows;
}
