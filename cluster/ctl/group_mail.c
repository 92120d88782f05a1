#include "command.h"

#define SINCE_OPTION                                                                                         \
	{                                                                                                    \
		.name = "since", .value = "TIME",                                                            \
		.help = "90s, 30m, 1h, 2d (ago), 14:30, 2026-11-27, \"2026-11-27 14:30\""                    \
	}
#define UNTIL_OPTION                                                                                         \
	{                                                                                                    \
		.name = "until", .value = "TIME", .help = "the same"                                         \
	}
#define FOLLOW_OPTION                                                                                        \
	{                                                                                                    \
		.name = "follow", .letter = 'f', .help = "go on with what happens"                           \
	}
#define UTC_OPTION                                                                                           \
	{                                                                                                    \
		.name = "utc", .help = "times in UTC instead of local ones"                                  \
	}

static const struct command commands[] = {
	{ .words = "queue list",
		.options = { { .name = "state",
				     .value = "STATE",
				     .kind = WORD_CHOICE,
				     .choices = "due deferred owned held quarantined",
				     .help = "due, deferred, owned, held or quarantined; otherwise all" },
			{ .name = "limit",
				.value = "N",
				.kind = WORD_NUMBER,
				.min = 1,
				.max = 1000000,
				.help = "rows (50)" },
			{ .name = "sort",
				.value = "ORDER",
				.kind = WORD_CHOICE,
				.choices = "age",
				.help = "age: oldest first; reads the whole queue" } },
		.flags = COMMAND_WATCHED,
		.summary = "messages, not more than a screen of them",
		.run = cmd_queue_list },
	{ .words = "queue show",
		.arguments = { { "ID", WORD_MESSAGE } },
		.options = { { .name = "all", .help = "all recipients, not the first 50" } },
		.flags = COMMAND_WATCHED,
		.summary = "one message: envelope, recipients, last replies",
		.run = cmd_queue_show },
	{ .words = "queue retry",
		.arguments = { { "ID", WORD_MESSAGE, .is_many = true } },
		.summary = "try deferred messages now",
		.details = "What is held stays so: see release.",
		.run = cmd_queue_retry },
	{ .words = "queue hold",
		.arguments = { { "ID", WORD_MESSAGE, .is_many = true } },
		.summary = "do not try messages until they are released",
		.run = cmd_queue_hold },
	{ .words = "queue release",
		.arguments = { { "ID", WORD_MESSAGE, .is_many = true } },
		.summary = "end hold or quarantine, and try now",
		.run = cmd_queue_release },
	{ .words = "queue cancel",
		.arguments = { { "ID", WORD_MESSAGE, .is_many = true } },
		.summary = "delete messages; nobody is told",
		.details = "A message that a node is delivering at the moment ends when that attempt does, "
			   "if it "
			   "was not delivered.",
		.destroys = "deletes messages, and nobody is told",
		.run = cmd_queue_cancel },
	{ .words = "trace",
		.arguments = { { "ID", WORD_MESSAGE, .is_optional = true } },
		.options = { { .name = "from", .value = "ADDRESS", .help = "the sender, or @DOMAIN" },
			{ .name = "to", .value = "ADDRESS", .help = "a recipient, or @DOMAIN" },
			{ .name = "client", .value = "ADDRESS", .help = "where it came from: an address or a network" },
			{ .name = "user", .value = "NAME", .kind = WORD_USER, .help = "who had authenticated" },
			SINCE_OPTION, UNTIL_OPTION,
			{ .name = "limit",
				.value = "N",
				.kind = WORD_NUMBER,
				.min = 1,
				.max = 1000,
				.help = "messages, the newest (20)" },
			FOLLOW_OPTION, UTC_OPTION,
			{ .name = "file",
				.value = "FILE",
				.kind = WORD_FILE,
				.use = OPTION_MANY,
				.help = "a node's tracking file (JSON), instead of Redis" } },
		.summary = "what happened to messages, over all nodes, step by step",
		.details = "All that is said must be so of a message. Its session is told too, and reports about "
			   "it. Refusals and logins that belong to no message are told as their session. Exit "
			   "code 1 when nothing was found.",
		.run = cmd_trace },
	{ .words = "log",
		.options = { FOLLOW_OPTION,
			{ .name = "kind", .value = "KIND,...", .kind = WORD_EVENT, .help = "only these, such as reject,defer,bounce" },
			{ .name = "node", .value = "NAME", .kind = WORD_NODE, .help = "only of this node" },
			SINCE_OPTION, UNTIL_OPTION, UTC_OPTION },
		.summary = "everything that happens, over all nodes",
		.details = "What the last ten minutes brought; with --follow, what comes from now on.",
		.run = cmd_log },
};

const struct command_group group_mail = { "Mail", commands, ARRAY_LEN(commands) };
