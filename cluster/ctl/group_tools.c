#include "command.h"

static const struct command commands[] = {
	{ .words = "help",
		.arguments = { { "COMMAND", WORD_COMMAND, .is_optional = true, .is_many = true } },
		.flags = COMMAND_PLAIN,
		.summary = "what a command does, or those of a family",
		.run = cmd_help },
};

const struct command_group group_tools = { "This program", commands, ARRAY_LEN(commands) };
