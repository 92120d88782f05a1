/* skeinctl help */
#include "call.h"
#include "help.h"
#include "screen.h"

static bool append(struct buf *out, const struct call *call, struct buf *why)
{
	const struct command *command;
	int words;

	if (call->word_count == 0) {
		help_append_all(out);
		return true;
	}
	if (call->word_count == 1 && !command_of_word(span_of_str(call->words[0])) &&
		command_has_family(span_of_str(call->words[0]))) {
		help_append_family(out, span_of_str(call->words[0]));
		return true;
	}
	command = command_find((int)call->word_count, (char **)(uintptr_t)call->words, &words, why);
	if (command)
		help_append_command(out, command);
	return command != NULL;
}

enum ctl_exit cmd_help(struct ctl_options *options, const struct call *call)
{
	struct buf text = { 0 }, why = { 0 };
	enum ctl_exit exit = CTL_OK;

	(void)options;
	if (!append(&text, call, &why))
		exit = session_usage(&why);
	else if (!screen_print(&text))
		exit = CTL_REFUSED;
	buf_fini(&text);
	return exit;
}
