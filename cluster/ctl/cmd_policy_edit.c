/*
 * skeinctl policy edit: the current text in an editor, until it is right or left as it was. What is wrong
 * stands above the line that it is about, in lines that begin with "#! " and are taken out again.
 */
#include "call.h"
#include "policy_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define MARK "#! "

enum { PATH_SIZE = 512 };

static const char first_text[] =
	"# Who may send mail through this cluster. The first rule that matches decides; no match denies.\n"
	"# All there is to say: docs/policy.md.\n"
	"clients:\n"
	"  - name: internal\n"
	"    match:\n"
	"      network:\n"
	"        - 127.0.0.0/8\n"
	"    effect: allow\n";

static bool write_text(const char *path, struct span text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC);
	bool is_ok = fd >= 0;

	while (is_ok && text.len) {
		ssize_t done = write(fd, text.ptr, text.len);

		is_ok = done > 0;
		if (is_ok)
			text = span_drop(text, (size_t)done);
	}
	if (fd >= 0)
		is_ok = close(fd) == 0 && is_ok;
	if (!is_ok)
		session_complain("cannot write %s: %s", path, strerror(errno));
	return is_ok;
}

static bool make_file(char path[PATH_SIZE])
{
	const char *dir = getenv("TMPDIR");
	int fd;

	snprintf(path, PATH_SIZE, "%s/skein-policy-XXXXXX.yaml", dir && *dir ? dir : "/tmp");
	fd = mkstemps(path, 5);
	if (fd >= 0)
		close(fd);
	else
		session_complain("cannot make %s: %s", path, strerror(errno));
	return fd >= 0;
}

/* --- the editor ---------------------------------------------------------------------------------- */

static const char *editor_name(void)
{
	const char *name = getenv("VISUAL");

	if (!name || !*name)
		name = getenv("EDITOR");
	return name && *name ? name : "vi";
}

/* Through a shell, so that an editor may have arguments; the path is not part of what it reads. */
static bool run_editor(const char *path)
{
	const char *editor = editor_name();
	pid_t child = fork();
	int status = 0;

	if (child == 0) {
		execl("/bin/sh", "sh", "-c", "exec $0 \"$1\"", editor, path, (char *)NULL);
		_exit(127);
	}
	while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	if (child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	session_complain(
		"the editor (%s) did not end well: nothing was changed, your text is in %s", editor, path);
	return false;
}

/* --- remarks ------------------------------------------------------------------------------------- */

static struct span take_line(struct span *rest)
{
	size_t end = span_find(*rest, '\n');
	struct span line = span_take(*rest, end < rest->len ? end + 1 : end);

	*rest = span_drop(*rest, line.len);
	return line;
}

static void drop_remarks(struct buf *text)
{
	struct span rest = buf_span(text);
	struct buf kept = { 0 };

	while (rest.len) {
		struct span line = take_line(&rest);

		if (!span_starts_with(line, SPAN_LIT(MARK)))
			buf_append(&kept, line);
	}
	buf_fini(text);
	*text = kept;
}

/* The line that a remark is about, "policy:LINE:COLUMN: ..."; 0: none. */
static uint64_t line_of(struct span remark)
{
	struct span rest = span_drop(remark, span_find(remark, ':'));
	uint64_t line = 0;

	if (rest.len)
		rest = span_drop(rest, 1);
	(void)span_parse_u64(span_take(rest, span_find(rest, ':')), UINT32_MAX, &line);
	return line;
}

static void append_remarks(struct span remarks, uint64_t line, struct buf *out)
{
	while (remarks.len) {
		struct span remark = take_line(&remarks);

		if (line_of(remark) == line) {
			buf_append_str(out, MARK);
			buf_append(out, remark);
		}
	}
}

/* Each remark above its line; those about no line, or one that is not there, at the end. */
static void add_remarks(struct span text, struct span remarks, struct buf *out)
{
	uint64_t line = 0;

	append_remarks(remarks, 0, out);
	while (text.len) {
		append_remarks(remarks, ++line, out);
		buf_append(out, take_line(&text));
	}
	append_remarks(remarks, line + 1, out);
}

/* --- rounds -------------------------------------------------------------------------------------- */

enum round { ROUND_GOOD, ROUND_AGAIN, ROUND_END };

struct editing {
	const char *comment;
	char path[PATH_SIZE];
	struct policy_file base, edited;
};

/* Writes the remarks into the file. Nothing new in it since the last: the author gives up. */
static enum round judge(struct editing *editing, const struct buf *before)
{
	struct report report = { 0 };
	struct span text = buf_span(&editing->edited.text);
	struct policy *policy = policy_parse(text, "policy", &report);
	enum round round = ROUND_GOOD;
	struct buf marked = { 0 };

	fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&report.text)));
	if (!policy && span_eq(text, buf_span(before))) {
		session_complain("nothing was changed; your text is in %s", editing->path);
		round = ROUND_END;
	} else if (!policy) {
		add_remarks(text, buf_span(&report.text), &marked);
		round = write_text(editing->path, buf_span(&marked)) ? ROUND_AGAIN : ROUND_END;
	}
	policy_free(&policy);
	report_fini(&report);
	buf_fini(&marked);
	return round;
}

static enum round one_round(struct editing *editing)
{
	struct buf before = editing->edited.text;
	enum round round = ROUND_END;

	editing->edited.text = (struct buf){ 0 };
	if (run_editor(editing->path) && !policy_file_read(&editing->edited, editing->path)) {
		drop_remarks(&editing->edited.text);
		round = judge(editing, &before);
	}
	buf_fini(&before);
	return round;
}

static enum ctl_exit put(struct editing *editing, struct session *session)
{
	struct policy_change change = { editing->base.version.number, buf_span(&editing->edited.text),
		editing->comment };
	enum ctl_exit exit = CTL_OK;

	if (span_eq(change.text, buf_span(&editing->base.text)))
		printf("nothing changed\n");
	else
		exit = policy_file_put(session, &change);
	if (exit)
		session_complain("your text is in %s", editing->path);
	else
		unlink(editing->path);
	return exit;
}

static enum ctl_exit rounds(struct editing *editing, struct session *session)
{
	enum round round = ROUND_AGAIN;

	if (!editing->base.version.number)
		buf_append_str(&editing->base.text, first_text);
	buf_append(&editing->edited.text, buf_span(&editing->base.text));
	if (!make_file(editing->path) || !write_text(editing->path, buf_span(&editing->edited.text)))
		return CTL_NEGATIVE;
	while (round == ROUND_AGAIN)
		round = one_round(editing);
	return round == ROUND_GOOD ? put(editing, session) : CTL_NEGATIVE;
}

static enum ctl_exit edit(struct session *session, void *arg)
{
	struct editing *editing = arg;
	enum ctl_exit exit = policy_file_load(&editing->base, session, 0);

	if (!exit)
		exit = rounds(editing, session);
	policy_file_fini(&editing->base);
	policy_file_fini(&editing->edited);
	return exit;
}

enum ctl_exit cmd_policy_edit(struct ctl_options *options, const struct call *call)
{
	struct editing editing = { .comment = call_text(call, "message") };

	return session_run(options, edit, &editing);
}
