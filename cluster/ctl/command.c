#include "command.h"

#include "options.h"
#include "skein/cluster/schema/suggest.h"

const struct command_group *const command_groups[COMMAND_GROUPS] = { &group_cluster, &group_mail,
	&group_policy, &group_hops, &group_secrets, &group_tools };

/* What several commands have, behind their own options. */
static const struct option_row yes_row = { .name = "yes", .help = "do not ask whether it is meant" };
static const struct option_row watch_row = { .name = "watch",
	.value = "SECONDS",
	.kind = WORD_NUMBER,
	.min = 1,
	.max = 86400,
	.use = OPTION_VALUE_OPTIONAL,
	.help = "show it again and again (2), until Ctrl-C" };
static const struct option_row json_row = { .name = "json", .help = "print JSON" };
static const struct option_row help_row = { .name = "help", .letter = 'h', .help = "say what it does" };

const struct command *command_next(const struct command *command)
{
	if (!command)
		return command_groups[0]->commands;
	for (size_t i = 0; i < COMMAND_GROUPS; i++) {
		const struct command_group *group = command_groups[i];

		if (command < group->commands || command >= group->commands + group->count)
			continue;
		if (command + 1 < group->commands + group->count)
			return command + 1;
		return i + 1 < COMMAND_GROUPS ? command_groups[i + 1]->commands : NULL;
	}
	return NULL;
}

bool command_is_hidden(const struct command *command)
{
	return command->flags & COMMAND_HIDDEN;
}

struct span command_family(const struct command *command)
{
	return span_of(command->words, strcspn(command->words, " "));
}

const char *command_verb(const struct command *command)
{
	const char *blank = strchr(command->words, ' ');

	return blank ? blank + 1 : "";
}

bool command_has_family(struct span word)
{
	const struct command *command = NULL;

	while ((command = command_next(command)))
		if (*command_verb(command) && span_eq(command_family(command), word))
			return true;
	return false;
}

const struct command *command_of_word(struct span word)
{
	const struct command *command = NULL;

	while ((command = command_next(command)))
		if (span_eq(span_of_str(command->words), word))
			return command;
	return NULL;
}

/* ---- options ---- */

static const struct option_row *shared_next(const struct command *command, const struct option_row *option)
{
	const struct option_row *const rows[] = { command->destroys ? &yes_row : NULL,
		command->flags & COMMAND_WATCHED ? &watch_row : NULL,
		command->flags & COMMAND_PLAIN ? NULL : &json_row, &help_row };
	size_t next = 0;

	for (size_t i = 0; option && i < ARRAY_LEN(rows); i++)
		if (rows[i] == option)
			next = i + 1;
	while (next < ARRAY_LEN(rows) && !rows[next])
		next++;
	return next < ARRAY_LEN(rows) ? rows[next] : NULL;
}

const struct option_row *command_option_next(const struct command *command, const struct option_row *option)
{
	bool is_own = option >= command->options && option <= command->options + COMMAND_OPTIONS_MAX;
	const struct option_row *next = is_own ? option + 1 : command->options;

	if (option && !is_own)
		return shared_next(command, option);
	return next->name ? next : shared_next(command, NULL);
}

const struct option_row *command_option(const struct command *command, struct span name)
{
	const struct option_row *row = NULL;

	while ((row = command_option_next(command, row)))
		if (span_eq(span_of_str(row->name), name))
			return row;
	return NULL;
}

const struct option_row *command_option_letter(const struct command *command, char letter)
{
	const struct option_row *row = NULL;

	while ((row = command_option_next(command, row)))
		if (row->letter == letter)
			return row;
	return NULL;
}

void command_append_synopsis(struct buf *out, const struct command *command)
{
	const struct option_row *option = NULL;

	buf_printf(out, "skeinctl %s", command->words);
	for (const struct word_row *word = command->arguments; word->name; word++)
		buf_printf(out, " %s%s%s%s", word->is_optional ? "[" : "", word->name,
			word->is_many ? "..." : "", word->is_optional ? "]" : "");
	while ((option = command_option_next(command, option))) {
		if (option == &help_row)
			continue;
		buf_printf(out, option->letter ? " [-%c" : " [--", option->letter);
		if (!option->letter)
			buf_append_str(out, option->name);
		if (option->value)
			buf_printf(
				out, option->use == OPTION_VALUE_OPTIONAL ? "[=%s]" : " %s", option->value);
		buf_append_str(out, option->use == OPTION_MANY ? "]..." : "]");
	}
}

/* ---- by name ---- */

static void explain_first(const char *typed, struct buf *why)
{
	struct suggestion near = suggest_begin(span_of_str(typed));
	const struct command *command = NULL;

	while ((command = command_next(command)))
		if (!command_is_hidden(command))
			suggest_offer(&near, command_family(command));
	buf_printf(why, "unknown command \"%s\"", typed);
	if (near.best.len)
		buf_printf(why, ": did you mean \"%.*s\"?", SPAN_ARGS(near.best));
	else
		buf_append_str(why, ": see skeinctl --help");
}

static void explain_second(const char *first, const char *typed, struct buf *why)
{
	struct suggestion near = suggest_begin(span_of_str(typed));
	const struct command *command = NULL;
	struct buf verbs = { 0 };

	while ((command = command_next(command))) {
		if (!span_eq(command_family(command), span_of_str(first)))
			continue;
		suggest_offer(&near, span_of_str(command_verb(command)));
		buf_printf(&verbs, "%s%s", buf_len(&verbs) ? ", " : "", command_verb(command));
	}
	if (typed && near.best.len)
		buf_printf(why, "unknown command \"%s %s\": did you mean \"%s %.*s\"?", first, typed, first,
			SPAN_ARGS(near.best));
	else
		buf_printf(why, "%s what? %.*s", first, SPAN_ARGS(buf_span(&verbs)));
	buf_fini(&verbs);
}

const struct command *command_find(int argc, char **argv, int *words_out, struct buf *why_out)
{
	const struct command *command = NULL, *of_one_word = NULL;
	bool knows_first = false;

	while ((command = command_next(command))) {
		const char *verb = command_verb(command);

		if (!span_eq(command_family(command), span_of_str(argv[0])))
			continue;
		knows_first = true;
		if (!*verb)
			of_one_word = command;
		else if (argc > 1 && strcmp(argv[1], verb) == 0)
			break;
	}
	*words_out = command ? 2 : 1;
	if (command || of_one_word)
		return command ? command : of_one_word;
	if (knows_first)
		explain_second(argv[0], argc > 1 ? argv[1] : NULL, why_out);
	else
		explain_first(argv[0], why_out);
	return NULL;
}
