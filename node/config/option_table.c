#include "config/option_table.h"

const struct option_row option_rows[] = {
	{ "--listen", OPTION_ADDRESS, .path = "listeners", .value = "ADDR:PORT",
		.help = "take SMTP here; may be repeated" },
	{ "--next-hop", OPTION_NEXT_HOP, .path = "route.next_hops", .value = "HOST[:PORT]",
		.help = "send mail there (port 25); repeated: in order of preference" },
	{ "--spool", OPTION_TEXT, .path = "node.spool", .value = "DIR", .help = "keep the journal there" },
	{ "--allow", OPTION_ITEM, .path = "relay.allow", .value = "CIDR",
		.help = "let these hosts relay; may be repeated; without it nobody may" },
	{ "--redis", OPTION_TEXT, .path = "redis.address", .value = "HOST:PORT",
		.help = "be a node of the cluster that this Redis keeps together" },
	{ "--admin", OPTION_TEXT, .path = "admin.listen", .value = "ADDR:PORT",
		.help = "answer /livez, /readyz, /healthz and /metrics here" },
	{ "--name", OPTION_TEXT, .path = "node.name", .value = "NAME",
		.help = "name of this node (the host's name)" },
	{ "--config", OPTION_CONFIG, .value = "FILE",
		.help = "read settings from FILE; options win over it" },
	{ "--set", OPTION_SET, .value = "PATH=VALUE",
		.help = "any setting, as in --set log.format=json; may be repeated" },
	{ "--check", OPTION_ACTION, .action = OPTIONS_CHECK,
		.help = "tell everything that is wrong with the settings, or ok" },
	{ "--count-mail", OPTION_ACTION, .action = OPTIONS_COUNT_MAIL,
		.help = "of a node that is stopped: print how many messages its spool holds" },
	{ "--print-defaults", OPTION_ACTION, .action = OPTIONS_PRINT_DEFAULTS,
		.help = "print a settings file with every setting explained" },
	{ "--version", OPTION_ACTION, .action = OPTIONS_VERSION, .help = "print the version" },
	{ "--help", OPTION_ACTION, .action = OPTIONS_HELP, .help = "print the options" },
	{ "-h", OPTION_ACTION, .action = OPTIONS_HELP },
	{ "--manual", OPTION_ACTION, .action = OPTIONS_MANUAL },
	{ .name = NULL },
};

void option_table_append_help(struct buf *out)
{
	buf_append_str(out,
		"Usage: skeind --listen ADDR:PORT --next-hop HOST[:PORT] --spool DIR [OPTION]...\n"
		"       skeind --config FILE [OPTION]...\n"
		"A relay node: takes mail, keeps it safe, and hands it to the next hop.\n\n");
	for (const struct option_row *row = option_rows; row->name; row++)
		if (row->help)
			buf_printf(out, "  %s %-*s  %s\n", row->name, (int)(21 - strlen(row->name)),
				row->value ? row->value : "", row->help);
	buf_append_str(out, "\nSIGTERM drains and ends, SIGHUP reads settings and certificates again.\n"
			    "Exit: 0 fine, 1 settings or start failed, 2 wrong command line.\n");
}

void option_table_append_manual(struct buf *out)
{
	buf_append_str(out, ".Dd November 27, 2026\n"
			    ".Dt SKEIND 8\n"
			    ".Os\n"
			    ".Sh NAME\n"
			    ".Nm skeind\n"
			    ".Nd relay node of a Skein mail cluster\n"
			    ".Sh SYNOPSIS\n"
			    ".Nm\n"
			    ".Fl Fl config Ar FILE\n"
			    ".Op Ar option ...\n"
			    ".Nm\n"
			    ".Fl Fl listen Ar ADDR:PORT\n"
			    ".Fl Fl next-hop Ar HOST[:PORT]\n"
			    ".Fl Fl spool Ar DIR\n"
			    ".Op Ar option ...\n"
			    ".Sh DESCRIPTION\n"
			    ".Nm\n"
			    "takes mail by SMTP, keeps it safe in a journal on its disk and in the Redis\n"
			    "of its cluster, and hands it to the next hop.\n"
			    "When a node is lost, the others deliver what it had.\n"
			    "It runs in the foreground and logs to standard error.\n"
			    ".Pp\n"
			    "Each option is a setting under another name and wins over the file.\n"
			    ".Fl Fl print-defaults\n"
			    "explains every setting.\n"
			    ".Pp\n"
			    ".Dv SIGTERM\n"
			    "drains and ends,\n"
			    ".Dv SIGHUP\n"
			    "reads settings and certificates again.\n"
			    ".Sh OPTIONS\n"
			    ".Bl -tag -width Ds\n");
	for (const struct option_row *row = option_rows; row->name; row++) {
		if (!row->help)
			continue;
		buf_printf(out, ".It Fl Fl %s%s%s\n", row->name + 2, row->value ? " Ar " : "",
			row->value ? row->value : "");
		buf_printf(out, "%s\n", row->help);
	}
	buf_append_str(out, ".El\n"
			    ".Sh FILES\n"
			    ".Bl -tag -width Ds\n"
			    ".It Pa /etc/skein/skein.yaml\n"
			    "Settings, where they are by custom.\n"
			    ".It Pa /etc/skein/cluster.key\n"
			    "The key of the cluster's secrets\n"
			    ".Pq Cm cluster.key_file .\n"
			    ".It Pa /var/lib/skein\n"
			    "The journal\n"
			    ".Pq Cm node.spool .\n"
			    "By root,\n"
			    ".Fl Fl check\n"
			    "looks as the user who owns it.\n"
			    ".It Pa /usr/share/doc/skein\n"
			    "The documents, beginning with getting-started.md, and examples.\n"
			    ".El\n"
			    ".Sh EXIT STATUS\n"
			    ".Bl -tag -width Ds\n"
			    ".It 0\n"
			    "fine.\n"
			    ".It 1\n"
			    "settings or start failed.\n"
			    ".It 2\n"
			    "wrong command line.\n"
			    ".El\n"
			    ".Sh EXAMPLES\n"
			    "Is all well with these settings?\n"
			    ".Pp\n"
			    ".Dl # skeind --config /etc/skein/skein.yaml --check\n"
			    ".Pp\n"
			    "A node of its own, for a first try:\n"
			    ".Bd -literal -offset indent\n"
			    "$ skeind --listen 127.0.0.1:2525 --next-hop 192.0.2.1 \\e\n"
			    "\t--spool /tmp/spool --allow 127.0.0.0/8\n"
			    ".Ed\n"
			    ".Sh SEE ALSO\n"
			    ".Xr skeinctl 1\n");
}
