#include "command.h"

#include "skein/cluster/schema/suggest.h"

static const struct command commands[] = {
	{ "status", "", "nodes, leader, queue and Redis at a glance", "Exit code 1 when no node runs.\n",
		cmd_status },
	{ "nodes", "[--all]", "every node, its state and what it owns",
		"  --all   with nodes that were forgotten\n", cmd_nodes },
	{ "node forget", "NODE --yes", "give up a node that will not come back",
		"A dead node's journal may hold mail; the cluster keeps track of what it still has to be "
		"told until the node\n"
		"returns or is forgotten. A forgotten journal is refused for ever: forget what has no disk "
		"any more.\n"
		"  --yes   needed\n",
		cmd_node_forget },
	{ "drain", "NODE [--wait] [--timeout SECONDS] | NODE --cancel", "let a node hand its mail over",
		"The node stops taking mail, hands its queue to the others and stays so, after restarts too, "
		"until --cancel.\n"
		"  --wait             until it owns nothing, and no message has its only journal copy there\n"
		"  --timeout SECONDS  for --wait (300); exit code 5 when it is over\n"
		"  --cancel           take mail again\n",
		cmd_drain },
	{ "queue list", "[--state STATE] [--limit N] [--sort age]",
		"messages, not more than a screen of them",
		"  --state STATE  due, deferred, owned, held or quarantined; otherwise all\n"
		"  --limit N      rows (50)\n"
		"  --sort age     oldest first: reads the whole queue\n",
		cmd_queue_list },
	{ "queue show", "ID", "one message: envelope, recipients, last replies", "", cmd_queue_show },
	{ "queue retry", "ID...", "try deferred messages now", "What is held stays so: see release.\n",
		cmd_queue_retry },
	{ "queue hold", "ID...", "do not try messages until they are released", "", cmd_queue_hold },
	{ "queue release", "ID...", "end hold or quarantine, and try now", "", cmd_queue_release },
	{ "queue cancel", "ID...", "delete messages; nobody is told",
		"A message that a node is delivering at the moment ends when that attempt does, if it was "
		"not delivered.\n",
		cmd_queue_cancel },
	{ "policy show", "[VERSION]", "the policy as it was written", "", cmd_policy_show },
	{ "policy edit", "[-m TEXT]", "change it in $VISUAL or $EDITOR",
		"Opens again with what is wrong above its line, until it is right or left as it was.\n"
		"  -m TEXT  why, for the history\n",
		cmd_policy_edit },
	{ "policy apply", "FILE [-m TEXT] [--expect VERSION]", "make a file the policy",
		"FILE may be - for standard input.\n"
		"  -m TEXT           why, for the history\n"
		"  --expect VERSION  only if this is the current version; 0: if there is none\n",
		cmd_policy_apply },
	{ "policy check", "FILE", "check a file, without Redis", "Exit code 1 when it has errors.\n",
		cmd_policy_check },
	{ "policy diff", "[FILE | VERSION [VERSION]]", "what differs between versions",
		"Nothing said: the last change. A file: what it would change. A version: what changed since "
		"then.\n",
		cmd_policy_diff },
	{ "policy history", "", "who changed it when and why", "The last 100 versions.\n",
		cmd_policy_history },
	{ "policy rollback", "VERSION [-m TEXT]", "make an older version the next one",
		"  -m TEXT  why, for the history\n", cmd_policy_rollback },
	{ "acl list", "", "the networks of all rules", "", cmd_acl_list },
	{ "acl add", "NETWORK [--rule NAME]... [-m TEXT]", "add a network to rules",
		"Edits the policy's text and leaves the rest of it as it is.\n"
		"  --rule NAME  needed when more than one rule allows networks\n"
		"  -m TEXT      why, for the history\n",
		cmd_acl_add },
	{ "acl remove", "NETWORK [--rule NAME]... [-m TEXT]", "take a network out of rules",
		"  --rule NAME  needed when more than one rule has the network\n"
		"  -m TEXT      why, for the history\n",
		cmd_acl_remove },
	{ "explain", "--client ADDRESS [...] | --batch", "which rule decides for a client, and why",
		"By the same code as the nodes'. What is not said may come yet: an allowed client that has "
		"not authenticated\n"
		"is asked to. Also: how full the limits are.\n"
		"  --client ADDRESS     where it connects from\n"
		"  --listener NAME      where it connects to\n"
		"  --user NAME          as whom it has authenticated\n"
		"  --group NAME         a group that the user is in; may be given several times\n"
		"  --own ADDRESS        an address that the user owns; may be given several times\n"
		"  --helo NAME          what it says in EHLO\n"
		"  --from A, --to B     sender and recipient; --to may be given several times\n"
		"  --author A           what From says; else it is the sender\n"
		"  --size BYTES         of the message\n"
		"  --tls                TLS is on; --tls-version 1.2 or 1.3\n"
		"  --certificate TEXT   subject of its certificate; --sha256 HEX its fingerprint\n"
		"  --no-starttls, --no-auth\n"
		"                       the listener does not offer it\n"
		"  --file FILE          by this policy instead of the current one\n"
		"  --batch              many clients: a line of JSON each on standard input, and an answer "
		"each\n",
		cmd_explain },
	{ "dns check", "[DOMAIN...] [--egress ADDRESS]... [--helo NAME] [--dkim SELECTOR[=FILE]]...",
		"whether the DNS of senders' domains is as it should be",
		"Without DOMAIN: those that the policy signs for, with the cluster's keys; needs --key-file. "
		"What is not said about\n"
		"the cluster is not judged. Exit code 1 when there is "
		"something to do, 3 when\n"
		"there is not, but the DNS did not answer everything.\n"
		"  --egress ADDRESS     that the cluster sends from, as others see it; may be given several "
		"times\n"
		"  --helo NAME          that the cluster says in EHLO (node.hostname of --config)\n"
		"  --dkim SELECTOR      that signs; SELECTOR@DOMAIN for another domain (d=); =FILE behind "
		"it: "
		"its key\n"
		"  --server HOST:PORT   ask there instead of those in /etc/resolv.conf\n"
		"  --trust-anchor FILE  validate by DNSSEC, such as with /usr/share/dns/root.key\n"
		"  --policy-ca FILE     for the policy of MTA-STS, instead of the system's\n"
		"  --policy-connect HOST:PORT\n"
		"                       fetch that policy there, whatever its name leads to\n"
		"  --timeout SECONDS    for one domain (30)\n",
		cmd_dns_check },
	{ "dns status", "", "what the leader found when it last checked the DNS of senders' domains",
		"As dns check shows it, with its exit codes. When, and which domains: the settings "
		"dns_watch.\n",
		cmd_dns_status },
	{ "ban add", "ADDRESS|NETWORK [--for 1h] [-m WHY]", "refuse connections from there, for a time",
		"  --for TIME  90s, 30m, 1h, 2d, up to 365 days (1h)\n"
		"  -m WHY      for who looks at the list\n",
		cmd_ban_add },
	{ "ban list", "", "who is banned, for how long, by whom and why", "", cmd_ban_list },
	{ "ban remove", "ADDRESS|NETWORK", "end a ban now", "", cmd_ban_remove },
	/* Before "hops", which takes any second word. */
	{ "hops down", "HOP [--for 10m] [-m WHY]", "send nothing to a next hop, for a time",
		"What nodes find out meanwhile does not count. Deliveries that are under way go on.\n"
		"  --for TIME  90s, 30m, 1h, 2d, up to 365 days (10m)\n"
		"  -m WHY      for who looks at the list\n"
		"HOP is HOST:PORT as the list has it, or HOST for port 25.\n",
		cmd_hops_down },
	{ "hops up", "HOP", "try a next hop again now", "HOP as for hops down.\n", cmd_hops_up },
	{ "hops", "", "next hops that are down or slow, and connections that routes share", "", cmd_hops },
	{ "key new", "FILE", "make a key for the cluster's secrets",
		"32 random bytes into a new file, for cluster.key_file of each node and for --key-file.\n",
		cmd_key_new },
	{ "secret set", "NAME [--file FILE]", "keep a secret in the cluster, sealed with its key",
		"Needs --key-file. The secret is read from standard input, without showing it on a "
		"terminal; one line end at its\n"
		"end is no part of it. It is never an argument.\n"
		"  --file FILE  read it from there\n",
		cmd_secret_set },
	{ "secret list", "", "names of secrets, who set them and by which key they are sealed", "",
		cmd_secret_list },
	{ "secret remove", "NAME...", "forget secrets", "", cmd_secret_remove },
	{ "secret rotate", "--new-key FILE", "seal all secrets with another key",
		"Give each node a key file with the new key on its first line and the old one on its second "
		"before. What was\n"
		"stopped halfway may be run again.\n"
		"  --new-key FILE  the key to seal with; --key-file is the one that opens\n",
		cmd_secret_rotate },
	{ "dkim create", "DOMAIN [--selector S] [--algorithm rsa|ed25519] [--bits N]",
		"make a key that signs mail of a domain",
		"Kept in the cluster, sealed with --key-file; nobody ever sees it. It signs once it is "
		"active "
		"and the policy says\n"
		"so under `sign`.\n"
		"  --selector S   its name (kind and day)\n"
		"  --algorithm A  rsa or ed25519 (rsa)\n"
		"  --bits N       of rsa, 2048 to 4096 (2048)\n",
		cmd_dkim_create },
	{ "dkim publish", "DOMAIN [SELECTOR...]", "print the keys' records for DNS",
		"As a line of a zone file, and as host and value. Nothing said: keys that are created or "
		"published.\n",
		cmd_dkim_publish },
	{ "dkim activate", "DOMAIN [SELECTOR...] --yes", "let published keys sign",
		"Nothing said: all that are published. A retired one may come back.\n"
		"  --yes  DNS has the record; without it, what to look at is told\n",
		cmd_dkim_activate },
	{ "dkim retire", "DOMAIN SELECTOR... [--last]", "let keys sign no more",
		"Leave the record in DNS for a week: mail on its way has the signature.\n"
		"  --last  even the domain's only active key\n",
		cmd_dkim_retire },
	{ "dkim list", "", "keys, their state and since when", "", cmd_dkim_list },
	{ "user add", "NAME [--group GROUP]... [--address ADDRESS]... [--scram] [--file FILE]",
		"a user of this relay alone, with a password",
		"Into the file of users, --users-file, that nodes with the back end `file` read. The "
		"password "
		"is read from standard\n"
		"input, twice and without showing it on a terminal. It is never an argument.\n"
		"  --group GROUP      that the user is in, for the policy; may be given several times\n"
		"  --address ADDRESS  that it may send as where the policy says `own`; may be given several "
		"times\n"
		"  --scram            logs in by SCRAM-SHA-256 too\n"
		"  --file FILE        read the password from there\n",
		cmd_user_add },
	{ "user passwd", "NAME [--scram | --no-scram] [--file FILE]", "a new password for a user",
		"Read as by user add. A user that logs in by SCRAM goes on to.\n"
		"  --scram, --no-scram  change that\n"
		"  --file FILE          read the password from there\n",
		cmd_user_passwd },
	{ "user set", "NAME [--group GROUP]... [--address ADDRESS]... [--disable | --enable]",
		"change what a user is",
		"What is said takes the place of all that was there; what is not said stays.\n"
		"  --group GROUP, --no-groups\n"
		"  --address ADDRESS, --no-addresses\n"
		"  --disable, --enable  whether it may log in\n",
		cmd_user_set },
	{ "user list", "", "the users of the file", "", cmd_user_list },
	{ "user remove", "NAME...", "forget users", "", cmd_user_remove },
};

static bool is_first_word(const char *words, const char *word)
{
	size_t len = strlen(word);

	return strncmp(words, word, len) == 0 && (words[len] == ' ' || words[len] == '\0');
}

static const char *second_word(const char *words)
{
	const char *blank = strchr(words, ' ');

	return blank ? blank + 1 : "";
}

static void explain_first(const char *typed, struct buf *why)
{
	struct suggestion near = suggest_begin(span_of_str(typed));

	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		suggest_offer(&near, span_of(commands[i].words, strcspn(commands[i].words, " ")));
	buf_printf(why, "unknown command \"%s\"", typed);
	if (near.best.len)
		buf_printf(why, ": did you mean \"%.*s\"?", SPAN_ARGS(near.best));
	else
		buf_append_str(why, ": see skeinctl --help");
}

static void explain_second(const char *first, const char *typed, struct buf *why)
{
	struct suggestion near = suggest_begin(span_of_str(typed));
	const char *separator = "";

	for (size_t i = 0; typed && i < ARRAY_LEN(commands); i++)
		if (is_first_word(commands[i].words, first))
			suggest_offer(&near, span_of_str(second_word(commands[i].words)));
	if (near.best.len) {
		buf_printf(why, "unknown command \"%s %s\": did you mean \"%s %.*s\"?", first, typed, first,
			SPAN_ARGS(near.best));
		return;
	}
	buf_printf(why, "%s what? ", first);
	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		if (!is_first_word(commands[i].words, first))
			continue;
		buf_printf(why, "%s%s", separator, second_word(commands[i].words));
		separator = ", ";
	}
}

const struct command *command_find(int argc, char **argv, int *words_out, struct buf *why_out)
{
	bool knows_first = false;

	for (size_t i = 0; i < ARRAY_LEN(commands); i++) {
		const char *second = second_word(commands[i].words);

		if (!is_first_word(commands[i].words, argv[0]))
			continue;
		knows_first = true;
		*words_out = *second ? 2 : 1;
		if (!*second || (argc > 1 && strcmp(argv[1], second) == 0))
			return &commands[i];
	}
	if (knows_first)
		explain_second(argv[0], argc > 1 ? argv[1] : NULL, why_out);
	else
		explain_first(argv[0], why_out);
	return NULL;
}

void command_print_all(struct buf *out)
{
	buf_append_str(out, "skeinctl [options] COMMAND\n\n"
			    "Looks after a Skein cluster through its Redis; no node needs to be up.\n\n");
	for (size_t i = 0; i < ARRAY_LEN(commands); i++)
		buf_printf(out, "  %-15s  %s\n", commands[i].words, commands[i].summary);
	buf_append_str(
		out, "\nskeinctl COMMAND --help says more. NODE is a name or a UUID, ID a message's id.\n\n");
	buf_append_str(out, options_help);
	buf_append_str(out,
		"\nExit codes: 0 done, 1 no such thing or not possible, 2 usage, 3 Redis unreachable,\n"
		"4 Redis refused, 5 --wait ran out of time.\n");
}

void command_print_one(const struct command *command, struct buf *out)
{
	buf_printf(out, "skeinctl %s%s%s [--json]\n%s.\n", command->words, *command->synopsis ? " " : "",
		command->synopsis, command->summary);
	if (*command->details)
		buf_printf(out, "\n%s", command->details);
}
