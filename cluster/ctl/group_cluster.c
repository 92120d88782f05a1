#include "command.h"

static const struct command commands[] = {
	{ .words = "status",
		.flags = COMMAND_WATCHED,
		.summary = "nodes, leader, queue and Redis at a glance",
		.details = "Exit code 1 when no node runs.",
		.run = cmd_status },
	{ .words = "nodes",
		.options = { { .name = "all", .help = "with nodes that were forgotten" } },
		.flags = COMMAND_WATCHED,
		.summary = "every node, its state and what it owns",
		.run = cmd_nodes },
	{ .words = "node forget",
		.arguments = { { "NODE", WORD_NODE } },
		.summary = "give up a node that will not come back",
		.details = "A dead node's journal may hold mail; the cluster keeps track of what it still "
			   "has to be "
			   "told until the node returns or is forgotten. A forgotten journal is refused for "
			   "ever: "
			   "forget what has no disk any more.",
		.destroys = "has the node's journal refused for ever, with the mail that is in it",
		.run = cmd_node_forget },
	{ .words = "drain",
		.arguments = { { "NODE", WORD_NODE } },
		.options = { { .name = "wait",
				     .help = "until it owns nothing, and no message has its only journal "
					     "copy there" },
			{ .name = "timeout",
				.value = "SECONDS",
				.kind = WORD_NUMBER,
				.max = 7 * 86400,
				.help = "for --wait (300); exit code 5 when it is over" },
			{ .name = "cancel", .help = "take mail again" } },
		.summary = "let a node hand its mail over",
		.details = "The node stops taking mail, hands its queue to the others and stays so, after "
			   "restarts "
			   "too, until --cancel.",
		.run = cmd_drain },
	{ .words = "ban add",
		.arguments = { { "ADDRESS|NETWORK", WORD_TEXT } },
		.options = { { .name = "for",
				     .value = "TIME",
				     .kind = WORD_DURATION,
				     .help = "90s, 30m, 1h, 2d, up to 365 days (1h)" },
			{ .name = "message",
				.letter = 'm',
				.value = "WHY",
				.help = "for who looks at the list" } },
		.summary = "refuse connections from there, for a time",
		.run = cmd_ban_add },
	{ .words = "ban list",
		.flags = COMMAND_WATCHED,
		.summary = "who is banned, for how long, by whom and why",
		.run = cmd_ban_list },
	{ .words = "ban remove",
		.arguments = { { "ADDRESS|NETWORK", WORD_TEXT } },
		.summary = "end a ban now",
		.run = cmd_ban_remove },
};

const struct command_group group_cluster = { "Cluster", commands, ARRAY_LEN(commands) };
