/* skeinctl dkim publish, activate, retire: a key from one state to the next. */
#include "call.h"
#include "confirm.h"
#include "dkim_rows.h"
#include "key_file.h"
#include "screen.h"

#include <stdio.h>

struct change {
	const char *domain;
	const char **selectors;
	size_t selector_count; /* 0: those for which the change is due */
	unsigned due;          /* set of 1 << enum dkim_state */
	const char *none;      /* what is told when there is none */
	bool is_sure;
	struct secret_keys keys;
	struct dkim_rows rows;
	json_t *done;
};

typedef enum ctl_exit change_fn(struct session *session, struct change *change, struct dkim_row *row);

static bool is_of(const struct dkim_row *row, const char *domain)
{
	return span_eq_nocase(row->name.domain, span_of_str(domain));
}

static struct dkim_row *find(struct change *change, const char *selector)
{
	for (size_t i = 0; i < change->rows.count; i++) {
		struct dkim_row *row = &change->rows.rows[i];

		if (is_of(row, change->domain) && span_eq_nocase(row->name.selector, span_of_str(selector)))
			return row;
	}
	session_complain("%s has no key %s: see skeinctl dkim list", change->domain, selector);
	return NULL;
}

static enum ctl_exit change_named(struct session *session, struct change *change, change_fn *fn)
{
	enum ctl_exit worst = CTL_OK;

	for (size_t i = 0; i < change->selector_count && worst <= CTL_NEGATIVE; i++) {
		struct dkim_row *row = find(change, change->selectors[i]);
		enum ctl_exit exit = row ? fn(session, change, row) : CTL_NEGATIVE;

		worst = exit > worst ? exit : worst;
	}
	return worst;
}

static enum ctl_exit change_due(struct session *session, struct change *change, change_fn *fn)
{
	enum ctl_exit worst = CTL_OK;
	size_t count = 0;

	for (size_t i = 0; i < change->rows.count && worst <= CTL_NEGATIVE; i++) {
		struct dkim_row *row = &change->rows.rows[i];
		enum ctl_exit exit;

		if (!is_of(row, change->domain) || !(change->due & 1u << row->state))
			continue;
		exit = fn(session, change, row);
		worst = exit > worst ? exit : worst;
		count++;
	}
	if (count)
		return worst;
	session_complain("%s has no key that is %s", change->domain, change->none);
	return CTL_NEGATIVE;
}

static enum ctl_exit change_all(struct session *session, struct change *change, change_fn *fn)
{
	enum ctl_exit exit = dkim_rows_load(&change->rows, session, &change->keys);
	bool is_loaded = !exit;

	change->done = json_array();
	if (is_loaded)
		exit = change->selector_count ? change_named(session, change, fn)
					      : change_due(session, change, fn);
	if (is_loaded && exit <= CTL_NEGATIVE && session->is_json)
		screen_print_json(json_incref(change->done));
	json_decref(change->done);
	dkim_rows_fini(&change->rows);
	return exit;
}

/* The domain, then selectors. */
static enum ctl_exit read_change(
	struct ctl_options *options, struct change *change, session_work_fn *work, const struct call *call)
{
	struct buf why = { 0 };
	enum ctl_exit exit;

	if (!options->key_file)
		buf_printf(&why,
			"%s opens the key: say --key-file FILE, or --config FILE with cluster.key_file",
			call->command->words);
	if (buf_len(&why) || !key_file_read(options->key_file, &change->keys, &why))
		return session_usage(&why);
	change->domain = call->words[0];
	change->selectors = call->words + 1;
	change->selector_count = call->word_count - 1;
	exit = session_run(options, work, change);
	secret_keys_wipe(&change->keys);
	return exit;
}

static enum ctl_exit enter(
	struct session *session, const struct change *change, struct dkim_row *row, enum dkim_state state)
{
	if (row->state == state)
		return CTL_OK;
	row->state = state;
	row->since_ms = dkim_now_ms();
	return dkim_row_write(session, &change->keys, row, row->secret->note.version.number);
}

static void tell(const struct session *session, struct change *change, const struct dkim_row *row)
{
	if (session->is_json)
		json_array_append_new(change->done,
			json_pack("{s:o, s:o, s:s}", "domain", json_of_span(row->name.domain), "selector",
				json_of_span(row->name.selector), "state", dkim_state_names[row->state]));
	else
		screen_say("%.*s is %s", SPAN_ARGS(row->secret->name), dkim_state_names[row->state]);
}

/* ---- publish ---- */

static void print_record(const struct dkim_row *row)
{
	struct buf out = { 0 }, record = { 0 };

	dkim_key_append_record(row->key, &record);
	buf_printf(&out, "; %s, %u bits, %s\n", dkim_row_algorithm(row), dkim_key_bits(row->key),
		dkim_state_names[row->state]);
	dkim_record_append_zone(&out, row->name.selector, row->name.domain, buf_span(&record));
	buf_printf(&out, "; where a form asks for host and value:\n;   %.*s._domainkey\n;   %.*s\n",
		SPAN_ARGS(row->name.selector), SPAN_ARGS(buf_span(&record)));
	(void)screen_print(&out);
	buf_fini(&record);
	buf_fini(&out);
}

static void add_record(struct change *change, const struct dkim_row *row)
{
	struct buf record = { 0 }, zone = { 0 }, host = { 0 };

	dkim_key_append_record(row->key, &record);
	dkim_record_append_zone(&zone, row->name.selector, row->name.domain, buf_span(&record));
	buf_printf(&host, "%.*s._domainkey", SPAN_ARGS(row->name.selector));
	json_array_append_new(change->done,
		json_pack("{s:o, s:o, s:s, s:o, s:o, s:o, s:o}", "domain", json_of_span(row->name.domain),
			"selector", json_of_span(row->name.selector), "state", dkim_state_names[row->state],
			"name", json_of_span(row->secret->name), "host", json_of_span(buf_span(&host)),
			"value", json_of_span(buf_span(&record)), "zone", json_of_span(buf_span(&zone))));
	buf_fini(&record);
	buf_fini(&zone);
	buf_fini(&host);
}

static enum ctl_exit publish_one(struct session *session, struct change *change, struct dkim_row *row)
{
	enum ctl_exit exit =
		row->state == DKIM_STATE_CREATED ? enter(session, change, row, DKIM_STATE_PUBLISHED) : CTL_OK;

	if (!exit && session->is_json)
		add_record(change, row);
	else if (!exit)
		print_record(row);
	return exit;
}

static enum ctl_exit publish(struct session *session, void *arg)
{
	return change_all(session, arg, publish_one);
}

enum ctl_exit cmd_dkim_publish(struct ctl_options *options, const struct call *call)
{
	struct change change = {
		.due = 1u << DKIM_STATE_CREATED | 1u << DKIM_STATE_PUBLISHED,
		.none = "created or published: skeinctl dkim create makes one; name the selector of another",
	};

	return read_change(options, &change, publish, call);
}

/* ---- activate ---- */

static enum ctl_exit ask_to_check(const struct dkim_row *row)
{
	struct buf record = { 0 };

	dkim_key_append_record(row->key, &record);
	session_complain("nothing is changed yet. First each name server of %.*s must have the record:\n"
			 "  dig +short TXT %.*s @NAME-SERVER\n"
			 "answers, its strings joined:\n"
			 "  %.*s\n"
			 "and the time that an older answer, or none, is remembered must be over. Then:\n"
			 "  skeinctl dkim activate %.*s %.*s --yes",
		SPAN_ARGS(row->name.domain), SPAN_ARGS(row->secret->name), SPAN_ARGS(buf_span(&record)),
		SPAN_ARGS(row->name.domain), SPAN_ARGS(row->name.selector));
	buf_fini(&record);
	return CTL_NEGATIVE;
}

static enum ctl_exit activate_one(struct session *session, struct change *change, struct dkim_row *row)
{
	enum ctl_exit exit;

	if (row->state == DKIM_STATE_CREATED) {
		session_complain("%.*s is not published yet: skeinctl dkim publish %.*s %.*s",
			SPAN_ARGS(row->secret->name), SPAN_ARGS(row->name.domain),
			SPAN_ARGS(row->name.selector));
		return CTL_NEGATIVE;
	}
	if (!change->is_sure && row->state != DKIM_STATE_ACTIVE)
		return ask_to_check(row);
	exit = enter(session, change, row, DKIM_STATE_ACTIVE);
	if (!exit)
		tell(session, change, row);
	return exit;
}

static enum ctl_exit activate(struct session *session, void *arg)
{
	return change_all(session, arg, activate_one);
}

enum ctl_exit cmd_dkim_activate(struct ctl_options *options, const struct call *call)
{
	struct change change = {
		.due = 1u << DKIM_STATE_PUBLISHED,
		.none = "published: skeinctl dkim publish DOMAIN; name the selector of another",
		.is_sure = call_has(call, "yes"),
	};

	return read_change(options, &change, activate, call);
}

/* ---- retire ---- */

static bool is_last_active(const struct change *change, const struct dkim_row *row)
{
	for (size_t i = 0; i < change->rows.count; i++) {
		const struct dkim_row *other = &change->rows.rows[i];

		if (other != row && is_of(other, change->domain) && other->state == DKIM_STATE_ACTIVE)
			return false;
	}
	return row->state == DKIM_STATE_ACTIVE;
}

static enum ctl_exit retire_one(struct session *session, struct change *change, struct dkim_row *row)
{
	enum ctl_exit exit;

	if (!change->is_sure && is_last_active(change, row)) {
		session_complain(
			"%.*s is the only active key of %.*s: what the policy has signed would wait. "
			"Activate another first, or say --last",
			SPAN_ARGS(row->secret->name), SPAN_ARGS(row->name.domain));
		return CTL_NEGATIVE;
	}
	exit = row->state == DKIM_STATE_RETIRED
		       ? CTL_OK
		       : confirm_ask(session->options, "%.*s is %s: nodes will sign with it no more.",
				 SPAN_ARGS(row->secret->name), dkim_state_names[row->state]);
	if (!exit)
		exit = enter(session, change, row, DKIM_STATE_RETIRED);
	if (!exit)
		tell(session, change, row);
	return exit;
}

static enum ctl_exit retire(struct session *session, void *arg)
{
	return change_all(session, arg, retire_one);
}

enum ctl_exit cmd_dkim_retire(struct ctl_options *options, const struct call *call)
{
	struct change change = { .due = 0, .is_sure = call_has(call, "last") };

	return read_change(options, &change, retire, call);
}
