/* skeinctl hops, hops down, hops up */
#include "call.h"
#include "hop_rows.h"
#include "human.h"
#include "operator.h"
#include "roster.h"
#include "screen.h"

#include "skein/cluster/hop_store.h"
#include "skein/cluster/slot_store.h"

#include <stdio.h>

enum { PAUSE_MS = 600000, HOST_MAX = 255, PORT_MAX = 65535 };

/* ---- list ---- */

struct listing {
	const struct roster *roster;
	struct hop_rows hops;
	struct grid slots;
	json_t *json_routes;
	enum ctl_exit exit;
};

/* "<uuid>.<worker>": the node by name where the registry knows it. */
static void split_holder(
	const struct listing *listing, struct span holder, struct span *node_out, struct span *worker_out)
{
	size_t dot = span_find(holder, '.');
	struct node_uuid uuid;

	*node_out = span_take(holder, dot);
	*worker_out = dot < holder.len ? span_drop(holder, dot + 1) : SPAN_LIT("?");
	/* The UUID would not outlive this call. */
	if (node_uuid_parse(*node_out, &uuid) && roster_name(listing->roster, &uuid).ptr != uuid.text)
		*node_out = roster_name(listing->roster, &uuid);
}

static void add_holder(struct listing *listing, const struct slot_row *row, uint64_t used, json_t *holders)
{
	struct span node, worker;

	split_holder(listing, row->holder, &node, &worker);
	json_array_append_new(
		holders, json_pack("{s:o, s:o, s:o, s:o, s:o}", "node", json_of_span(node), "worker",
				 json_of_span(worker), "has", json_of_u64(row->count), "wants",
				 json_of_u64(row->wants), "waits_ms", json_of_u64(row->waits_ms)));
	grid_add(&listing->slots, row->route, TINT_NONE);
	grid_printf(&listing->slots, TINT_NONE, "%llu of %llu", (unsigned long long)used,
		(unsigned long long)row->most);
	grid_printf(&listing->slots, TINT_NONE, "%.*s, worker %.*s", SPAN_ARGS(node), SPAN_ARGS(worker));
	grid_printf(&listing->slots, TINT_NONE, "%llu", (unsigned long long)row->count);
	grid_printf(&listing->slots, TINT_NONE, "%llu", (unsigned long long)row->wants);
	if (row->wants > row->count)
		grid_add_duration(&listing->slots, row->waits_ms);
	else
		grid_add(&listing->slots, SPAN_LIT(""), TINT_NONE);
}

/* The rows of one route; returns how many. */
static size_t add_route(struct listing *listing, const struct slot_row *rows, size_t count)
{
	json_t *holders = json_array();
	uint64_t used = 0;
	size_t end = 0;

	while (end < count && span_eq(rows[end].route, rows[0].route))
		used += rows[end++].count;
	for (size_t i = 0; i < end; i++)
		add_holder(listing, &rows[i], used, holders);
	json_array_append_new(listing->json_routes,
		json_pack("{s:o, s:o, s:o, s:o}", "route", json_of_span(rows[0].route), "most",
			json_of_u64(rows[0].most), "used", json_of_u64(used), "holders", holders));
	return end;
}

static void on_slots(void *arg, const struct outcome *outcome, const struct slot_row *rows, size_t count)
{
	struct listing *listing = arg;
	enum ctl_exit exit = session_check(outcome, "listing connections of routes");

	listing->exit = listing->exit ? listing->exit : exit;
	for (size_t i = 0; i < count;)
		i += add_route(listing, &rows[i], count - i);
}

static void print_tables(struct listing *listing)
{
	bool has_slots = grid_rows(&listing->slots) > 0;

	if (grid_rows(&listing->hops.grid))
		screen_print_grid(&listing->hops.grid);
	else
		puts("all next hops are up, as far as nodes know");
	if (!has_slots)
		return;
	putchar('\n');
	screen_print_grid(&listing->slots);
}

static void print(struct session *session, struct listing *listing)
{
	if (session->is_json)
		screen_print_json(
			json_pack("{s:O, s:O}", "hops", listing->hops.json, "routes", listing->json_routes));
	else
		print_tables(listing);
}

static enum ctl_exit list(struct session *session, void *arg)
{
	static const struct grid_column slots[] = { { "ROUTE", false }, { "USED", false },
		{ "HOLDER", false }, { "HAS", true }, { "WANTS", true }, { "WAITS", true } };
	struct roster roster = { .count = 0 };
	struct listing listing = { .roster = &roster, .json_routes = json_array() };
	enum ctl_exit exit = roster_load(&roster, session);

	(void)arg;
	grid_init(&listing.slots, slots, ARRAY_LEN(slots));
	if (!exit) {
		hop_rows_ask(&listing.hops, session);
		(void)slot_store_list(session->link, session_now_ms(), on_slots, &listing);
		exit = session_finish(session);
	}
	exit = exit ? exit : listing.hops.exit;
	exit = exit ? exit : listing.exit;
	if (!exit)
		print(session, &listing);
	json_decref(listing.json_routes);
	hop_rows_fini(&listing.hops);
	grid_fini(&listing.slots);
	roster_fini(&roster);
	return exit;
}

enum ctl_exit cmd_hops(struct ctl_options *options, const struct call *call)
{
	(void)call;
	return session_run(options, list, NULL);
}

/* ---- down, up ---- */

struct ordering {
	struct hop_report report;
	enum ctl_exit exit;
};

static void on_reported(void *arg, const struct outcome *outcome)
{
	((struct ordering *)arg)->exit = session_check(outcome, "telling of the hop");
}

static void tell(const struct hop_report *report, bool is_json)
{
	struct buf length = { 0 };

	human_duration(&length, report->pause_ms);
	if (is_json)
		screen_print_json(json_pack("{s:o, s:s, s:o}", "hop", json_of_span(report->label), "state",
			hop_state_names[report->state], "for_ms", json_of_u64(report->pause_ms)));
	else if (report->state == HOP_DOWN)
		screen_say("%.*s is down for %.*s; nodes know within two seconds", SPAN_ARGS(report->label),
			SPAN_ARGS(buf_span(&length)));
	else
		screen_say("%.*s is up; nodes know within two seconds", SPAN_ARGS(report->label));
	buf_fini(&length);
}

static enum ctl_exit give_order(struct session *session, void *arg)
{
	struct ordering *ordering = arg;
	enum ctl_exit exit;

	(void)hop_store_report(session->link, &ordering->report, session_now_ms(), on_reported, ordering);
	exit = session_finish(session);
	if (exit || ordering->exit)
		return exit ? exit : ordering->exit;
	tell(&ordering->report, session->is_json);
	return CTL_OK;
}

/* "[2001:db8::1]:25", "mx.example:25", "mx.example" for port 25; in lower case. */
static bool parse_hop(const char *text, struct buf *label, struct buf *why)
{
	const char *bracket = strchr(text, ']');
	const char *colon = strrchr(bracket ? bracket : text, ':');
	size_t host_len = colon ? (size_t)(colon - text) : strlen(text);
	uint64_t port = 25;
	bool is_good = host_len > 0 && host_len <= HOST_MAX && (text[0] == '[') == (bracket != NULL) &&
		       (bracket ? bracket + 1 == text + host_len : !memchr(text, ':', host_len)) &&
		       (!colon || (span_parse_u64(span_of_str(colon + 1), PORT_MAX, &port) && port > 0));

	for (size_t i = 0; i < host_len; i++) {
		char byte = ascii_lower(text[i]);

		is_good = is_good && byte > ' ' && byte <= '~';
		buf_append(label, span_of(&byte, 1));
	}
	buf_printf(label, ":%u", (unsigned)port);
	if (!is_good)
		buf_printf(
			why, "\"%s\" is no next hop: HOST:PORT, [ADDRESS]:PORT, or HOST for port 25", text);
	return is_good;
}

static enum ctl_exit order(struct ctl_options *options, const char *hop, struct ordering *ordering)
{
	char by[OPERATOR_MAX + 1];
	struct buf label = { 0 }, why = { 0 };
	enum ctl_exit exit;

	if (parse_hop(hop, &label, &why)) {
		operator_name(by);
		ordering->report.label = buf_span(&label);
		ordering->report.by = span_of_str(by);
		ordering->report.is_forced = true;
		exit = session_run(options, give_order, ordering);
	} else {
		exit = session_usage(&why);
	}
	buf_fini(&label);
	return exit;
}

static bool check_order(const struct hop_report *report, struct buf *why)
{
	if (report->why.len <= HOP_WHY_MAX && span_find(report->why, '\n') == report->why.len)
		return true;
	buf_printf(why, "-m is one line of up to %d bytes", HOP_WHY_MAX);
	return false;
}

enum ctl_exit cmd_hops_down(struct ctl_options *options, const struct call *call)
{
	const char *message = call_text(call, "message");
	struct ordering ordering = { .report = { .state = HOP_DOWN,
					     .pause_ms = call_number(call, "for", PAUSE_MS),
					     .why = span_of_str(message ? message : "") } };
	struct buf why = { 0 };

	if (!check_order(&ordering.report, &why))
		return session_usage(&why);
	return order(options, call_word(call, 0), &ordering);
}

enum ctl_exit cmd_hops_up(struct ctl_options *options, const struct call *call)
{
	struct ordering ordering = { .report = { .state = HOP_UP } };

	return order(options, call_word(call, 0), &ordering);
}
