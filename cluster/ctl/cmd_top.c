/* skeinctl top: what the cluster does, live. */
#include "call.h"
#include "hop_rows.h"
#include "human.h"
#include "node_rates.h"
#include "overview.h"
#include "skein/proto/base/alloc.h"
#include "terminal.h"
#include "watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { EVERY_S = 2, MEMORY_HIGH_PERCENT = 80 };

enum order { ORDER_NAME, ORDER_IN, ORDER_OUT, ORDER_DEFERRED, ORDER_OWNS, ORDERS };

static const char *const order_names[ORDERS] = { [ORDER_NAME] = "name",
	[ORDER_IN] = "in",
	[ORDER_OUT] = "out",
	[ORDER_DEFERRED] = "deferred",
	[ORDER_OWNS] = "owns" };

struct top {
	enum order order;
	struct node_rates rates;

	/* Of one look. */
	struct session *session;
	struct roster roster;
	struct tally tally;
	struct hop_rows hops;
};

/* ---- nodes, in order ---- */

struct place {
	const struct registry_node *node;
	const struct node_rate *rate;
	double key; /* the highest first; equal ones by name */
};

static double key_of(const struct top *top, const struct place *place)
{
	switch (top->order) {
	case ORDER_IN:
		return place->rate->per_second[NODE_ACCEPTED];
	case ORDER_OUT:
		return place->rate->per_second[NODE_DELIVERED];
	case ORDER_DEFERRED:
		return place->rate->per_second[NODE_DEFERRED];
	case ORDER_OWNS:
		return (double)tally_of_node(&top->tally, &place->node->node).owned;
	default:
		return 0;
	}
}

static int by_key(const void *left, const void *right)
{
	const struct place *a = left, *b = right;

	if (a->key != b->key)
		return a->key < b->key ? 1 : -1;
	return a->node < b->node ? -1 : a->node > b->node; /* the roster is by name */
}

/* Forgotten ones are not among them. To be freed. */
static struct place *sort_nodes(const struct top *top, size_t *count_out)
{
	struct place *places = mem_zalloc((top->roster.count + 1) * sizeof(*places));
	size_t count = 0;

	for (size_t i = 0; i < top->roster.count; i++) {
		struct place *place = &places[count];

		if (top->roster.nodes[i].state == NODE_FORGOTTEN)
			continue;
		*place = (struct place){ .node = &top->roster.nodes[i], .rate = &top->rates.rows[i] };
		place->key = key_of(top, place);
		count++;
	}
	qsort(places, count, sizeof(*places), by_key);
	*count_out = count;
	return places;
}

static void add_rate(struct grid *grid, const struct node_rate *rate, enum node_count count, enum tint tint)
{
	if (rate->is_known)
		grid_printf(grid, rate->per_second[count] > 0 ? tint : TINT_NONE, "%.1f",
			rate->per_second[count]);
	else
		grid_add(grid, SPAN_LIT("-"), TINT_FAINT);
}

static void add_node(struct grid *grid, const struct top *top, const struct place *place)
{
	const struct registry_node *node = place->node;
	struct tally_node numbers = tally_of_node(&top->tally, &node->node);
	bool is_alive = node->state == NODE_ALIVE;

	grid_add(grid, node->name, TINT_NONE);
	grid_printf(grid,
		!is_alive     ? TINT_BAD
		: node->drain ? TINT_WARN
			      : TINT_GOOD,
		"%s%s%s", roster_state_name(node->state), node->drain ? ", drain" : "",
		roster_is_leader(&top->roster, node) ? ", leader" : "");
	add_rate(grid, place->rate, NODE_ACCEPTED, TINT_NONE);
	add_rate(grid, place->rate, NODE_DELIVERED, TINT_NONE);
	add_rate(grid, place->rate, NODE_DEFERRED, TINT_WARN);
	add_rate(grid, place->rate, NODE_FAILED, TINT_BAD);
	add_rate(grid, place->rate, NODE_REJECTED, TINT_WARN);
	grid_printf(grid, TINT_NONE, "%llu", (unsigned long long)(is_alive ? place->rate->sessions : 0));
	grid_printf(grid, TINT_NONE, "%llu", (unsigned long long)numbers.owned);
	grid_printf(grid, TINT_NONE, "%llu", (unsigned long long)numbers.awaited);
	grid_add(grid, node->version, TINT_FAINT);
}

static void print_nodes(const struct top *top)
{
	static const struct grid_column columns[] = { { "NAME", false }, { "STATE", false }, { "IN/S", true },
		{ "OUT/S", true }, { "DEFERRED/S", true }, { "FAILED/S", true }, { "REJECTED/S", true },
		{ "CLIENTS", true }, { "OWNS", true }, { "AWAITS", true }, { "VERSION", false } };
	struct grid grid;
	size_t count;
	struct place *places = sort_nodes(top, &count);

	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < count; i++)
		add_node(&grid, top, &places[i]);
	screen_print_grid(&grid);
	mem_free(places);
}

/* ---- the whole ---- */

/* Of all nodes; false: no node has told two counts yet. */
static bool sum_rates(const struct top *top, double sums[NODE_COUNTS])
{
	bool is_known = false;

	memset(sums, 0, NODE_COUNTS * sizeof(*sums));
	for (size_t i = 0; i < top->rates.count; i++) {
		if (!top->rates.rows[i].is_known || top->roster.nodes[i].state != NODE_ALIVE)
			continue;
		is_known = true;
		for (size_t k = 0; k < NODE_COUNTS; k++)
			sums[k] += top->rates.rows[i].per_second[k];
	}
	return is_known;
}

static void append_rates(struct buf *out, const struct top *top)
{
	double sums[NODE_COUNTS];

	if (sum_rates(top, sums))
		buf_printf(out,
			"%.1f in, %.1f out, %.1f deferred, %.1f failed, %.1f rejected, %.1f connections a "
			"second",
			sums[NODE_ACCEPTED], sums[NODE_DELIVERED], sums[NODE_DEFERRED], sums[NODE_FAILED],
			sums[NODE_REJECTED], sums[NODE_CONNECTIONS]);
	else
		buf_append_str(out, "known at the second look");
}

static bool is_memory_high(const struct redis_identity *redis)
{
	return redis->memory_max && redis->memory_used / MEMORY_HIGH_PERCENT > redis->memory_max / 100;
}

static void print_head(const struct top *top)
{
	const struct redis_identity *redis = redis_link_identity(top->session->link);
	bool has_leader = top->roster.leader.node.epoch != 0;
	bool has_nodes = roster_count(&top->roster, NODE_ALIVE) > 0;
	struct screen screen = screen_look();
	struct buf out = { 0 }, text = { 0 };

	overview_append_nodes(&text, &top->roster);
	if (has_leader)
		buf_printf(&text, "; %.*s leads",
			SPAN_ARGS(roster_name(&top->roster, &top->roster.leader.node.node)));
	else
		buf_append_str(&text, "; nobody leads");
	buf_printf(&text, "; by %s", order_names[top->order]);
	overview_append_line(
		&out, &screen, "Nodes", &text, !has_nodes || !has_leader ? TINT_WARN : TINT_NONE);
	append_rates(&text, top);
	overview_append_line(&out, &screen, "Mail", &text, TINT_NONE);
	overview_append_queue(&text, &top->tally);
	overview_append_line(
		&out, &screen, "Queue", &text, top->tally.states[QUEUE_QUARANTINED] ? TINT_WARN : TINT_NONE);
	overview_append_memory(&text, redis);
	buf_append_str(&text, ", ");
	human_count(&text, redis->replicas, "replica");
	overview_append_line(&out, &screen, "Redis", &text, is_memory_high(redis) ? TINT_BAD : TINT_NONE);
	buf_append_byte(&out, '\n');
	(void)screen_print(&out);
	buf_fini(&out);
	buf_fini(&text);
}

static void print_text(struct top *top)
{
	print_head(top);
	print_nodes(top);
	if (grid_rows(&top->hops.grid)) {
		putchar('\n');
		screen_print_grid(&top->hops.grid);
	}
}

static json_t *rates_json(const double per_second[NODE_COUNTS])
{
	json_t *rates = json_object();

	for (enum node_count i = 0; i < NODE_COUNTS; i++)
		json_object_set_new(rates, node_count_name(i), json_real(per_second[i]));
	return rates;
}

static json_t *node_json(const struct top *top, const struct place *place)
{
	struct tally_node numbers = tally_of_node(&top->tally, &place->node->node);

	return json_pack("{s:o, s:s, s:s, s:b, s:b, s:o, s:o, s:o, s:o}", "name",
		json_of_span(place->node->name), "uuid", place->node->node.text, "state",
		roster_state_name(place->node->state), "leader", roster_is_leader(&top->roster, place->node),
		"drain", place->node->drain, "sessions", json_of_u64(place->rate->sessions), "owns",
		json_of_u64(numbers.owned), "awaits", json_of_u64(numbers.awaited), "per_second",
		place->rate->is_known ? rates_json(place->rate->per_second) : json_null());
}

static void print_json(const struct top *top)
{
	double sums[NODE_COUNTS];
	bool is_known = sum_rates(top, sums);
	json_t *nodes = json_array();
	size_t count;
	struct place *places = sort_nodes(top, &count);

	for (size_t i = 0; i < count; i++)
		json_array_append_new(nodes, node_json(top, &places[i]));
	screen_print_json(json_pack("{s:o, s:o, s:o, s:o, s:o, s:O}", "leader",
		overview_leader_json(&top->roster), "nodes", nodes, "per_second",
		is_known ? rates_json(sums) : json_null(), "queue", overview_queue_json(&top->tally), "redis",
		overview_redis_json(top->session), "hops", top->hops.json));
	mem_free(places);
}

/* ---- looks ---- */

static enum ctl_exit gather(struct top *top)
{
	enum ctl_exit exit = roster_load(&top->roster, top->session);

	if (!exit)
		exit = tally_load(&top->tally, top->session);
	if (exit)
		return exit;
	node_rates_look(&top->rates, &top->roster);
	hop_rows_ask(&top->hops, top->session);
	exit = session_finish(top->session);
	return exit ? exit : top->hops.exit;
}

static void look_fini(struct top *top)
{
	roster_fini(&top->roster);
	hop_rows_fini(&top->hops);
	top->hops = (struct hop_rows){ .json = NULL };
}

static enum ctl_exit look_and_print(struct session *session, void *arg)
{
	struct top *top = arg;
	enum ctl_exit exit;

	top->session = session;
	exit = gather(top);
	if (!exit && session->is_json)
		print_json(top);
	else if (!exit)
		print_text(top);
	look_fini(top);
	return exit;
}

/* A rate needs two looks, and nodes tell of themselves each second. */
static enum ctl_exit look_twice(struct session *session, void *arg)
{
	struct timespec pause = { .tv_sec = EVERY_S };
	struct top *top = arg;
	enum ctl_exit exit;

	top->session = session;
	exit = gather(top);
	look_fini(top);
	if (exit)
		return exit;
	nanosleep(&pause, NULL);
	exit = session_refresh(session);
	return exit ? exit : look_and_print(session, top);
}

static void on_key(void *arg, int key)
{
	struct top *top = arg;

	if (key == 's' || key == 'S')
		top->order = (top->order + 1) % ORDERS;
}

static enum ctl_exit run_live(struct ctl_options *options, const struct call *call, struct top *top)
{
	struct watch watch = { .every_ms = call_number(call, "every", EVERY_S) * 1000,
		.title = "skeinctl top",
		.keys = "s sorts",
		.on_key = on_key };
	struct buf why = { 0 };

	if (!options_finish(options, &why))
		return session_usage(&why);
	return watch_run(options, &watch, look_and_print, top);
}

enum ctl_exit cmd_top(struct ctl_options *options, const struct call *call)
{
	const char *order = call_text(call, "sort");
	struct top top = { .order = ORDER_NAME };
	bool is_live = !call_has(call, "once") && !options->is_json && terminal_is_there();
	enum ctl_exit exit;

	for (enum order i = 0; order && i < ORDERS; i++)
		if (strcmp(order, order_names[i]) == 0)
			top.order = i;
	exit = is_live ? run_live(options, call, &top) : session_run(options, look_twice, &top);
	node_rates_fini(&top.rates);
	return exit;
}
