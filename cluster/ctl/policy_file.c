#include "policy_file.h"

#include "operator.h"
#include "policy_secrets.h"
#include "screen.h"

#include <errno.h>
#include <stdio.h>
#include <time.h>

void policy_file_fini(struct policy_file *file)
{
	buf_fini(&file->author);
	buf_fini(&file->comment);
	buf_fini(&file->text);
}

enum ctl_exit policy_file_read(struct policy_file *file, const char *path)
{
	bool is_stdin = strcmp(path, "-") == 0;
	FILE *stream = is_stdin ? stdin : fopen(path, "rb");
	int error = 0;

	if (!stream) {
		session_complain("cannot read %s: %s", path, strerror(errno));
		return CTL_NEGATIVE;
	}
	while (!feof(stream) && !error && buf_len(&file->text) <= POLICY_TEXT_MAX) {
		buf_reserve(&file->text, 65536);
		buf_commit(&file->text, fread(buf_tail(&file->text), 1, 65536, stream));
		error = ferror(stream) ? errno : 0;
	}
	if (!is_stdin)
		fclose(stream);
	if (error)
		session_complain("cannot read %s: %s", path, strerror(error));
	return error ? CTL_NEGATIVE : CTL_OK;
}

/* --- from Redis ---------------------------------------------------------------------------------- */

struct load_answer {
	struct policy_file *file;
	uint64_t number;
	enum ctl_exit exit;
};

static void on_loaded(
	void *arg, const struct outcome *outcome, const struct policy_note *note, struct span text)
{
	struct load_answer *answer = arg;

	answer->exit = session_check(outcome, "reading the policy");
	if (outcome->kind == OUTCOME_GONE && answer->number) {
		session_complain("there is no version %llu of the policy: see skeinctl policy history",
			(unsigned long long)answer->number);
		answer->exit = CTL_NEGATIVE;
	}
	if (!outcome_is_ok(outcome))
		return;
	answer->file->version = note->version;
	buf_append(&answer->file->author, note->author);
	buf_append(&answer->file->comment, note->comment);
	buf_append(&answer->file->text, text);
}

enum ctl_exit policy_file_load(struct policy_file *file, struct session *session, uint64_t number)
{
	struct load_answer answer = { file, number, CTL_OK };
	enum ctl_exit exit;

	(void)policy_get(session->link, number, session_now_ms(), on_loaded, &answer);
	exit = session_finish(session);
	return exit ? exit : answer.exit;
}

enum ctl_exit policy_file_load_current(struct policy_file *file, struct session *session)
{
	enum ctl_exit exit = policy_file_load(file, session, 0);

	if (exit || file->version.number)
		return exit;
	session_complain("there is no policy yet, each node goes by its relay.allow: write one with skeinctl "
			 "policy edit");
	return CTL_NEGATIVE;
}

/* --- checking and putting ------------------------------------------------------------------------ */

struct policy *policy_file_check(const struct policy_file *file, const char *source)
{
	struct report report = { 0 };
	struct policy *policy = policy_parse(buf_span(&file->text), source, &report);

	fprintf(stderr, "%.*s", SPAN_ARGS(buf_span(&report.text)));
	if (report.errors > REPORT_ERRORS_MAX)
		fprintf(stderr, "... and %u more errors\n", report.errors - REPORT_ERRORS_MAX);
	report_fini(&report);
	return policy;
}

struct put_answer {
	uint64_t expected;
	struct policy_version version;
	enum ctl_exit exit;
};

static void on_put(void *arg, const struct outcome *outcome, const struct policy_note *note)
{
	struct put_answer *answer = arg;

	answer->exit = session_check(outcome, "writing the policy");
	answer->version = note->version;
	if (outcome->kind != OUTCOME_NOT)
		return;
	if (note->version.number)
		session_complain(
			"conflict: version %llu, by %.*s, is there by now, and your change is based on "
			"%llu: nothing was changed. See skeinctl policy diff",
			(unsigned long long)note->version.number, SPAN_ARGS(note->author),
			(unsigned long long)answer->expected);
	else
		session_complain("conflict: there is no policy any more: nothing was changed");
	answer->exit = CTL_NEGATIVE;
}

static void print_put(const struct session *session, const struct put_answer *answer, struct span author)
{
	if (session->is_json)
		screen_print_json(json_pack("{s:o, s:o, s:o}", "version", json_of_u64(answer->version.number),
			"at_ms", json_of_u64(answer->version.at_ms), "author", json_of_span(author)));
	else
		printf("version %llu holds on every node within a second\n",
			(unsigned long long)answer->version.number);
}

enum ctl_exit policy_file_put(struct session *session, const struct policy_change *change)
{
	struct put_answer answer = { .expected = change->expected };
	struct policy_put args = { .expected = change->expected, .text = change->text };
	char author[OPERATOR_MAX + 1];
	enum ctl_exit exit;

	if (change->comment && strlen(change->comment) > POLICY_COMMENT_MAX) {
		session_complain("-m: more than %d bytes", POLICY_COMMENT_MAX);
		return CTL_USAGE;
	}
	operator_name(author);
	args.author = span_of_str(author);
	args.comment = span_of_str(change->comment);
	(void)policy_put(session->link, &args, session_now_ms(), on_put, &answer);
	exit = session_finish(session);
	if (!exit)
		exit = answer.exit;
	if (!exit) {
		print_put(session, &answer, args.author);
		policy_secrets_check(session, change->text);
	}
	return exit;
}

void policy_file_print_time(struct buf *out, uint64_t at_ms)
{
	time_t seconds = (time_t)(at_ms / 1000);
	struct tm parts;
	char text[32];

	if (localtime_r(&seconds, &parts) && strftime(text, sizeof(text), "%Y-%m-%d %H:%M:%S", &parts))
		buf_append_str(out, text);
}
