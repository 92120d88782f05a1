/* skeinctl policy show, check, apply, history, rollback, diff */
#include "call.h"
#include "confirm.h"
#include "human.h"
#include "line_diff.h"
#include "policy_file.h"
#include "screen.h"

#include <stdio.h>

static bool is_version(const char *text, uint64_t *number_out)
{
	return span_parse_u64(span_of_str(text), UINT64_MAX, number_out) && *number_out > 0;
}

static enum ctl_exit version_wanted(struct buf *why, const char *text)
{
	buf_printf(why, "\"%s\" is no version: see skeinctl policy history", text);
	return session_usage(why);
}

/* --- show ---------------------------------------------------------------------------------------- */

static enum ctl_exit show(struct session *session, void *arg)
{
	const uint64_t *number = arg;
	struct policy_file file = { .version = { 0, 0 } };
	enum ctl_exit exit = *number ? policy_file_load(&file, session, *number)
				     : policy_file_load_current(&file, session);

	if (!exit && session->is_json)
		screen_print_json(json_pack("{s:o, s:o, s:o, s:o, s:o}", "version",
			json_of_u64(file.version.number), "at_ms", json_of_u64(file.version.at_ms), "author",
			json_of_span(buf_span(&file.author)), "comment",
			json_of_span(buf_span(&file.comment)), "text", json_of_span(buf_span(&file.text))));
	else if (!exit && !screen_print(&file.text))
		exit = CTL_REFUSED;
	policy_file_fini(&file);
	return exit;
}

enum ctl_exit cmd_policy_show(struct ctl_options *options, const struct call *call)
{
	const char *version = call_word(call, 0);
	struct buf why = { 0 };
	uint64_t number = 0;

	if (version && !is_version(version, &number))
		return version_wanted(&why, version);
	return session_run(options, show, &number);
}

/* --- check --------------------------------------------------------------------------------------- */

static json_t *report_json(const struct report *report)
{
	json_t *lines = json_array();
	struct span rest = buf_span(&report->text);

	while (rest.len) {
		size_t end = span_find(rest, '\n');

		json_array_append_new(lines, json_of_span(span_take(rest, end)));
		rest = span_drop(rest, end < rest.len ? end + 1 : end);
	}
	return json_pack("{s:b, s:i, s:i, s:o}", "ok", report->errors == 0, "errors", (int)report->errors,
		"warnings", (int)report->warnings, "lines", lines);
}

static enum ctl_exit check_as_json(const struct policy_file *file, const char *path)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(buf_span(&file->text), path, &report);
	enum ctl_exit exit = policy ? CTL_OK : CTL_NEGATIVE;

	screen_print_json(report_json(&report));
	policy_free(&policy);
	report_fini(&report);
	return exit;
}

static enum ctl_exit check_as_text(const struct policy_file *file, const char *path)
{
	struct policy *policy = policy_file_check(file, path);

	if (!policy)
		return CTL_NEGATIVE;
	puts("ok");
	policy_free(&policy);
	return CTL_OK;
}

enum ctl_exit cmd_policy_check(struct ctl_options *options, const struct call *call)
{
	struct policy_file file = { .version = { 0, 0 } };
	const char *path = call_word(call, 0);
	enum ctl_exit exit = policy_file_read(&file, path);

	if (!exit)
		exit = options->is_json ? check_as_json(&file, path) : check_as_text(&file, path);
	policy_file_fini(&file);
	return exit;
}

/* --- apply --------------------------------------------------------------------------------------- */

struct applying {
	struct policy_file file;
	const char *comment;
	uint64_t expected; /* UINT64_MAX: whatever is there */
};

static enum ctl_exit tell_unchanged(const struct session *session, uint64_t version)
{
	if (session->is_json)
		screen_print_json(json_pack("{s:o, s:b}", "version", json_of_u64(version), "changed", 0));
	else
		printf("nothing changes: version %llu is the same text\n", (unsigned long long)version);
	return CTL_OK;
}

static enum ctl_exit apply(struct session *session, void *arg)
{
	struct applying *applying = arg;
	struct policy_file current = { .version = { 0, 0 } };
	enum ctl_exit exit = policy_file_load(&current, session, 0);
	bool expects = applying->expected != UINT64_MAX;
	struct policy_change change = { expects ? applying->expected : current.version.number,
		buf_span(&applying->file.text), applying->comment };

	if (!exit && current.version.number && change.expected == current.version.number &&
		span_eq(change.text, buf_span(&current.text)))
		exit = tell_unchanged(session, current.version.number);
	else if (!exit)
		exit = policy_file_put(session, &change);
	policy_file_fini(&current);
	return exit;
}

enum ctl_exit cmd_policy_apply(struct ctl_options *options, const struct call *call)
{
	struct applying applying = { .comment = call_text(call, "message"),
		.expected = call_number(call, "expect", UINT64_MAX) };
	const char *path = call_word(call, 0);
	struct policy *policy = NULL;
	enum ctl_exit exit = policy_file_read(&applying.file, path);

	if (!exit) {
		policy = policy_file_check(&applying.file, path);
		exit = policy ? session_run(options, apply, &applying) : CTL_NEGATIVE;
	}
	policy_free(&policy);
	policy_file_fini(&applying.file);
	return exit;
}

/* --- history ------------------------------------------------------------------------------------- */

struct listing {
	struct session *session;
	enum ctl_exit exit;
};

static void print_history(const struct policy_history *history)
{
	static const struct grid_column columns[] = {
		{ .title = "VERSION", .is_number = true },
		{ .title = "WHEN" },
		{ .title = "AUTHOR" },
		{ .title = "SIZE", .is_number = true },
		{ .title = "COMMENT" },
	};
	struct grid grid;
	struct buf when = { 0 };

	grid_init(&grid, columns, ARRAY_LEN(columns));
	for (size_t i = 0; i < history->count; i++) {
		const struct policy_note *note = &history->notes[i];
		enum tint tint = note->version.number == history->current ? TINT_GOOD : TINT_NONE;

		buf_clear(&when);
		policy_file_print_time(&when, note->version.at_ms);
		grid_printf(&grid, tint, "%llu", (unsigned long long)note->version.number);
		grid_add(&grid, buf_span(&when), TINT_NONE);
		grid_add(&grid, note->author, TINT_NONE);
		buf_clear(&when);
		human_bytes(&when, note->size);
		grid_add(&grid, buf_span(&when), TINT_NONE);
		grid_add(&grid, note->comment, TINT_NONE);
	}
	screen_print_grid(&grid);
	buf_fini(&when);
}

static json_t *history_json(const struct policy_history *history)
{
	json_t *rows = json_array();

	for (size_t i = 0; i < history->count; i++) {
		const struct policy_note *note = &history->notes[i];

		json_array_append_new(rows,
			json_pack("{s:o, s:b, s:o, s:o, s:o, s:o}", "version",
				json_of_u64(note->version.number), "current",
				note->version.number == history->current, "at_ms",
				json_of_u64(note->version.at_ms), "author", json_of_span(note->author),
				"size", json_of_u64(note->size), "comment", json_of_span(note->comment)));
	}
	return rows;
}

static void on_history(void *arg, const struct outcome *outcome, const struct policy_history *history)
{
	struct listing *listing = arg;

	listing->exit = session_check(outcome, "reading the history");
	if (listing->exit)
		return;
	if (listing->session->is_json)
		screen_print_json(history_json(history));
	else
		print_history(history);
}

static enum ctl_exit list_history(struct session *session, void *arg)
{
	struct listing listing = { session, CTL_OK };
	enum ctl_exit exit;

	(void)arg;
	(void)policy_history(session->link, session_now_ms(), on_history, &listing);
	exit = session_finish(session);
	return exit ? exit : listing.exit;
}

enum ctl_exit cmd_policy_history(struct ctl_options *options, const struct call *call)
{
	(void)call;
	return session_run(options, list_history, NULL);
}

/* --- rollback ------------------------------------------------------------------------------------ */

struct rolling {
	uint64_t number;
	const char *comment;
};

static void count_lines(struct span diff, unsigned *gone_out, unsigned *come_out)
{
	*gone_out = *come_out = 0;
	for (size_t i = 0; i < diff.len; i++) {
		bool begins = i == 0 || diff.ptr[i - 1] == '\n';

		*gone_out += begins && diff.ptr[i] == '-';
		*come_out += begins && diff.ptr[i] == '+';
	}
}

static enum ctl_exit ask(
	struct session *session, const struct policy_file *old, const struct policy_file *current)
{
	struct buf diff = { 0 };
	unsigned gone, come;

	line_diff(buf_span(&current->text), buf_span(&old->text), &diff);
	count_lines(buf_span(&diff), &gone, &come);
	buf_fini(&diff);
	return confirm_ask(session->options,
		"Version %llu by %.*s comes in place of version %llu by %.*s on all nodes: %u line%s, %u "
		"come%s.",
		(unsigned long long)old->version.number, SPAN_ARGS(buf_span(&old->author)),
		(unsigned long long)current->version.number, SPAN_ARGS(buf_span(&current->author)), gone,
		gone == 1 ? " goes" : "s go", come, come == 1 ? "s" : "");
}

static enum ctl_exit put_old(struct session *session, const struct rolling *rolling,
	const struct policy_file *old, uint64_t current)
{
	struct buf comment = { 0 };
	struct policy_change change = { current, buf_span(&old->text), NULL };
	struct policy *policy = policy_file_check(old, "policy");
	enum ctl_exit exit = CTL_NEGATIVE;

	if (policy) {
		buf_printf(&comment, "as version %llu", (unsigned long long)rolling->number);
		if (rolling->comment) {
			buf_append_str(&comment, ": ");
			buf_append_str(&comment, rolling->comment);
		}
		buf_append_byte(&comment, '\0');
		change.comment = buf_span(&comment).ptr;
		exit = policy_file_put(session, &change);
	}
	policy_free(&policy);
	buf_fini(&comment);
	return exit;
}

static enum ctl_exit roll_back(struct session *session, void *arg)
{
	const struct rolling *rolling = arg;
	struct policy_file old = { .version = { 0, 0 } }, current = { .version = { 0, 0 } };
	enum ctl_exit exit = policy_file_load_current(&current, session);
	bool is_same;

	if (!exit)
		exit = policy_file_load(&old, session, rolling->number);
	is_same = span_eq(buf_span(&old.text), buf_span(&current.text));
	if (!exit && is_same)
		exit = tell_unchanged(session, current.version.number);
	else if (!exit)
		exit = ask(session, &old, &current);
	if (!exit && !is_same)
		exit = put_old(session, rolling, &old, current.version.number);
	policy_file_fini(&old);
	policy_file_fini(&current);
	return exit;
}

enum ctl_exit cmd_policy_rollback(struct ctl_options *options, const struct call *call)
{
	struct rolling rolling = { 0, call_text(call, "message") };
	const char *version = call_word(call, 0);
	struct buf why = { 0 };

	if (!is_version(version, &rolling.number))
		return version_wanted(&why, version);
	return session_run(options, roll_back, &rolling);
}

/* --- diff ---------------------------------------------------------------------------------------- */

struct diffing {
	uint64_t from, to; /* 0: the current one */
	const char *path;  /* NULL: `to` */
	bool is_previous;  /* from the version before the current one */
};

static enum ctl_exit load_both(struct session *session, const struct diffing *diffing,
	struct policy_file *before, struct policy_file *after)
{
	enum ctl_exit exit;

	if (diffing->path)
		exit = policy_file_read(after, diffing->path);
	else if (diffing->to)
		exit = policy_file_load(after, session, diffing->to);
	else
		exit = policy_file_load_current(after, session);
	if (exit)
		return exit;
	if (diffing->is_previous && after->version.number == 1)
		return CTL_OK; /* everything is new */
	if (diffing->is_previous)
		return policy_file_load(before, session, after->version.number - 1);
	return policy_file_load(before, session, diffing->from);
}

static enum ctl_exit diff(struct session *session, void *arg)
{
	const struct diffing *diffing = arg;
	struct policy_file before = { .version = { 0, 0 } }, after = { .version = { 0, 0 } };
	enum ctl_exit exit = load_both(session, diffing, &before, &after);
	struct buf out = { 0 };

	if (!exit)
		line_diff(buf_span(&before.text), buf_span(&after.text), &out);
	if (!exit && session->is_json)
		screen_print_json(json_pack("{s:o, s:o, s:o}", "from", json_of_u64(before.version.number),
			"to", diffing->path ? json_string(diffing->path) : json_of_u64(after.version.number),
			"diff", json_of_span(buf_span(&out))));
	else if (!exit && !screen_print(&out))
		exit = CTL_REFUSED;
	buf_fini(&out);
	policy_file_fini(&before);
	policy_file_fini(&after);
	return exit;
}

enum ctl_exit cmd_policy_diff(struct ctl_options *options, const struct call *call)
{
	struct diffing diffing = { .is_previous = call->word_count == 0 };
	struct buf why = { 0 };

	if (call->word_count == 1 && !is_version(call->words[0], &diffing.from))
		diffing.path = call->words[0];
	if (call->word_count == 2 && !is_version(call->words[0], &diffing.from))
		return version_wanted(&why, call->words[0]);
	if (call->word_count == 2 && !is_version(call->words[1], &diffing.to))
		return version_wanted(&why, call->words[1]);
	return session_run(options, diff, &diffing);
}
