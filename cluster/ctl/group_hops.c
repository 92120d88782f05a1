#include "command.h"

static const struct command commands[] = {
	{ .words = "hops",
		.flags = COMMAND_WATCHED,
		.summary = "next hops that are down or slow, and shared connections",
		.run = cmd_hops },
	{ .words = "hops down",
		.arguments = { { "HOP", WORD_HOP } },
		.options = { { .name = "for",
				     .value = "TIME",
				     .kind = WORD_DURATION,
				     .help = "90s, 30m, 1h, 2d, up to 365 days (10m)" },
			{ .name = "message", .letter = 'm', .value = "WHY", .help = "for who looks at the list" } },
		.summary = "send nothing to a next hop, for a time",
		.details = "What nodes find out meanwhile does not count. Deliveries that are under way go on. HOP is "
			   "HOST:PORT as the list has it, or HOST for port 25.",
		.run = cmd_hops_down },
	{ .words = "hops up",
		.arguments = { { "HOP", WORD_HOP } },
		.summary = "try a next hop again now",
		.details = "HOP as for hops down.",
		.run = cmd_hops_up },
	{ .words = "dns check",
		.arguments = { { "DOMAIN", WORD_DOMAIN, .is_optional = true, .is_many = true } },
		.options = {
			{ .name = "egress", .value = "ADDRESS", .use = OPTION_MANY, .help = "that the cluster sends from, as others see it" },
			{ .name = "helo", .value = "NAME", .help = "that the cluster says in EHLO (node.hostname of --config)" },
			{ .name = "dkim", .value = "SELECTOR", .kind = WORD_SELECTOR, .use = OPTION_MANY,
				.help = "that signs; SELECTOR@DOMAIN for another domain (d=); =FILE behind it: its key" },
			{ .name = "server", .value = "HOST:PORT", .help = "ask there instead of those in /etc/resolv.conf" },
			{ .name = "trust-anchor", .value = "FILE", .kind = WORD_FILE, .help = "validate by DNSSEC, such as with /usr/share/dns/root.key" },
			{ .name = "policy-ca", .value = "FILE", .kind = WORD_FILE, .help = "for the policy of MTA-STS, instead of the system's" },
			{ .name = "policy-connect", .value = "HOST:PORT", .help = "fetch that policy there, whatever its name leads to" },
			{ .name = "timeout", .value = "SECONDS", .kind = WORD_NUMBER, .min = 1, .max = 600, .help = "for one domain (30)" },
		},
		.flags = COMMAND_WATCHED,
		.summary = "whether the DNS of senders' domains is as it should be",
		.details = "Without DOMAIN: those that the policy signs for, with the cluster's keys; needs --key-file. What "
			   "is not said about the cluster is not judged. Exit code 1 when there is something to do, 3 "
			   "when there is not, but the DNS did not answer everything.",
		.run = cmd_dns_check },
	{ .words = "dns status",
		.flags = COMMAND_WATCHED,
		.summary = "what the leader found when it last checked senders' domains",
		.details = "As dns check shows it, with its exit codes. When, and which domains: the settings "
			   "dns_watch.",
		.run = cmd_dns_status },
};

const struct command_group group_hops = { "Next hops and DNS", commands, ARRAY_LEN(commands) };
