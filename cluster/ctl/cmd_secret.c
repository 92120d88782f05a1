/* skeinctl secret set, list, remove */
#include "call.h"
#include "confirm.h"
#include "human.h"
#include "key_file.h"
#include "screen.h"
#include "secret_input.h"
#include "secret_rows.h"
#include "secret_write.h"

#include <stdio.h>
#include <time.h>

static uint64_t unix_now_ms(void)
{
	return (uint64_t)time(NULL) * 1000;
}

static enum ctl_exit need_name(const char *name, struct buf *why)
{
	if (secret_name_is_valid(span_of_str(name)))
		return CTL_OK;
	buf_printf(why,
		"\"%s\" is no name: up to %d letters, digits, '.', '-' and '_', a letter or digit first",
		name, SECRET_NAME_MAX);
	return session_usage(why);
}

/* ---- set ---- */

struct setting {
	const char *name, *file;
	struct secret_keys keys;
	struct buf text;
};

static void tell_set(const struct session *session, const struct setting *setting,
	const struct secret_row *old, const struct secret_written *written)
{
	struct secret_key_id key = secret_key_id_text(setting->keys.current.id);

	if (session->is_json)
		screen_print_json(json_pack("{s:s, s:o, s:o, s:s, s:b}", "name", setting->name, "version",
			json_of_u64(written->version.number), "set_ms", json_of_u64(written->version.at_ms),
			"key", key.text, "replaced", old != NULL));
	else if (old)
		screen_say(
			"%s is set, in place of what %.*s set", setting->name, SPAN_ARGS(old->note.author));
	else
		printf("%s is set\n", setting->name);
}

static enum ctl_exit set(struct session *session, void *arg)
{
	struct setting *setting = arg;
	struct secret_written written;
	struct secret_rows rows;
	enum ctl_exit exit = secret_rows_load(&rows, session, false);
	const struct secret_row *old = exit ? NULL : secret_rows_find(&rows, setting->name);

	if (!exit)
		exit = secret_rows_check_key(&rows, setting->name, &setting->keys);
	if (!exit)
		exit = secret_write(session, &setting->keys.current, span_of_str(setting->name),
			old ? old->note.version.number : 0, buf_span(&setting->text), &written);
	if (!exit)
		tell_set(session, setting, old, &written);
	secret_rows_fini(&rows);
	return exit;
}

static enum ctl_exit read_and_set(struct ctl_options *options, struct setting *setting, struct buf *why)
{
	static const struct secret_prompt prompt = { "secret", "Secret (is not shown): ", NULL,
		SECRET_TEXT_MAX };

	if (!options->key_file) {
		buf_append_str(why,
			"which key seals it? Say --key-file FILE, or --config FILE with cluster.key_file");
		return session_usage(why);
	}
	if (!key_file_read(options->key_file, &setting->keys, why) ||
		!secret_input_read(setting->file, &prompt, &setting->text, why))
		return session_usage(why);
	return session_run(options, set, setting);
}

enum ctl_exit cmd_secret_set(struct ctl_options *options, const struct call *call)
{
	struct setting setting = { .name = call_word(call, 0), .file = call_text(call, "file") };
	struct buf why = { 0 };
	enum ctl_exit exit = need_name(setting.name, &why);

	if (!exit)
		exit = read_and_set(options, &setting, &why);
	secret_text_wipe(&setting.text);
	secret_keys_wipe(&setting.keys);
	return exit;
}

/* ---- list ---- */

static void print_rows(const struct secret_rows *rows)
{
	static const struct grid_column columns[] = { { "NAME", false }, { "AGE", true }, { "KEY", false },
		{ "SET BY", false } };
	uint64_t now_ms = unix_now_ms();
	struct grid grid;

	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < rows->count; i++) {
		const struct secret_row *row = &rows->rows[i];
		uint64_t at_ms = row->note.version.at_ms;
		struct buf age = { 0 };

		human_duration(&age, now_ms > at_ms ? now_ms - at_ms : 0);
		grid_add(&grid, row->name, TINT_NONE);
		grid_add(&grid, buf_span(&age), TINT_NONE);
		grid_add(&grid, row->note.key_id, TINT_NONE);
		grid_add(&grid, row->note.author, TINT_NONE);
		buf_fini(&age);
	}
	screen_print_grid(&grid);
	grid_fini(&grid);
}

static json_t *rows_json(const struct secret_rows *rows)
{
	json_t *list = json_array();

	for (size_t i = 0; i < rows->count; i++) {
		const struct secret_row *row = &rows->rows[i];

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:o, s:o, s:o}", "name", json_of_span(row->name),
				      "version", json_of_u64(row->note.version.number), "set_ms",
				      json_of_u64(row->note.version.at_ms), "author",
				      json_of_span(row->note.author), "key", json_of_span(row->note.key_id)));
	}
	return list;
}

static enum ctl_exit list(struct session *session, void *arg)
{
	struct secret_rows rows;
	enum ctl_exit exit = secret_rows_load(&rows, session, false);

	(void)arg;
	if (!exit && session->is_json)
		screen_print_json(rows_json(&rows));
	else if (!exit)
		print_rows(&rows);
	secret_rows_fini(&rows);
	return exit;
}

enum ctl_exit cmd_secret_list(struct ctl_options *options, const struct call *call)
{
	(void)call;
	return session_run(options, list, NULL);
}

/* ---- remove ---- */

static enum ctl_exit remove_one(
	struct session *session, const struct secret_rows *rows, const char *name, json_t *done)
{
	const struct secret_row *row = secret_rows_find(rows, name);
	enum ctl_exit exit = CTL_NEGATIVE;

	if (row)
		exit = secret_erase(session, row->name, row->note.version.number);
	else
		session_complain("there is no secret %s", name);
	if (!exit && session->is_json)
		json_array_append_new(done, json_of_span(row->name));
	else if (!exit)
		printf("%s is removed\n", name);
	return exit;
}

static enum ctl_exit remove_all(struct session *session, void *arg)
{
	const struct call *call = arg;
	json_t *done = json_array();
	struct secret_rows rows;
	enum ctl_exit worst = secret_rows_load(&rows, session, false);
	bool is_loaded = !worst;

	for (size_t i = 0; is_loaded && i < call->word_count && worst <= CTL_NEGATIVE; i++) {
		enum ctl_exit exit = remove_one(session, &rows, call->words[i], done);

		worst = exit > worst ? exit : worst;
	}
	if (is_loaded && session->is_json)
		screen_print_json(json_pack("{s:o}", "removed", json_incref(done)));
	json_decref(done);
	secret_rows_fini(&rows);
	return worst;
}

enum ctl_exit cmd_secret_remove(struct ctl_options *options, const struct call *call)
{
	struct buf why = { 0 }, names = { 0 };
	enum ctl_exit exit;

	for (size_t i = 0; i < call->word_count; i++) {
		if (need_name(call->words[i], &why))
			return CTL_USAGE;
		buf_printf(&names, "%s%s", i ? ", " : "", call->words[i]);
	}
	exit = confirm_ask(options,
		"%.*s will be forgotten: nobody can bring a secret back, and mail that needs one waits.",
		SPAN_ARGS(buf_span(&names)));
	buf_fini(&names);
	return exit ? exit : session_run(options, remove_all, (void *)(uintptr_t)call);
}
