/*
 * skeinctl restore. All of the file is checked before anything changes. Then secrets go first, as the policy
 * names them; each change is made only where things still are as they were looked at. One that is stopped
 * halfway is run again.
 */
#include "backup_file.h"
#include "call.h"
#include "confirm.h"
#include "key_file.h"
#include "operator.h"
#include "policy_file.h"
#include "screen.h"
#include "secret_rows.h"
#include "skein/cluster/abuse_store.h"
#include "skein/cluster/alert_store.h"
#include "skein/cluster/hop_store.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

struct restore {
	const struct ctl_options *options;
	const char *path;
	bool is_dry;
	json_t *backup;
	json_t *changes; /* lines of text: what would change, or has */
	size_t same;
	uint64_t now_ms;
	struct policy_file current; /* what the cluster has now */
	struct secret_rows secrets;
	struct buf networks, hops, silences; /* that are banned, forced, silent now: one a line */
	struct arena arena;
	enum ctl_exit exit;
};

static struct span text_of(const json_t *row, const char *key)
{
	const json_t *value = json_object_get(row, key);

	return span_of(json_string_value(value), json_string_length(value));
}

static uint64_t number_of(const json_t *row, const char *key)
{
	return (uint64_t)json_integer_value(json_object_get(row, key));
}

static void note_change(struct restore *restore, const char *fmt, ...) PRINTF_LIKE(2, 3);

static void note_change(struct restore *restore, const char *fmt, ...)
{
	struct buf line = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&line, fmt, args);
	va_end(args);
	json_array_append_new(restore->changes, json_of_span(buf_span(&line)));
	buf_fini(&line);
}

/* --- the file, by itself -------------------------------------------------------------------------- */

static bool decode_sealed(struct restore *restore, const json_t *row, struct span *sealed_out)
{
	struct span text = text_of(row, "sealed");
	char *bytes = arena_alloc(&restore->arena, base64_decoded_len_max(text.len) + 1);
	size_t len = 0;

	if (!base64_decode(text, bytes, &len) || len > SECRET_SEALED_MAX)
		return false;
	*sealed_out = span_of(bytes, len);
	return true;
}

static enum ctl_exit check_secret(struct restore *restore, const json_t *row, const struct secret_keys *keys)
{
	struct span name = text_of(row, "name"), sealed;
	enum secret_opened opened = SECRET_BAD_FORMAT;
	struct buf text = { 0 };

	if (secret_name_is_valid(name) && decode_sealed(restore, row, &sealed))
		opened = secret_open(keys, secret_store_label(name), sealed, &text);
	secret_text_wipe(&text);
	if (opened == SECRET_OPENED)
		return CTL_OK;
	session_complain("%.*s of %s %s; nothing is changed", SPAN_ARGS(name), restore->path,
		secret_opened_text(opened));
	return CTL_NEGATIVE;
}

static enum ctl_exit check_secrets(struct restore *restore)
{
	const json_t *rows = json_object_get(restore->backup, "secrets");
	struct secret_keys keys;
	struct buf why = { 0 };
	enum ctl_exit exit = CTL_OK;

	if (!json_array_size(rows))
		return CTL_OK;
	if (!restore->options->key_file) {
		buf_append_str(&why,
			"there are secrets in the backup: say --key-file FILE, or --config FILE with "
			"cluster.key_file, so that it can be seen whether the nodes will read them");
		return session_usage(&why);
	}
	if (!key_file_read(restore->options->key_file, &keys, &why))
		return session_usage(&why);
	for (size_t i = 0; i < json_array_size(rows) && !exit; i++)
		exit = check_secret(restore, json_array_get(rows, i), &keys);
	secret_keys_wipe(&keys);
	return exit;
}

/* The version that held when the backup was made, or NULL. */
static const json_t *newest(const struct restore *restore)
{
	const json_t *versions = json_object_get(restore->backup, "policy");

	return json_array_get(versions, json_array_size(versions) - 1);
}

static enum ctl_exit check_policy(struct restore *restore)
{
	struct policy_file file = { 0 };
	struct policy *policy;

	if (!newest(restore))
		return CTL_OK;
	buf_append(&file.text, text_of(newest(restore), "text"));
	policy = policy_file_check(&file, restore->path);
	policy_file_fini(&file);
	if (!policy)
		return CTL_NEGATIVE;
	policy_free(&policy);
	return CTL_OK;
}

/* --- what is there now ---------------------------------------------------------------------------- */

static void on_bans(void *arg, const struct outcome *outcome, const struct ban_changes *changes)
{
	struct restore *restore = arg;

	restore->exit = session_check(outcome, "listing bans");
	for (size_t i = 0; i < changes->count; i++) {
		char network[NETWORK_TEXT_LEN + 1];

		network_format(&changes->bans[i].network, network);
		buf_printf(&restore->networks, "\n%s\n", network);
	}
}

static void on_hops(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	struct restore *restore = arg;

	restore->exit = session_check(outcome, "listing hops");
	for (size_t i = 0; i < changes->count; i++)
		if (changes->rows[i].is_forced)
			buf_printf(&restore->hops, "\n%.*s\n", SPAN_ARGS(changes->rows[i].label));
}

static void on_alerts(void *arg, const struct outcome *outcome, const struct alert_store_list *list)
{
	struct restore *restore = arg;

	restore->exit = session_check(outcome, "listing silences");
	for (size_t i = 0; !restore->exit && i < list->silences.count; i++)
		buf_printf(&restore->silences, "\n%.*s\n", SPAN_ARGS(list->silences.items[i].name));
}

static enum ctl_exit look(struct session *session, struct restore *restore)
{
	enum ctl_exit exit = policy_file_load(&restore->current, session, 0);

	if (!exit)
		exit = secret_rows_load(&restore->secrets, session, true);
	if (exit)
		return exit;
	(void)abuse_store_bans(session->link, 0, session_now_ms(), on_bans, restore);
	exit = session_finish(session);
	if (exit || restore->exit)
		return exit ? exit : restore->exit;
	(void)hop_store_board(session->link, 0, session_now_ms(), on_hops, restore);
	exit = session_finish(session);
	if (exit || restore->exit)
		return exit ? exit : restore->exit;
	(void)alert_store_list(session->link, session_now_ms(), on_alerts, restore);
	exit = session_finish(session);
	return exit ? exit : restore->exit;
}

static bool is_listed(const struct buf *lines, struct span name)
{
	struct buf wanted = { 0 };
	bool is_there;

	buf_printf(&wanted, "\n%.*s\n", SPAN_ARGS(name));
	buf_append_byte(&wanted, '\0');
	is_there = buf_len(lines) &&
		   memmem(lines->base, buf_len(lines), wanted.base, buf_len(&wanted) - 1) != NULL;
	buf_fini(&wanted);
	return is_there;
}

/* --- one change after the other: told, and made unless it is a dry run ----------------------------- */

struct change_end {
	const char *what;
	enum ctl_exit exit;
};

static void end_of(struct change_end *end, const struct outcome *outcome)
{
	end->exit = session_check(outcome, end->what);
	if (outcome->kind == OUTCOME_NOT) {
		session_complain("%s: somebody changed it meanwhile; run restore again", end->what);
		end->exit = CTL_NEGATIVE;
	} else if (outcome->kind == OUTCOME_UNREPLICATED) {
		session_complain("%s: done, and too few replicas have it yet", end->what);
	}
}

static void on_secret(void *arg, const struct outcome *outcome, const struct secret_note *note)
{
	(void)note;
	end_of(arg, outcome);
}

static enum ctl_exit restore_secret(struct session *session, struct restore *restore, const json_t *row)
{
	struct span name = text_of(row, "name"), sealed;
	const char *text = arena_strdup(&restore->arena, name);
	const struct secret_row *old = secret_rows_find(&restore->secrets, text);
	struct change_end end = { "setting a secret", CTL_OK };
	struct secret_put args;
	enum ctl_exit exit;

	CHECK(decode_sealed(restore, row, &sealed));
	if (old && span_eq(old->sealed, sealed)) {
		restore->same++;
		return CTL_OK;
	}
	if (old)
		note_change(
			restore, "secret %s: in place of what %.*s set", text, SPAN_ARGS(old->note.author));
	else
		note_change(restore, "secret %s: new", text);
	if (restore->is_dry)
		return CTL_OK;
	args = (struct secret_put){ .name = name,
		.expected = old ? old->note.version.number : 0,
		.author = text_of(row, "author"),
		.sealed = sealed };
	(void)secret_put(session->link, &args, session_now_ms(), on_secret, &end);
	exit = session_finish(session);
	return exit ? exit : end.exit;
}

static void on_policy(void *arg, const struct outcome *outcome, const struct policy_note *note)
{
	(void)note;
	end_of(arg, outcome);
}

/* Into a Redis without a policy: all versions, as they were. */
static enum ctl_exit restore_history(struct session *session, struct restore *restore)
{
	const json_t *versions = json_object_get(restore->backup, "policy");
	struct change_end end = { "writing a version of the policy", CTL_OK };
	enum ctl_exit exit = CTL_OK;

	note_change(restore, "policy: %zu versions, number %llu holds", json_array_size(versions),
		(unsigned long long)number_of(newest(restore), "number"));
	for (size_t i = 0; i < json_array_size(versions) && !exit && !end.exit && !restore->is_dry; i++) {
		const json_t *row = json_array_get(versions, i);
		const struct policy_note note = { .version = { number_of(row, "number"),
							  number_of(row, "at_ms") },
			.author = text_of(row, "author"),
			.comment = text_of(row, "comment") };

		(void)policy_restore(
			session->link, &note, text_of(row, "text"), session_now_ms(), on_policy, &end);
		exit = session_finish(session);
	}
	return exit ? exit : end.exit;
}

static enum ctl_exit restore_policy(struct session *session, struct restore *restore)
{
	const json_t *row = newest(restore);
	struct change_end end = { "making it the next version of the policy", CTL_OK };
	char author[OPERATOR_MAX + 1], comment[160], when[32];
	struct buf time_text = { 0 };
	struct policy_put args;
	enum ctl_exit exit;

	if (!row)
		return CTL_OK;
	if (!restore->current.version.number)
		return restore_history(session, restore);
	if (span_eq(buf_span(&restore->current.text), text_of(row, "text"))) {
		restore->same++;
		return CTL_OK;
	}
	policy_file_print_time(&time_text, number_of(row, "at_ms"));
	snprintf(when, sizeof(when), "%.*s", SPAN_ARGS(buf_span(&time_text)));
	buf_fini(&time_text);
	snprintf(comment, sizeof(comment), "restored: version %llu of %s",
		(unsigned long long)number_of(row, "number"), when);
	note_change(restore, "policy: the backup's version %llu of %s becomes version %llu",
		(unsigned long long)number_of(row, "number"), when,
		(unsigned long long)restore->current.version.number + 1);
	if (restore->is_dry)
		return CTL_OK;
	operator_name(author);
	args = (struct policy_put){ .expected = restore->current.version.number,
		.author = span_of_str(author),
		.comment = span_of_str(comment),
		.text = text_of(row, "text") };
	(void)policy_put(session->link, &args, session_now_ms(), on_policy, &end);
	exit = session_finish(session);
	return exit ? exit : end.exit;
}

static void on_plain(void *arg, const struct outcome *outcome)
{
	end_of(arg, outcome);
}

static enum ctl_exit restore_ban(struct session *session, struct restore *restore, const json_t *row)
{
	uint64_t until_ms = number_of(row, "until_ms");
	struct change_end end = { "banning", CTL_OK };
	struct ban_order order = { .by = text_of(row, "by"), .why = text_of(row, "why") };
	enum ctl_exit exit;

	if (until_ms <= restore->now_ms || !network_parse(text_of(row, "network"), &order.network))
		return CTL_OK;
	if (is_listed(&restore->networks, text_of(row, "network"))) {
		restore->same++;
		return CTL_OK;
	}
	note_change(restore, "ban %.*s: %.*s", SPAN_ARGS(text_of(row, "network")), SPAN_ARGS(order.why));
	if (restore->is_dry)
		return CTL_OK;
	order.ms = until_ms - restore->now_ms;
	(void)abuse_store_ban(session->link, &order, session_now_ms(), on_plain, &end);
	exit = session_finish(session);
	return exit ? exit : end.exit;
}

static bool hop_state_of(struct span name, enum hop_state *state_out)
{
	for (enum hop_state state = 0; state < HOP_STATES; state++) {
		*state_out = state;
		if (span_eq(name, span_of_str(hop_state_names[state])))
			return true;
	}
	return false;
}

static enum ctl_exit restore_hop(struct session *session, struct restore *restore, const json_t *row)
{
	uint64_t until_ms = number_of(row, "until_ms");
	struct change_end end = { "setting a next hop's state", CTL_OK };
	struct hop_report report = { .label = text_of(row, "hop"),
		.is_forced = true,
		.by = text_of(row, "by"),
		.why = text_of(row, "why") };
	enum ctl_exit exit;

	if (until_ms <= restore->now_ms || until_ms - restore->now_ms > HOP_PAUSE_MAX_MS ||
		!hop_state_of(text_of(row, "state"), &report.state))
		return CTL_OK;
	if (is_listed(&restore->hops, report.label)) {
		restore->same++;
		return CTL_OK;
	}
	note_change(restore, "next hop %.*s: %s", SPAN_ARGS(report.label), hop_state_names[report.state]);
	if (restore->is_dry)
		return CTL_OK;
	report.pause_ms = report.state == HOP_UP ? 0 : until_ms - restore->now_ms;
	(void)hop_store_report(session->link, &report, session_now_ms(), on_plain, &end);
	exit = session_finish(session);
	return exit ? exit : end.exit;
}

static enum ctl_exit restore_silence(struct session *session, struct restore *restore, const json_t *row)
{
	uint64_t until_ms = number_of(row, "until_ms");
	struct change_end end = { "silencing an alert", CTL_OK };
	struct alert_silence silence = {
		.what = text_of(row, "alert"), .by = text_of(row, "by"), .why = text_of(row, "why")
	};
	enum ctl_exit exit;

	if (until_ms <= restore->now_ms)
		return CTL_OK;
	if (is_listed(&restore->silences, silence.what)) {
		restore->same++;
		return CTL_OK;
	}
	note_change(restore, "alert %.*s: silent", SPAN_ARGS(silence.what));
	if (restore->is_dry)
		return CTL_OK;
	silence.for_ms = until_ms - restore->now_ms;
	(void)alert_store_silence(session->link, &silence, session_now_ms(), on_plain, &end);
	exit = session_finish(session);
	return exit ? exit : end.exit;
}

typedef enum ctl_exit row_fn(struct session *session, struct restore *restore, const json_t *row);

static enum ctl_exit each(struct session *session, struct restore *restore, const char *list, row_fn *fn)
{
	const json_t *rows = json_object_get(restore->backup, list);
	enum ctl_exit exit = CTL_OK;

	for (size_t i = 0; i < json_array_size(rows) && !exit; i++)
		exit = fn(session, restore, json_array_get(rows, i));
	return exit;
}

static enum ctl_exit go_through(struct session *session, struct restore *restore)
{
	enum ctl_exit exit = each(session, restore, "secrets", restore_secret);

	if (!exit)
		exit = restore_policy(session, restore);
	if (!exit)
		exit = each(session, restore, "bans", restore_ban);
	if (!exit)
		exit = each(session, restore, "hops", restore_hop);
	if (!exit)
		exit = each(session, restore, "silences", restore_silence);
	return exit;
}

/* --- the command ---------------------------------------------------------------------------------- */

static void print_changes(const struct session *session, const struct restore *restore)
{
	struct buf out = { 0 };

	if (session->is_json) {
		screen_print_json(json_pack("{s:b, s:O, s:i}", "dry_run", restore->is_dry, "changes",
			restore->changes, "same", (int)restore->same));
		return;
	}
	for (size_t i = 0; i < json_array_size(restore->changes); i++)
		buf_printf(&out, "%s\n", json_string_value(json_array_get(restore->changes, i)));
	buf_printf(&out, "%zu %s, %zu as they are\n", json_array_size(restore->changes),
		restore->is_dry ? "would change" : "changed", restore->same);
	(void)screen_print(&out);
	buf_fini(&out);
}

static enum ctl_exit work(struct session *session, void *arg)
{
	struct restore *restore = arg;
	enum ctl_exit exit = look(session, restore);

	if (!exit && !restore->is_dry) {
		const char *made_by = json_string_value(json_object_get(restore->backup, "made_by"));

		exit = confirm_ask(restore->options,
			"The policy and the secrets of this cluster become those of a backup by %s.",
			made_by ? made_by : "somebody");
	}
	if (exit)
		return exit;
	exit = go_through(session, restore);
	if (json_array_size(restore->changes) || !exit)
		print_changes(session, restore);
	return exit;
}

static enum ctl_exit check_file(struct restore *restore)
{
	struct buf why = { 0 };
	enum ctl_exit exit;

	restore->backup = backup_file_read(restore->path, &why);
	if (!restore->backup) {
		session_complain("%.*s", SPAN_ARGS(buf_span(&why)));
		buf_fini(&why);
		return CTL_NEGATIVE;
	}
	exit = check_secrets(restore);
	return exit ? exit : check_policy(restore);
}

enum ctl_exit cmd_restore(struct ctl_options *options, const struct call *call)
{
	struct restore restore = {
		.options = options,
		.path = call_word(call, 0),
		.is_dry = call_has(call, "dry-run"),
		.changes = json_array(),
		.now_ms = (uint64_t)time(NULL) * 1000,
	};
	enum ctl_exit exit = check_file(&restore);

	if (!exit)
		exit = session_run_anywhere(options, work, &restore);
	policy_file_fini(&restore.current);
	secret_rows_fini(&restore.secrets);
	buf_fini(&restore.networks);
	buf_fini(&restore.hops);
	buf_fini(&restore.silences);
	arena_fini(&restore.arena);
	json_decref(restore.backup);
	json_decref(restore.changes);
	return exit;
}
