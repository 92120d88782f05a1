/* skeinctl ban add, ban list, ban remove */
#include "call.h"
#include "human.h"
#include "operator.h"
#include "screen.h"

#include "skein/cluster/abuse_store.h"

#include <stdio.h>

enum { HOUR_MS = 3600000, V4_WIDEST = NETWORK_V4 + 8, V6_WIDEST = 16 };

static bool parse_network(const char *text, struct network *network, struct buf *why)
{
	if (!network_parse(span_of_str(text), network)) {
		buf_printf(why,
			"\"%s\" is no address or network: 192.0.2.1, 192.0.2.0/24 or 2001:db8::/32, and no "
			"bits set beyond the prefix",
			text);
		return false;
	}
	return true;
}

struct ordering {
	struct ban_order order;
	const char *text; /* of the network */
	enum ctl_exit exit;
};

static void on_banned(void *arg, const struct outcome *outcome)
{
	((struct ordering *)arg)->exit = session_check(outcome, "banning");
}

static enum ctl_exit add(struct session *session, void *arg)
{
	struct ordering *ordering = arg;
	struct buf length = { 0 };
	enum ctl_exit exit;

	(void)abuse_store_ban(session->link, &ordering->order, session_now_ms(), on_banned, ordering);
	exit = session_finish(session);
	if (exit || ordering->exit)
		return exit ? exit : ordering->exit;
	human_duration(&length, ordering->order.ms);
	if (session->is_json)
		screen_print_json(json_pack(
			"{s:s, s:o}", "network", ordering->text, "for_ms", json_of_u64(ordering->order.ms)));
	else
		printf("%s is banned for %.*s; nodes know within a second\n", ordering->text,
			SPAN_ARGS(buf_span(&length)));
	buf_fini(&length);
	return CTL_OK;
}

static bool check_order(const char *network, struct ban_order *order, struct buf *complaint)
{
	if (!parse_network(network, &order->network, complaint))
		return false;
	if (order->network.prefix < (network_is_v4(&order->network) ? V4_WIDEST : V6_WIDEST)) {
		buf_printf(complaint, "%s is too much: at most a /8 of IPv4, a /16 of IPv6", network);
		return false;
	}
	if (order->why.len > BAN_WHY_MAX || span_find(order->why, '\n') != order->why.len) {
		buf_printf(complaint, "-m is one line of up to %d bytes", BAN_WHY_MAX);
		return false;
	}
	return true;
}

enum ctl_exit cmd_ban_add(struct ctl_options *options, const struct call *call)
{
	const char *message = call_text(call, "message");
	char by[OPERATOR_MAX + 1], text[NETWORK_TEXT_LEN + 1];
	struct ordering ordering = { .text = text,
		.order = { .ms = call_number(call, "for", HOUR_MS),
			.why = span_of_str(message ? message : "") } };
	struct buf why = { 0 };

	if (!check_order(call_word(call, 0), &ordering.order, &why))
		return session_usage(&why);
	network_format(&ordering.order.network, text);
	operator_name(by);
	ordering.order.by = span_of_str(by);
	return session_run(options, add, &ordering);
}

/* ---- list ---- */

struct listing {
	bool is_json;
	enum ctl_exit exit;
};

static json_t *json_of_ban(const struct ban *ban, const char *network)
{
	bool is_automatic = span_eq(ban->by, SPAN_LIT("-"));

	return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o}", "network", network, "left_ms",
		json_of_u64(ban->left_ms), "made_ago_ms", json_of_u64(ban->made_ago_ms), "bans",
		json_of_u64(ban->bans), "by", is_automatic ? json_null() : json_of_span(ban->by), "why",
		json_of_span(ban->why));
}

static void on_bans(void *arg, const struct outcome *outcome, const struct ban_changes *changes)
{
	static const struct grid_column columns[] = { { "NETWORK", false }, { "LEFT", true }, { "AGE", true },
		{ "TIMES", true }, { "BY", false }, { "WHY", false } };
	struct listing *listing = arg;
	json_t *all = json_array();
	struct grid grid;

	listing->exit = session_check(outcome, "listing bans");
	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < changes->count; i++) {
		const struct ban *ban = &changes->bans[i];
		char network[NETWORK_TEXT_LEN + 1];

		network_format(&ban->network, network);
		json_array_append_new(all, json_of_ban(ban, network));
		grid_add(&grid, span_of_str(network), TINT_NONE);
		grid_add_duration(&grid, ban->left_ms);
		grid_add_duration(&grid, ban->made_ago_ms);
		grid_printf(&grid, TINT_NONE, "%llu", (unsigned long long)ban->bans);
		grid_add(&grid, span_eq(ban->by, SPAN_LIT("-")) ? SPAN_LIT("the cluster") : ban->by,
			TINT_NONE);
		grid_add(&grid, ban->why, TINT_NONE);
	}
	if (!listing->exit && listing->is_json)
		screen_print_json(json_incref(all));
	else if (!listing->exit && changes->count)
		screen_print_grid(&grid);
	else if (!listing->exit)
		puts("nobody is banned");
	json_decref(all);
	grid_fini(&grid);
}

static enum ctl_exit list(struct session *session, void *arg)
{
	struct listing *listing = arg;
	enum ctl_exit exit;

	listing->is_json = session->is_json;
	(void)abuse_store_bans(session->link, 0, session_now_ms(), on_bans, listing);
	exit = session_finish(session);
	return exit ? exit : listing->exit;
}

enum ctl_exit cmd_ban_list(struct ctl_options *options, const struct call *call)
{
	struct listing listing = { .exit = CTL_OK };

	(void)call;
	return session_run(options, list, &listing);
}

/* ---- remove ---- */

static void on_unbanned(void *arg, const struct outcome *outcome)
{
	struct ordering *ordering = arg;

	ordering->exit = session_check(outcome, "removing the ban");
	if (outcome->kind == OUTCOME_NOT) {
		session_complain("%s is not banned by itself: see ban list for a network that covers it",
			ordering->text);
		ordering->exit = CTL_NEGATIVE;
	}
}

static enum ctl_exit take_off(struct session *session, void *arg)
{
	struct ordering *ordering = arg;
	enum ctl_exit exit;

	(void)abuse_store_unban(
		session->link, &ordering->order.network, session_now_ms(), on_unbanned, ordering);
	exit = session_finish(session);
	if (exit || ordering->exit)
		return exit ? exit : ordering->exit;
	if (session->is_json)
		screen_print_json(json_pack("{s:s}", "network", ordering->text));
	else
		printf("%s is not banned any more; nodes know within a second\n", ordering->text);
	return CTL_OK;
}

enum ctl_exit cmd_ban_remove(struct ctl_options *options, const struct call *call)
{
	char text[NETWORK_TEXT_LEN + 1];
	struct ordering ordering = { .text = text };
	struct buf why = { 0 };

	if (!parse_network(call_word(call, 0), &ordering.order.network, &why))
		return session_usage(&why);
	network_format(&ordering.order.network, text);
	return session_run(options, take_off, &ordering);
}
