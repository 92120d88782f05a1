#include "skein/cluster/schema/report.h"

struct report_note {
	struct span path;
	struct origin origin;
};

void report_fini(struct report *report)
{
	buf_fini(&report->text);
	table_fini(&report->notes);
	arena_fini(&report->arena);
	*report = (struct report){ 0 };
}

struct quoted report_quote(struct span text)
{
	struct quoted quoted = { "\"" };
	size_t at = 1;

	for (size_t i = 0; i < text.len && at < sizeof(quoted.text) - 5; i++) {
		bool is_plain = (unsigned char)text.ptr[i] >= 0x20 && text.ptr[i] != 0x7f;

		quoted.text[at++] = is_plain ? text.ptr[i] : '?';
	}
	memcpy(quoted.text + at, text.len > at - 1 ? "...\"" : "\"", text.len > at - 1 ? 5 : 2);
	return quoted;
}

static void add_line(struct report *report, const struct origin *origin, struct span path, const char *kind,
	const char *fmt, va_list args) PRINTF_LIKE(5, 0);

static void add_line(struct report *report, const struct origin *origin, struct span path, const char *kind,
	const char *fmt, va_list args)
{
	buf_append_str(&report->text, origin->source);
	if (origin->line)
		buf_printf(&report->text, ":%zu:%zu", origin->line, origin->column);
	buf_append_str(&report->text, path.len ? ": $." : ": ");
	buf_append(&report->text, path);
	if (path.len)
		buf_append_str(&report->text, ": ");
	buf_append_str(&report->text, kind);
	buf_vprintf(&report->text, fmt, args);
	buf_append_byte(&report->text, '\n');
}

static void add_error(struct report *report, const struct origin *origin, struct span path, const char *fmt,
	va_list args) PRINTF_LIKE(4, 0);

static void add_error(
	struct report *report, const struct origin *origin, struct span path, const char *fmt, va_list args)
{
	if (++report->errors <= REPORT_ERRORS_MAX)
		add_line(report, origin, path, "", fmt, args);
}

void report_error(struct report *report, const struct origin *origin, struct span path, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	add_error(report, origin, path, fmt, args);
	va_end(args);
}

static struct report_note *find_note(const struct report *report, struct span path)
{
	return table_get(&report->notes, path);
}

void report_note(struct report *report, struct span path, const struct origin *origin)
{
	struct report_note *note = find_note(report, path);

	if (!note) {
		note = arena_zalloc(&report->arena, sizeof(*note));
		note->path = arena_dup(&report->arena, path);
		table_put(&report->notes, note->path, note);
	}
	note->origin = *origin;
}

void report_forget_items(struct report *report, struct span path)
{
	struct report_note *note;
	size_t cursor = 0;

	while ((note = table_next(&report->notes, &cursor)) != NULL)
		if (note->path.len > path.len && note->path.ptr[path.len] == '[' &&
			span_starts_with(note->path, path))
			table_remove(&report->notes, note->path);
}

bool report_was_given(const struct report *report, const char *path)
{
	return find_note(report, span_of_str(path)) != NULL;
}

/* "listeners[1].tls" is else looked for as "listeners[1]" and "listeners". */
static struct origin origin_of(const struct report *report, struct span path)
{
	while (path.len) {
		const struct report_note *note = find_note(report, path);

		if (note)
			return note->origin;
		do
			path.len--;
		while (path.len && path.ptr[path.len] != '.' && path.ptr[path.len] != '[');
	}
	return (struct origin){ report->source ? report->source : "command line", 0, 0 };
}

void report_error_at(struct report *report, const char *path, const char *fmt, ...)
{
	struct origin origin = origin_of(report, span_of_str(path));
	va_list args;

	va_start(args, fmt);
	add_error(report, &origin, span_of_str(path), fmt, args);
	va_end(args);
}

void report_warning_at(struct report *report, const char *path, const char *fmt, ...)
{
	struct origin origin = origin_of(report, span_of_str(path));
	va_list args;

	report->warnings++;
	va_start(args, fmt);
	add_line(report, &origin, span_of_str(path), "warning: ", fmt, args);
	va_end(args);
}
