#include "command.h"

static const struct command commands[] = {
	{ .words = "status",
		.flags = COMMAND_WATCHED,
		.summary = "nodes, leader, queue and Redis at a glance",
		.details = "Exit code 1 when no node runs.",
		.run = cmd_status },
	{ .words = "top",
		.options = { { .name = "every",
				     .value = "SECONDS",
				     .kind = WORD_NUMBER,
				     .min = 1,
				     .max = 3600,
				     .help = "between looks (2)" },
			{ .name = "sort",
				.value = "ORDER",
				.kind = WORD_CHOICE,
				.choices = "name in out deferred owns",
				.help = "name, in, out, deferred or owns (name)" },
			{ .name = "once", .help = "print one look at it and end" } },
		.summary = "what the cluster does, live: mail, queue, next hops, Redis",
		.details = "On a terminal: q quits, s sorts by the next order. Elsewhere, and with --json: "
			   "one look, which "
			   "takes two seconds, because a rate needs two.",
		.run = cmd_top },
	{ .words = "nodes",
		.options = { { .name = "all", .help = "with nodes that were forgotten" } },
		.flags = COMMAND_WATCHED,
		.summary = "every node, its state and what it owns",
		.run = cmd_nodes },
	{ .words = "doctor",
		.summary = "what is not as it should be, and what to do about it",
		.details = "Looks at Redis, the rights of the user, nodes, mail, secrets and certificates; "
			   "on the host of a node also at its limits, clock and disk, with --config FILE "
			   "where its settings have another place. Run it as the node's user, or as root. "
			   "Exit code 1 when there is a warning or a failure, 3 when Redis is not there.",
		.run = cmd_doctor },
	{ .words = "backup",
		.arguments = { { "FILE", WORD_FILE } },
		.summary = "write policy, secrets, bans and hops that are down by hand to a new file",
		.details = "Secrets stay sealed: keep the cluster's key file elsewhere. Mail is not in it: "
			   "what protects "
			   "mail is its second copy.",
		.run = cmd_backup },
	{ .words = "restore",
		.arguments = { { "FILE", WORD_FILE } },
		.options = { { .name = "dry-run", .help = "only say what would change" } },
		.summary = "make policy and secrets those of a backup",
		.details = "Into a Redis without a policy all its versions come back; elsewhere the backup's "
			   "policy "
			   "becomes the next version. What is not in the backup stays. Needs --key-file, and "
			   "refuses "
			   "secrets that it does not open.",
		.destroys = "replaces the policy and the secrets of the cluster",
		.run = cmd_restore },
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
		.arguments = { { "ADDRESS|NETWORK", WORD_BAN } },
		.summary = "end a ban now",
		.run = cmd_ban_remove },
	{ .words = "alerts list",
		.options = { { .name = "all", .help = "every alert, with its bound" } },
		.flags = COMMAND_WATCHED,
		.summary = "what is not as it should be, and since when",
		.details = "What fires or is about to, what is silent, and notices that nobody took yet.",
		.run = cmd_alerts_list },
	{ .words = "alerts silence",
		.arguments = { { "ALERT|\"ALERT SUBJECT\"", WORD_ALERT } },
		.options = { { .name = "for",
				     .value = "TIME",
				     .kind = WORD_DURATION,
				     .help = "90s, 30m, 1h, 2d, up to 365 days (1h)" },
			{ .name = "message",
				.letter = 'm',
				.value = "WHY",
				.help = "for who looks at the list" },
			{ .name = "end", .help = "no longer" } },
		.summary = "do not tell of an alert, for a time",
		.details = "As alerts list names it: node-lost, or \"node-lost relay-3\". It is listed and "
			   "logged all the same, and told when the time is over and it still fires.",
		.run = cmd_alerts_silence },
	{ .words = "alerts test",
		.arguments = { { "CHANNEL", WORD_CHANNEL, .is_optional = true } },
		.summary = "send a test notice, and say what came of it",
		.details = "The leader sends it, over one channel or all. Exit code 1 when one did not take "
			   "it, 5 when no leader answers within a minute.",
		.run = cmd_alerts_test },
};

const struct command_group group_cluster = { "Cluster", commands, ARRAY_LEN(commands) };
