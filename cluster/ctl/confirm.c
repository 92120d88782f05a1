#include "confirm.h"

#include "human.h"

#include <stdio.h>
#include <unistd.h>

enum { ANSWER_MAX = 16 };

/* It only says what would happen. */
static bool is_dry(const struct call *call)
{
	return command_option(call->command, SPAN_LIT("dry-run")) && call_has(call, "dry-run");
}

enum ctl_exit confirm_can_go_on(const struct call *call)
{
	struct buf line = { 0 };

	if (!call->command->destroys || call_has(call, "yes") || is_dry(call))
		return CTL_OK;
	if (isatty(STDIN_FILENO) && isatty(STDERR_FILENO))
		return CTL_OK;
	call_append_line(&line, call, "--yes");
	session_complain("%s %s; if that is meant: %.*s", call->command->words, call->command->destroys,
		SPAN_ARGS(buf_span(&line)));
	buf_fini(&line);
	return CTL_USAGE;
}

/* The whole line is taken, so that none of it answers the next question. */
static bool is_yes(void)
{
	char answer[ANSWER_MAX] = "";
	size_t len = 0;
	int c;

	while ((c = getchar()) != EOF && c != '\n')
		if (len < ANSWER_MAX - 1)
			answer[len++] = ascii_lower((char)c);
	return strcmp(answer, "y") == 0 || strcmp(answer, "yes") == 0;
}

enum ctl_exit confirm_ask(const struct ctl_options *options, const char *fmt, ...)
{
	struct buf text = { 0 }, clean = { 0 };
	va_list args;

	if (call_has(options->call, "yes"))
		return CTL_OK;
	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	human_text(&clean, buf_span(&text));
	fprintf(stderr, "%.*s Go on? [y/N] ", SPAN_ARGS(buf_span(&clean)));
	fflush(stderr);
	buf_fini(&text);
	buf_fini(&clean);
	if (is_yes())
		return CTL_OK;
	session_complain("nothing is changed");
	return CTL_NEGATIVE;
}
