/* skeinctl alerts list, alerts silence */
#include "call.h"
#include "command.h"
#include "human.h"
#include "operator.h"
#include "policy_file.h"
#include "screen.h"

#include "skein/cluster/alert_store.h"
#include "skein/cluster/policy.h"

#include <stdio.h>

enum { HOUR_MS = 3600000 };

/* --- list --------------------------------------------------------------------------------------- */

struct silenced {
	uint64_t until_ms;
	struct span by, why;
};

struct listing {
	bool is_json, has_all;
	struct alert_policy alerts;
	const struct alert_store_list *list; /* during the callback */
	struct grid grid;
	json_t *rows, *silences;
	size_t firing[ALERT_COUNT];
	enum ctl_exit exit;
};

static struct span next_word(struct span *rest)
{
	size_t end = span_find(*rest, ' ');
	struct span word = span_take(*rest, end);

	*rest = span_drop(*rest, end < rest->len ? end + 1 : end);
	return word;
}

/* "until made by why". False: it is over. */
static bool read_silence(
	const struct alert_store_list *list, const struct alert_note *note, struct silenced *out)
{
	struct span rest = note->text;

	if (!span_parse_u64(next_word(&rest), UINT64_MAX, &out->until_ms))
		return false;
	(void)next_word(&rest);
	out->by = next_word(&rest);
	out->why = rest;
	return out->until_ms > list->now_ms;
}

static bool is_silenced(const struct alert_store_list *list, const struct alert_kind *kind, struct span key)
{
	struct silenced silence;

	for (size_t i = 0; i < list->silences.count; i++) {
		struct span what = list->silences.items[i].name;

		if ((span_eq(what, key) || span_eq(what, span_of_str(kind->name))) &&
			read_silence(list, &list->silences.items[i], &silence))
			return true;
	}
	return false;
}

static uint64_t ago(const struct alert_store_list *list, uint64_t at_ms)
{
	return list->now_ms > at_ms ? list->now_ms - at_ms : 0;
}

struct row {
	const struct alert_kind *kind;
	const struct alert_rule *rule;
	const char *state;
	bool is_silent, has_value;
	struct span subject, text;
	uint64_t value, since_ms;
};

static enum tint tint_of(const struct row *row)
{
	if (strcmp(row->state, "firing") != 0)
		return strcmp(row->state, "pending") == 0 ? TINT_WARN : TINT_FAINT;
	return row->is_silent ? TINT_FAINT : row->rule->severity == ALERT_CRITICAL ? TINT_BAD : TINT_WARN;
}

static void add_row(struct listing *listing, const struct row *row)
{
	const struct alert_store_list *list = listing->list;
	struct buf value = { 0 }, bound = { 0 }, age = { 0 };

	if (row->has_value) {
		alert_append_value(row->kind->unit, row->value, &value);
		human_duration(&age, ago(list, row->since_ms));
	}
	alert_append_value(row->kind->unit, row->rule->bound, &bound);
	grid_add(&listing->grid, span_of_str(row->kind->name), TINT_NONE);
	grid_add(&listing->grid, row->subject, TINT_NONE);
	grid_printf(&listing->grid, tint_of(row), "%s%s", row->state, row->is_silent ? ", silent" : "");
	grid_add(&listing->grid, span_of_str(alert_severity_name(row->rule->severity)), TINT_NONE);
	grid_add(&listing->grid, buf_span(&age), TINT_NONE);
	grid_add(&listing->grid, buf_span(&value), TINT_NONE);
	grid_add(&listing->grid, buf_span(&bound), TINT_NONE);
	grid_add(&listing->grid, row->text, TINT_NONE);
	json_array_append_new(listing->rows,
		json_pack("{s:s, s:o, s:s, s:b, s:s, s:o, s:o, s:o, s:o, s:s, s:s}", "alert", row->kind->name,
			"subject", json_of_span(row->subject), "state", row->state, "silenced",
			row->is_silent, "severity", alert_severity_name(row->rule->severity), "since_ms",
			row->has_value ? json_of_u64(row->since_ms) : json_null(), "value",
			row->has_value ? json_of_u64(row->value) : json_null(), "bound",
			json_of_u64(row->rule->bound), "text", json_of_span(row->text), "what",
			row->kind->what, "cure", row->kind->cure));
	buf_fini(&value);
	buf_fini(&bound);
	buf_fini(&age);
}

static void add_firing(struct listing *listing, const struct alert_note *note)
{
	size_t blank = span_find(note->name, ' ');
	struct row row = { .has_value = true };
	struct alert_state state;
	enum alert alert;

	if (blank == note->name.len || !alert_find(span_take(note->name, blank), &alert) ||
		!alert_state_read(note->text, &state, &row.text))
		return;
	row.kind = alert_kind(alert);
	row.rule = &listing->alerts.rules[alert];
	row.state = alert_phase_name(state.phase);
	row.subject = span_drop(note->name, blank + 1);
	row.is_silent = is_silenced(listing->list, row.kind, note->name);
	row.value = state.value;
	row.since_ms = state.since_ms;
	listing->firing[alert]++;
	add_row(listing, &row);
}

static void add_quiet(struct listing *listing)
{
	for (enum alert it = 0; it < ALERT_COUNT && listing->has_all; it++) {
		const struct row row = {
			.kind = alert_kind(it),
			.rule = &listing->alerts.rules[it],
			.state = listing->alerts.rules[it].is_on ? "calm" : "off",
			.is_silent =
				is_silenced(listing->list, alert_kind(it), span_of_str(alert_kind(it)->name)),
			.text = span_of_str(alert_kind(it)->what),
			.subject = SPAN_LIT(""),
		};

		if (!listing->firing[it])
			add_row(listing, &row);
	}
}

static void print_silences(const struct listing *listing, struct buf *out)
{
	const struct alert_store_list *list = listing->list;
	struct silenced silence;

	for (size_t i = 0; i < list->silences.count; i++) {
		if (!read_silence(list, &list->silences.items[i], &silence))
			continue;
		buf_append_str(out, "silent: ");
		human_text(out, list->silences.items[i].name);
		buf_append_str(out, ", for ");
		human_duration(out, silence.until_ms - list->now_ms);
		buf_append_str(out, ", by ");
		human_text(out, silence.by);
		if (silence.why.len)
			buf_append_str(out, ": ");
		human_text(out, silence.why);
		buf_append_byte(out, '\n');
		json_array_append_new(listing->silences,
			json_pack("{s:o, s:o, s:o, s:o}", "what", json_of_span(list->silences.items[i].name),
				"left_ms", json_of_u64(silence.until_ms - list->now_ms), "by",
				json_of_span(silence.by), "why", json_of_span(silence.why)));
	}
}

static void print_foot(const struct listing *listing, struct buf *out)
{
	const struct alert_store_list *list = listing->list;

	print_silences(listing, out);
	if (!grid_rows(&listing->grid))
		buf_append_str(out, "nothing to tell\n");
	if (list->waiting) {
		human_count(out, list->waiting, "notice");
		buf_append_str(out, " not taken yet: see alert-put-off in the leader's log\n");
	}
	if (list->dropped) {
		human_count(out, list->dropped, "notice");
		buf_append_str(out, " dropped so far: nobody took them in a day\n");
	}
	if (list->at_ms) {
		buf_append_str(out, "looked at ");
		human_duration(out, ago(list, list->at_ms));
		buf_append_str(out, " ago by ");
		human_text(out, list->by);
		buf_append_byte(out, '\n');
	} else {
		buf_append_str(out, "no leader has looked yet\n");
	}
}

static void on_list(void *arg, const struct outcome *outcome, const struct alert_store_list *list)
{
	struct listing *listing = arg;
	struct buf foot = { 0 };

	listing->exit = session_check(outcome, "listing alerts");
	if (listing->exit)
		return;
	listing->list = list;
	for (size_t i = 0; i < list->firing.count; i++)
		add_firing(listing, &list->firing.items[i]);
	add_quiet(listing);
	print_foot(listing, &foot);
	if (listing->is_json) {
		screen_print_json(json_pack("{s:O, s:O, s:o, s:o, s:o, s:o}", "alerts", listing->rows,
			"silences", listing->silences, "waiting", json_of_u64(list->waiting), "dropped",
			json_of_u64(list->dropped), "at_ms", json_of_u64(list->at_ms), "by",
			json_of_span(list->by)));
	} else {
		if (grid_rows(&listing->grid))
			screen_print_grid(&listing->grid);
		(void)screen_print(&foot);
	}
	buf_fini(&foot);
}

/* The policy's bounds; where there is none, or it cannot be read, those of the table. */
static void load_bounds(struct listing *listing, struct session *session)
{
	struct policy_file file = { .version = 0 };
	struct report unheard = { 0 };
	struct policy *policy = NULL;

	alert_policy_preset(&listing->alerts);
	if (policy_file_load(&file, session, 0) == CTL_OK && buf_len(&file.text))
		policy = policy_parse(buf_span(&file.text), "policy", &unheard);
	if (policy)
		memcpy(listing->alerts.rules, policy_alerts(policy)->rules, sizeof(listing->alerts.rules));
	policy_free(&policy);
	policy_file_fini(&file);
	report_fini(&unheard);
}

static enum ctl_exit list(struct session *session, void *arg)
{
	static const struct grid_column columns[] = { { "ALERT", false }, { "SUBJECT", false },
		{ "STATE", false }, { "LEVEL", false }, { "FOR", true }, { "VALUE", true }, { "BOUND", true },
		{ "WHAT", false } };
	struct listing *listing = arg;
	enum ctl_exit exit;

	listing->is_json = session->is_json;
	memset(listing->firing, 0, sizeof(listing->firing)); /* with --watch it is not the first time */
	listing->rows = json_array();
	listing->silences = json_array();
	load_bounds(listing, session);
	grid_init(&listing->grid, columns, ARRAY_LEN(columns));
	(void)alert_store_list(session->link, session_now_ms(), on_list, listing);
	exit = session_finish(session);
	grid_fini(&listing->grid);
	json_decref(listing->rows);
	json_decref(listing->silences);
	return exit ? exit : listing->exit;
}

enum ctl_exit cmd_alerts_list(struct ctl_options *options, const struct call *call)
{
	struct listing listing = { .exit = CTL_OK, .has_all = call_has(call, "all") };

	return session_run(options, list, &listing);
}

/* --- silence ------------------------------------------------------------------------------------ */

struct order {
	struct alert_silence silence;
	enum ctl_exit exit;
};

static void on_silenced(void *arg, const struct outcome *outcome)
{
	struct order *order = arg;

	order->exit = session_check(outcome, "silencing");
	if (outcome->kind == OUTCOME_NOT)
		session_complain("%.*s is not silent: see alerts list", SPAN_ARGS(order->silence.what));
	if (outcome->kind == OUTCOME_HELD)
		session_complain("too many are silent: end one, see alerts list");
	if (outcome->kind == OUTCOME_NOT || outcome->kind == OUTCOME_HELD)
		order->exit = CTL_NEGATIVE;
}

static enum ctl_exit silence(struct session *session, void *arg)
{
	struct order *order = arg;
	enum ctl_exit exit;
	struct buf length = { 0 };

	(void)alert_store_silence(session->link, &order->silence, session_now_ms(), on_silenced, order);
	exit = session_finish(session);
	if (exit || order->exit)
		return exit ? exit : order->exit;
	human_duration(&length, order->silence.for_ms);
	if (session->is_json)
		screen_print_json(json_pack("{s:o, s:o}", "what", json_of_span(order->silence.what), "for_ms",
			json_of_u64(order->silence.for_ms)));
	else if (order->silence.for_ms)
		printf("%.*s is silent for %.*s; of what was told its end is told all the same\n",
			SPAN_ARGS(order->silence.what), SPAN_ARGS(buf_span(&length)));
	else
		printf("%.*s is not silent any more; what fires is told now\n",
			SPAN_ARGS(order->silence.what));
	buf_fini(&length);
	return CTL_OK;
}

/* An alert, or one and its subject: "node-lost", "node-lost relay-3". */
static bool check_what(struct span what, struct buf *why)
{
	enum alert alert;

	if (what.len > ALERT_SUBJECT_MAX || !alert_find(span_take(what, span_find(what, ' ')), &alert)) {
		buf_printf(why, "\"%.*s\" is no alert, nor one with its subject: see alerts list --all",
			SPAN_ARGS(what));
		return false;
	}
	return true;
}

static bool check_order(const struct call *call, struct alert_silence *order, struct buf *why)
{
	bool is_end = call_has(call, "end");

	if (!check_what(order->what, why))
		return false;
	order->for_ms = is_end ? 0 : call_number(call, "for", HOUR_MS);
	if (is_end && (call_has(call, "for") || order->why.len)) {
		buf_append_str(why, "--end goes without --for and -m");
		return false;
	}
	if (!is_end && !order->for_ms) {
		buf_append_str(why, "--for: no time at all; --end ends a silence");
		return false;
	}
	if (order->why.len > ALERT_WHY_MAX || span_find(order->why, '\n') != order->why.len) {
		buf_printf(why, "-m is one line of up to %d bytes", ALERT_WHY_MAX);
		return false;
	}
	return true;
}

enum ctl_exit cmd_alerts_silence(struct ctl_options *options, const struct call *call)
{
	const char *message = call_text(call, "message");
	char by[OPERATOR_MAX + 1];
	struct order order = { .exit = CTL_OK };
	struct buf why = { 0 };

	order.silence.what = span_of_str(call_word(call, 0));
	order.silence.why = span_of_str(message ? message : "");
	if (!check_order(call, &order.silence, &why))
		return session_usage(&why);
	operator_name(by);
	for (char *it = by; *it; it++)
		*it = *it == ' ' ? '-' : *it;
	order.silence.by = span_of_str(by);
	return session_run(options, silence, &order);
}
