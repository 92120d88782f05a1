/* skeinctl backup */
#include "backup_file.h"
#include "call.h"
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
#include <stdlib.h>
#include <time.h>

struct backup {
	const char *path;
	json_t *policy, *secrets, *bans, *hops, *silences;
	uint64_t now_ms;
	uint64_t numbers[POLICY_VERSIONS_KEPT];
	size_t number_count;
	enum ctl_exit exit;
};

static uint64_t unix_now_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

/* --- the policy ----------------------------------------------------------------------------------- */

static void on_history(void *arg, const struct outcome *outcome, const struct policy_history *history)
{
	struct backup *backup = arg;

	backup->exit = session_check(outcome, "reading the versions of the policy");
	if (!outcome_is_ok(outcome))
		return;
	/* Newest first there, oldest first here. */
	for (size_t i = history->count; i-- && backup->number_count < POLICY_VERSIONS_KEPT;)
		backup->numbers[backup->number_count++] = history->notes[i].version.number;
}

static enum ctl_exit add_version(struct session *session, struct backup *backup, uint64_t number)
{
	struct policy_file file = { 0 };
	enum ctl_exit exit = policy_file_load(&file, session, number);

	if (!exit)
		json_array_append_new(
			backup->policy, json_pack("{s:o, s:o, s:o, s:o, s:o}", "number", json_of_u64(number),
						"at_ms", json_of_u64(file.version.at_ms), "author",
						json_of_span(buf_span(&file.author)), "comment",
						json_of_span(buf_span(&file.comment)), "text",
						json_of_span(buf_span(&file.text))));
	policy_file_fini(&file);
	return exit;
}

static enum ctl_exit add_policy(struct session *session, struct backup *backup)
{
	enum ctl_exit exit;

	(void)policy_history(session->link, session_now_ms(), on_history, backup);
	exit = session_finish(session);
	exit = exit ? exit : backup->exit;
	for (size_t i = 0; i < backup->number_count && !exit; i++)
		exit = add_version(session, backup, backup->numbers[i]);
	return exit;
}

/* --- the rest ------------------------------------------------------------------------------------- */

static enum ctl_exit add_secrets(struct session *session, struct backup *backup)
{
	struct secret_rows rows;
	enum ctl_exit exit = secret_rows_load(&rows, session, true);

	for (size_t i = 0; i < rows.count && !exit; i++) {
		const struct secret_row *row = &rows.rows[i];
		struct buf sealed = { 0 };

		base64_encode(&sealed, row->sealed);
		json_array_append_new(backup->secrets,
			json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", json_of_span(row->name), "author",
				json_of_span(row->note.author), "at_ms", json_of_u64(row->note.version.at_ms),
				"key", json_of_span(row->note.key_id), "sealed",
				json_of_span(buf_span(&sealed))));
		buf_fini(&sealed);
	}
	secret_rows_fini(&rows);
	return exit;
}

static void on_bans(void *arg, const struct outcome *outcome, const struct ban_changes *changes)
{
	struct backup *backup = arg;

	backup->exit = session_check(outcome, "listing bans");
	for (size_t i = 0; i < changes->count; i++) {
		const struct ban *ban = &changes->bans[i];
		char network[NETWORK_TEXT_LEN + 1];

		network_format(&ban->network, network);
		json_array_append_new(
			backup->bans, json_pack("{s:s, s:o, s:o, s:o}", "network", network, "until_ms",
					      json_of_u64(backup->now_ms + ban->left_ms), "by",
					      json_of_span(ban->by), "why", json_of_span(ban->why)));
	}
}

/* What nodes found out of hops they find out again. */
static void on_hops(void *arg, const struct outcome *outcome, const struct hop_changes *changes)
{
	struct backup *backup = arg;

	backup->exit = session_check(outcome, "listing hops");
	for (size_t i = 0; i < changes->count; i++) {
		const struct hop_row *row = &changes->rows[i];

		if (row->is_forced && row->left_ms)
			json_array_append_new(backup->hops,
				json_pack("{s:o, s:s, s:o, s:o, s:o}", "hop", json_of_span(row->label),
					"state", hop_state_names[row->state], "until_ms",
					json_of_u64(backup->now_ms + row->left_ms), "by",
					json_of_span(row->by), "why", json_of_span(row->why)));
	}
}

/* Takes a word and the blank behind it off the front. */
static struct span take_word(struct span *text)
{
	size_t end = span_find(*text, ' ');
	struct span word = span_take(*text, end);

	*text = span_drop(*text, end < text->len ? end + 1 : end);
	return word;
}

/* Their text: until made by why. */
static void on_alerts(void *arg, const struct outcome *outcome, const struct alert_store_list *list)
{
	struct backup *backup = arg;

	backup->exit = session_check(outcome, "listing silences");
	for (size_t i = 0; !backup->exit && i < list->silences.count; i++) {
		struct span rest = list->silences.items[i].text;
		uint64_t until_ms = 0;
		struct span by;

		if (!span_parse_u64(take_word(&rest), UINT64_MAX, &until_ms) || until_ms <= list->now_ms)
			continue;
		(void)take_word(&rest);
		by = take_word(&rest);
		json_array_append_new(backup->silences,
			json_pack("{s:o, s:o, s:o, s:o}", "alert", json_of_span(list->silences.items[i].name),
				"until_ms", json_of_u64(until_ms), "by", json_of_span(by), "why",
				json_of_span(rest)));
	}
}

static enum ctl_exit gather(struct session *session, struct backup *backup)
{
	enum ctl_exit exit = add_policy(session, backup);

	if (!exit)
		exit = add_secrets(session, backup);
	if (exit)
		return exit;
	(void)abuse_store_bans(session->link, 0, session_now_ms(), on_bans, backup);
	exit = session_finish(session);
	if (exit || backup->exit)
		return exit ? exit : backup->exit;
	(void)hop_store_board(session->link, 0, session_now_ms(), on_hops, backup);
	exit = session_finish(session);
	if (exit || backup->exit)
		return exit ? exit : backup->exit;
	(void)alert_store_list(session->link, session_now_ms(), on_alerts, backup);
	exit = session_finish(session);
	return exit ? exit : backup->exit;
}

static void tell(const struct session *session, const struct backup *backup)
{
	size_t counts[] = { json_array_size(backup->policy), json_array_size(backup->secrets),
		json_array_size(backup->bans), json_array_size(backup->hops),
		json_array_size(backup->silences) };

	if (session->is_json)
		screen_print_json(json_pack("{s:s, s:i, s:i, s:i, s:i, s:i}", "file", backup->path,
			"policy_versions", (int)counts[0], "secrets", (int)counts[1], "bans", (int)counts[2],
			"hops", (int)counts[3], "silences", (int)counts[4]));
	else
		printf("%s: %zu versions of the policy, %zu secrets, %zu bans, %zu hops, %zu silences\n",
			backup->path, counts[0], counts[1], counts[2], counts[3], counts[4]);
}

static enum ctl_exit save(struct session *session, void *arg)
{
	struct backup *backup = arg;
	enum ctl_exit exit = gather(session, backup);
	char by[OPERATOR_MAX + 1];
	struct buf why = { 0 };
	json_t *root;

	if (exit)
		return exit;
	operator_name(by);
	root = json_pack("{s:s, s:i, s:o, s:s, s:s, s:O, s:O, s:O, s:O, s:O}", "format", "skein-backup",
		"version", BACKUP_VERSION, "made_ms", json_of_u64(backup->now_ms), "made_by", by, "cluster",
		session->cluster_id, "policy", backup->policy, "secrets", backup->secrets, "bans",
		backup->bans, "hops", backup->hops, "silences", backup->silences);
	CHECK(root);
	if (backup_file_write(backup->path, root, &why)) {
		tell(session, backup);
	} else {
		session_complain("%.*s", SPAN_ARGS(buf_span(&why)));
		exit = CTL_NEGATIVE;
	}
	buf_fini(&why);
	json_decref(root);
	return exit;
}

enum ctl_exit cmd_backup(struct ctl_options *options, const struct call *call)
{
	struct backup backup = {
		.path = call_word(call, 0),
		.policy = json_array(),
		.secrets = json_array(),
		.bans = json_array(),
		.hops = json_array(),
		.silences = json_array(),
		.now_ms = unix_now_ms(),
	};
	enum ctl_exit exit = session_run(options, save, &backup);

	json_decref(backup.policy);
	json_decref(backup.secrets);
	json_decref(backup.bans);
	json_decref(backup.hops);
	json_decref(backup.silences);
	return exit;
}
