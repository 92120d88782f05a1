/* skeinctl explain: what the policy says of a client, by the code that the nodes run. */
#include "call.h"
#include "explanation.h"
#include "policy_file.h"
#include "screen.h"

#include <stdio.h>

enum { LINE_SIZE = 256 * 1024 };

struct explaining {
	struct explain_case asked;
	const char *path; /* of a policy; NULL: the current one */
	bool is_batch, is_json;
	bool is_answered;

	struct policy_file file;
	struct policy *policy;
	struct session *session; /* NULL: without Redis, or Redis has failed */
};

/* --- one case ------------------------------------------------------------------------------------ */

static enum ctl_exit look(struct explaining *explaining, struct explanation *explanation)
{
	enum ctl_exit exit =
		explaining->session ? explanation_look(explanation, explaining->session) : CTL_OK;

	if (exit)
		explaining->session = NULL;
	return exit;
}

static struct explanation explanation_of(const struct explaining *explaining)
{
	return (struct explanation){ .source = explaining->path,
		.version = explaining->file.version.number,
		.policy = explaining->policy };
}

static enum ctl_exit answer_one(struct explaining *explaining)
{
	struct explanation explanation = explanation_of(explaining);
	struct buf out = { 0 };
	enum ctl_exit exit;

	explanation_make(&explanation, &explaining->asked);
	exit = look(explaining, &explanation);
	if (explaining->is_json) {
		screen_print_json(explanation_json(&explanation));
	} else {
		explanation_print(&explanation, &out);
		if (!screen_print(&out) && !exit)
			exit = CTL_REFUSED;
	}
	buf_fini(&out);
	explanation_fini(&explanation);
	return exit;
}

/* --- many, a line each --------------------------------------------------------------------------- */

static json_t *parse_line(const char *line, size_t number, struct buf *why)
{
	json_error_t error;
	json_t *value = json_loads(line, JSON_REJECT_DUPLICATES, &error);

	if (json_is_object(value))
		return value;
	buf_printf(why, "line %zu: %s", number, value ? "is no object" : error.text);
	json_decref(value);
	return NULL;
}

static enum ctl_exit explain_line(
	struct explaining *explaining, json_t *object, size_t number, struct buf *why, json_t **answer_out)
{
	struct explanation explanation = explanation_of(explaining);
	struct explain_case asked = { .client = NULL };
	enum ctl_exit exit;

	buf_printf(why, "line %zu: ", number);
	if (!explain_case_read_json(&asked, object, why) || !explain_case_finish(&asked, why))
		return CTL_NEGATIVE;
	explanation_make(&explanation, &asked);
	exit = look(explaining, &explanation);
	*answer_out = explanation_json(&explanation);
	explanation_fini(&explanation);
	return exit;
}

/* A line that is wrong has its answer, too: the nth answer is that to the nth question. */
static enum ctl_exit answer_line(struct explaining *explaining, const char *line, size_t number)
{
	struct buf why = { 0 };
	json_t *answer = NULL, *object = parse_line(line, number, &why);
	enum ctl_exit exit = CTL_NEGATIVE;

	if (object)
		exit = explain_line(explaining, object, number, &why, &answer);
	if (!answer)
		answer = json_pack("{s:o}", "error", json_of_span(buf_span(&why)));
	screen_print_json_line(answer);
	json_decref(object);
	buf_fini(&why);
	return exit;
}

static enum ctl_exit answer_lines(struct explaining *explaining)
{
	static char line[LINE_SIZE];
	enum ctl_exit worst = CTL_OK;

	for (size_t number = 1; fgets(line, sizeof(line), stdin); number++) {
		size_t len = strlen(line);
		enum ctl_exit exit;

		if (len == sizeof(line) - 1 && line[len - 1] != '\n') {
			session_complain("line %zu is longer than %d bytes", number, LINE_SIZE - 2);
			return CTL_NEGATIVE;
		}
		exit = answer_line(explaining, line, number);
		worst = exit > worst ? exit : worst;
	}
	if (ferror(stdin)) {
		session_complain("standard input could not be read");
		return CTL_NEGATIVE;
	}
	return worst;
}

/* --- the command --------------------------------------------------------------------------------- */

static enum ctl_exit check(struct explaining *explaining)
{
	explaining->policy =
		policy_file_check(&explaining->file, explaining->path ? explaining->path : "policy");
	return explaining->policy ? CTL_OK : CTL_NEGATIVE;
}

static enum ctl_exit answer(struct explaining *explaining)
{
	explaining->is_answered = true;
	return explaining->is_batch ? answer_lines(explaining) : answer_one(explaining);
}

static enum ctl_exit explain_current(struct session *session, void *arg)
{
	struct explaining *explaining = arg;
	enum ctl_exit exit = policy_file_load_current(&explaining->file, session);

	explaining->session = session;
	if (!exit)
		exit = check(explaining);
	return exit ? exit : answer(explaining);
}

static enum ctl_exit explain_checked(struct session *session, void *arg)
{
	struct explaining *explaining = arg;

	explaining->session = session;
	return answer(explaining);
}

/* Redis is asked how full the limits are, where it is told and there. */
static enum ctl_exit explain_file(struct ctl_options *options, struct explaining *explaining)
{
	enum ctl_exit exit = policy_file_read(&explaining->file, explaining->path);

	if (!exit)
		exit = check(explaining);
	if (exit)
		return exit;
	if (options_has_redis(options)) {
		exit = session_run(options, explain_checked, explaining);
		if (explaining->is_answered || exit == CTL_USAGE)
			return exit;
	}
	return answer(explaining);
}

static enum ctl_exit run(struct ctl_options *options, struct explaining *explaining, struct buf *why)
{
	if (explaining->is_batch && explaining->path && strcmp(explaining->path, "-") == 0) {
		buf_append_str(why, "--batch reads the cases from standard input: --file needs a path");
		return session_usage(why);
	}
	if (!explaining->is_batch && !explain_case_finish(&explaining->asked, why))
		return session_usage(why);
	return explaining->path ? explain_file(options, explaining)
				: session_run(options, explain_current, explaining);
}

enum ctl_exit cmd_explain(struct ctl_options *options, const struct call *call)
{
	struct explaining e = { .path = call_text(call, "file"),
		.is_batch = call_has(call, "batch"),
		.is_json = options->is_json,
		.asked = { .client = call_text(call, "client"),
			.listener = call_text(call, "listener"),
			.user = call_text(call, "user"),
			.groups = call_texts(call, "group"),
			.own = call_texts(call, "own"),
			.helo = call_text(call, "helo"),
			.from = call_text(call, "from"),
			.author = call_text(call, "author"),
			.to = call_texts(call, "to"),
			.size = call_number(call, "size", 0),
			.has_tls = call_has(call, "tls"),
			.tls_version = call_text(call, "tls-version"),
			.cert_subject = call_text(call, "certificate"),
			.cert_sha256 = call_text(call, "sha256"),
			.has_no_starttls = call_has(call, "no-starttls"),
			.has_no_auth = call_has(call, "no-auth") } };
	struct buf why = { 0 };
	enum ctl_exit exit = run(options, &e, &why);

	policy_free(&e.policy);
	policy_file_fini(&e.file);
	return exit;
}
