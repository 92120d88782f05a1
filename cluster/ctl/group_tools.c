#include "command.h"

static const struct command commands[] = {
	{ .words = "help",
		.arguments = { { "COMMAND", WORD_COMMAND, .is_optional = true, .is_many = true } },
		.flags = COMMAND_PLAIN,
		.summary = "what a command does, or those of a family",
		.run = cmd_help },
	{ .words = "completion",
		.arguments = { { "SHELL", WORD_CHOICE, .choices = "bash zsh" } },
		.flags = COMMAND_PLAIN,
		.summary = "the script that completes command lines in a shell",
		.details = "For bash or zsh: source <(skeinctl completion bash). Names of nodes, secrets, "
			   "rules and versions "
			   "are asked of Redis, for at most a second.",
		.run = cmd_completion },
	{ .words = "__complete",
		.arguments = { { "WORD", WORD_TEXT, .is_optional = true, .is_many = true } },
		.flags = COMMAND_PLAIN | COMMAND_HIDDEN,
		.summary = "how a command line may go on, for a shell",
		.run = cmd_complete },
	{ .words = "__manual",
		.flags = COMMAND_PLAIN | COMMAND_HIDDEN,
		.summary = "the man page, for the build",
		.run = cmd_manual },
};

const struct command_group group_tools = { "This program", commands, ARRAY_LEN(commands) };
