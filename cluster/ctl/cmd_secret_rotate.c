/*
 * skeinctl secret rotate. One secret after the other is opened and sealed anew; each names its key, so one
 * that is stopped halfway is run again, and nodes that have both keys read all of them all the time.
 */
#include "call.h"
#include "key_file.h"
#include "screen.h"
#include "secret_rows.h"
#include "secret_write.h"

#include <stdio.h>

struct rotation {
	const char *new_file;
	struct secret_keys old, new;
	unsigned rotated, already, failed;
};

static enum secret_opened open_row(
	const struct rotation *rotation, const struct secret_row *row, struct buf *text)
{
	struct secret_label label = secret_store_label(row->name);
	enum secret_opened opened = secret_open(&rotation->old, label, row->sealed, text);

	/* The new file may have the old key on its second line, as nodes want it. */
	return opened == SECRET_UNKNOWN_KEY ? secret_open(&rotation->new, label, row->sealed, text) : opened;
}

static bool has_new_key(const struct rotation *rotation, const struct secret_row *row)
{
	unsigned char id[SECRET_KEY_ID_LEN];

	return secret_sealed_by(row->sealed, id) && memcmp(id, rotation->new.current.id, sizeof(id)) == 0;
}

/* CTL_NEGATIVE is of this secret alone; what is worse ends the work. */
static enum ctl_exit rotate_one(
	struct session *session, struct rotation *rotation, const struct secret_row *row)
{
	struct secret_written written;
	struct buf text = { 0 };
	enum secret_opened opened = open_row(rotation, row, &text);
	enum ctl_exit exit = CTL_NEGATIVE;

	if (opened != SECRET_OPENED)
		session_complain("%.*s %s", SPAN_ARGS(row->name), secret_opened_text(opened));
	else if (has_new_key(rotation, row))
		exit = CTL_OK;
	else
		exit = secret_write(session, &rotation->new.current, row->name, row->note.version.number,
			buf_span(&text), &written);
	if (exit)
		rotation->failed++;
	else if (has_new_key(rotation, row))
		rotation->already++;
	else
		rotation->rotated++;
	secret_text_wipe(&text);
	return exit;
}

static void tell(const struct session *session, const struct rotation *rotation)
{
	struct secret_key_id key = secret_key_id_text(rotation->new.current.id);
	unsigned done = rotation->rotated + rotation->already;

	if (session->is_json) {
		screen_print_json(
			json_pack("{s:s, s:i, s:i, s:i}", "key", key.text, "rotated", (int)rotation->rotated,
				"already", (int)rotation->already, "failed", (int)rotation->failed));
		return;
	}
	printf("%u of %u secrets are sealed with key %s\n", done, done + rotation->failed, key.text);
	if (rotation->failed)
		puts("Keep the old key, cure what is told above, and run it again.");
	else
		puts("cluster.key_file of each node needs the new key on its first line now. The old key, on "
		     "the "
		     "second, may go\nwhen all nodes have the new one.");
}

static enum ctl_exit rotate(struct session *session, void *arg)
{
	struct rotation *rotation = arg;
	struct secret_rows rows;
	enum ctl_exit worst = secret_rows_load(&rows, session, true);
	bool is_loaded = !worst;

	for (size_t i = 0; is_loaded && i < rows.count && worst <= CTL_NEGATIVE; i++) {
		enum ctl_exit exit = rotate_one(session, rotation, &rows.rows[i]);

		worst = exit > worst ? exit : worst;
	}
	if (is_loaded && worst <= CTL_NEGATIVE)
		tell(session, rotation);
	secret_rows_fini(&rows);
	return worst;
}

static enum ctl_exit read_and_rotate(struct ctl_options *options, struct rotation *rotation, struct buf *why)
{
	if (!key_file_read(options->key_file, &rotation->old, why) ||
		!key_file_read(rotation->new_file, &rotation->new, why))
		return session_usage(why);
	return session_run(options, rotate, rotation);
}

enum ctl_exit cmd_secret_rotate(struct ctl_options *options, const struct call *call)
{
	struct rotation rotation = { .new_file = call_text(call, "new-key") };
	struct buf why = { 0 };
	enum ctl_exit exit;

	if (!rotation.new_file || !options->key_file) {
		buf_append_str(
			&why, "--key-file OLD secret rotate --new-key NEW; skeinctl key new NEW makes one");
		return session_usage(&why);
	}
	exit = read_and_rotate(options, &rotation, &why);
	secret_keys_wipe(&rotation.old);
	secret_keys_wipe(&rotation.new);
	return exit;
}
