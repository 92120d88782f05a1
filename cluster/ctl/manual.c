#include "manual.h"

#include "call.h"
#include "help.h"

enum { LINE_MAX_LEN = 72 };

/* What no table has. A line that begins with a dot is a macro. */
static const char head[] = ".Dd November 27, 2026\n"
			   ".Dt SKEINCTL 1\n"
			   ".Os\n"
			   ".Sh NAME\n"
			   ".Nm skeinctl\n"
			   ".Nd look after a Skein mail relay cluster\n"
			   ".Sh SYNOPSIS\n"
			   ".Nm\n"
			   ".Op Ar option ...\n"
			   ".Ar command\n"
			   ".Op Ar word ...\n"
			   ".Sh DESCRIPTION\n"
			   ".Nm\n"
			   "looks after a cluster of\n"
			   ".Xr skeind 8\n"
			   "through its Redis.\n"
			   "No node needs to be up, and it may run on any host that reaches Redis.\n"
			   ".Pp\n"
			   "Tables are for people: as wide as the terminal, coloured on one.\n"
			   "Programs ask for\n"
			   ".Fl Fl json :\n"
			   "ids and names as text, times in milliseconds, null for what is not known.\n"
			   ".Pp\n"
			   "Options may stand before the command or behind it, as\n"
			   ".Fl Fl option Ar value\n"
			   "or\n"
			   ".Fl Fl option Ns = Ns Ar value ;\n"
			   ".Fl Fl\n"
			   "ends them.\n"
			   "A\n"
			   ".Ar NODE\n"
			   "is a name, a UUID or the first letters of one;\n"
			   "an\n"
			   ".Ar ID\n"
			   "is that of a message, as\n"
			   ".Ic queue list\n"
			   "shows it.\n"
			   "What destroys is asked about on a terminal, and refused elsewhere unless\n"
			   ".Fl Fl yes\n"
			   "is said.\n";

static const char environment[] =
	".Sh ENVIRONMENT\n"
	".Bl -tag -width Ds\n"
	".It Ev SKEIN_REDIS\n"
	"Where Redis is, as\n"
	".Ar HOST:PORT ,\n"
	"when\n"
	".Fl Fl redis\n"
	"does not say.\n"
	".It Ev SKEIN_SENTINELS\n"
	"Its Sentinels, as\n"
	".Ar HOST:PORT,... ,\n"
	"in place of it.\n"
	".It Ev SKEIN_CONFIG\n"
	"A file in place of\n"
	".Pa /etc/skein/skein.yaml .\n"
	".It Ev NO_COLOR\n"
	"Set and not empty: no colours.\n"
	".It Ev VISUAL , EDITOR\n"
	"The editor of\n"
	".Ic policy edit\n"
	".Pq Pa vi .\n"
	".It Ev USER , SUDO_USER\n"
	"Who is noted with a change.\n"
	".El\n"
	".Sh FILES\n"
	".Bl -tag -width Ds\n"
	".It Pa /etc/skein/skein.yaml\n"
	"Settings of this host's node: where Redis is, how to log in, the key, when\n"
	"nothing else says where Redis is.\n"
	".It Pa /etc/skein/cluster.key\n"
	"A key of the cluster, for\n"
	".Fl Fl key-file .\n"
	".El\n"
	".Sh EXIT STATUS\n"
	".Bl -tag -width Ds\n";

static const char examples[] = ".El\n"
			       ".Sh EXAMPLES\n"
			       "The cluster at a glance, on the host of a node, and anywhere else:\n"
			       ".Pp\n"
			       ".Dl # skeinctl status\n"
			       ".Dl $ skeinctl --redis redis.example.net:6379 status\n"
			       ".Pp\n"
			       "What waits longest, again every five seconds:\n"
			       ".Pp\n"
			       ".Dl $ skeinctl queue list --sort age --watch 5\n"
			       ".Pp\n"
			       "Take a node out, and wait until nothing depends on it:\n"
			       ".Pp\n"
			       ".Dl $ skeinctl drain relay-a --wait\n"
			       ".Pp\n"
			       "Cancel all that is held:\n"
			       ".Bd -literal -offset indent\n"
			       "$ skeinctl queue list --state held --limit 1000 --json |\n"
			       "\tjq -r '.messages[].id' | xargs skeinctl queue cancel --yes\n"
			       ".Ed\n"
			       ".Pp\n"
			       "Completion in bash, for this shell:\n"
			       ".Pp\n"
			       ".Dl $ source <(skeinctl completion bash)\n"
			       ".Sh SEE ALSO\n"
			       ".Xr skeind 8\n";

static void append_word(struct buf *out, struct span word, bool begins_line)
{
	bool is_dash = true;

	if (begins_line && (word.ptr[0] == '.' || word.ptr[0] == '\''))
		buf_append_str(out, "\\&");
	for (size_t i = 0; i < word.len; i++) {
		is_dash = is_dash && word.ptr[i] == '-';
		/* A dash that begins a word is one to be copied. */
		if (word.ptr[i] == '\\' || is_dash)
			buf_append_str(out, is_dash ? "\\-" : "\\e");
		else
			buf_append_byte(out, word.ptr[i]);
	}
}

/* Each sentence begins a line, and none is long. */
static void append_text(struct buf *out, const char *text)
{
	bool ends_sentence = false;
	size_t column = 0;

	for (; *text; text += strspn(text, " \n")) {
		struct span word = span_of(text, strcspn(text, " \n"));
		bool begins_line = column == 0 || ends_sentence || column + 1 + word.len > LINE_MAX_LEN;

		if (column)
			buf_append_byte(out, begins_line ? '\n' : ' ');
		append_word(out, word, begins_line);
		column = (begins_line ? 0 : column + 1) + word.len;
		ends_sentence = word.ptr[word.len - 1] == '.';
		text += word.len;
	}
}

static void append_option(struct buf *out, const struct option_row *option)
{
	buf_append_str(out, ".It ");
	if (option->letter)
		buf_printf(out, "Fl %c , ", option->letter);
	buf_printf(out, "Fl Fl %s", option->name);
	if (option->value)
		buf_printf(out, option->use == OPTION_VALUE_OPTIONAL ? " Op Ar %s" : " Ar %s", option->value);
	buf_append_byte(out, '\n');
	append_text(out, option->help);
	buf_append_str(out, option->use == OPTION_MANY ? ";\nmay be given several times\n" : "\n");
}

static void append_command(struct buf *out, const struct command *command)
{
	const struct option_row *option = NULL;
	struct buf summary = { 0 };

	buf_printf(out, ".It Ic %s", command->words);
	for (const struct word_row *word = command->arguments; word->name; word++)
		buf_printf(out, " %s%s%s", word->is_optional ? "Op Ar " : "Ar ", word->name,
			word->is_many ? " ..." : "");
	buf_append_byte(out, '\n');
	help_append_sentence(&summary, command->summary);
	buf_append_byte(&summary, '\0');
	append_text(out, buf_span(&summary).ptr);
	buf_fini(&summary);
	if (command->details) {
		buf_append_byte(out, '\n');
		append_text(out, command->details);
	}
	buf_append_str(out, "\n.Bl -tag -width Ds -compact\n");
	while ((option = command_option_next(command, option)))
		append_option(out, option);
	buf_append_str(out, ".El\n");
}

void manual_append(struct buf *out)
{
	buf_append_str(out, head);
	buf_append_str(out, ".Sh OPTIONS\n.Bl -tag -width Ds\n");
	for (const struct option_row *row = options_rows; row->name; row++)
		append_option(out, row);
	buf_append_str(out, ".El\n.Sh COMMANDS\n");
	for (size_t i = 0; i < COMMAND_GROUPS; i++) {
		buf_printf(out, ".Ss %s\n.Bl -tag -width Ds\n", command_groups[i]->title);
		for (size_t k = 0; k < command_groups[i]->count; k++)
			if (!command_is_hidden(&command_groups[i]->commands[k]))
				append_command(out, &command_groups[i]->commands[k]);
		buf_append_str(out, ".El\n");
	}
	buf_append_str(out, environment);
	for (size_t i = 0; i < HELP_EXITS; i++) {
		buf_printf(out, ".It %zu\n", i);
		append_text(out, help_exits[i]);
		buf_append_str(out, ".\n");
	}
	buf_append_str(out, examples);
}
