#include "secret_rows.h"

static void on_list(void *arg, const struct outcome *outcome, const struct secret_list *list)
{
	struct secret_rows *rows = arg;

	rows->exit = session_check(outcome, "reading the secrets");
	if (rows->exit || !list->count)
		return;
	rows->rows = arena_alloc(&rows->arena, list->count * sizeof(*rows->rows));
	for (size_t i = 0; i < list->count; i++) {
		struct secret_row *row = &rows->rows[rows->count++];

		*row = list->rows[i];
		row->name = arena_dup(&rows->arena, row->name);
		row->note.author = arena_dup(&rows->arena, row->note.author);
		row->note.key_id = arena_dup(&rows->arena, row->note.key_id);
		row->sealed = arena_dup(&rows->arena, row->sealed);
	}
}

enum ctl_exit secret_rows_load(struct secret_rows *rows, struct session *session, bool with_sealed)
{
	enum ctl_exit exit;

	*rows = (struct secret_rows){ .count = 0 };
	(void)secret_list(session->link, with_sealed, session_now_ms(), on_list, rows);
	exit = session_finish(session);
	return exit ? exit : rows->exit;
}

void secret_rows_fini(struct secret_rows *rows)
{
	arena_fini(&rows->arena);
}

const struct secret_row *secret_rows_find(const struct secret_rows *rows, const char *name)
{
	for (size_t i = 0; i < rows->count; i++)
		if (span_eq(rows->rows[i].name, span_of_str(name)))
			return &rows->rows[i];
	return NULL;
}

enum ctl_exit secret_rows_check_key(
	const struct secret_rows *rows, const char *name, const struct secret_keys *keys)
{
	struct secret_key_id current = secret_key_id_text(keys->current.id),
			     previous = secret_key_id_text(keys->previous.id);

	for (size_t i = 0; i < rows->count; i++) {
		const struct secret_row *row = &rows->rows[i];
		bool is_ours = span_eq(row->note.key_id, span_of_str(current.text)) ||
			       (keys->has_previous && span_eq(row->note.key_id, span_of_str(previous.text)));

		if (is_ours || span_eq(row->name, span_of_str(name)))
			continue;
		session_complain(
			"%.*s is sealed by key %.*s, the key file has %s: take the cluster's key, or "
			"remove what it sealed",
			SPAN_ARGS(row->name), SPAN_ARGS(row->note.key_id), current.text);
		return CTL_NEGATIVE;
	}
	return CTL_OK;
}
