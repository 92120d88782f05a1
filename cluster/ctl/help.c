#include "help.h"

#include "call.h"
#include "screen.h"

enum { COMMAND_COLUMN = 20, OPTION_COLUMN = 28 };

const char *const help_exits[HELP_EXITS] = {
	[CTL_OK] = "done",
	[CTL_NEGATIVE] = "no such thing or not possible; also: no node runs (status), a policy with errors, "
			 "a conflict, something to "
			 "do (dns check), or the answer to a question was no",
	[CTL_USAGE] = "usage; nothing was sent, also where what destroys was not confirmed",
	[CTL_UNREACHABLE] = "Redis unreachable; or it went away, and what was asked for may be done or not, "
			    "and may be asked for "
			    "again",
	[CTL_REFUSED] = "Redis refused; it answered with an error, or the output could not be written",
	[CTL_LATE] = "--wait ran out of time",
};

static void append_blanks(struct buf *out, size_t count)
{
	while (count--)
		buf_append_byte(out, ' ');
}

/* Up to a blank or line end; brackets are not torn apart. */
static size_t word_len(const char *text)
{
	size_t len = 0;
	int depth = 0;

	for (; text[len] && text[len] != '\n' && (depth > 0 || text[len] != ' '); len++)
		depth += (text[len] == '[') - (text[len] == ']');
	return len;
}

void help_append_wrapped(struct buf *out, const char *text, size_t column, size_t indent)
{
	bool is_first = true;

	for (; *text; text += strspn(text, " ")) {
		size_t len = word_len(text);

		if (!is_first && column + 1 + len > HELP_WIDTH) {
			buf_append_byte(out, '\n');
			append_blanks(out, indent);
			column = indent;
		} else if (!is_first) {
			buf_append_byte(out, ' ');
			column++;
		}
		buf_append(out, span_of(text, len));
		column += len;
		text += len;
		is_first = *text == '\n';
		if (is_first) {
			buf_append_byte(out, '\n');
			append_blanks(out, indent);
			column = indent;
			text++;
		}
	}
	buf_append_byte(out, '\n');
}

/* `left`, then `right` from `column` on; on a line of its own where `left` is long. */
static void append_row(struct buf *out, struct span left, const char *right, size_t column)
{
	buf_append_str(out, "  ");
	buf_append(out, left);
	if (left.len + 4 > column) {
		buf_append_byte(out, '\n');
		append_blanks(out, column);
	} else {
		append_blanks(out, column - 2 - left.len);
	}
	help_append_wrapped(out, right, column, column);
}

static void append_option(struct buf *out, const struct option_row *option)
{
	struct buf form = { 0 }, text = { 0 };

	option_append_form(&form, option);
	buf_append_str(&text, option->help);
	if (option->use == OPTION_MANY)
		buf_append_str(&text, "; may be given several times");
	buf_append_byte(&text, '\0');
	append_row(out, buf_span(&form), buf_span(&text).ptr, OPTION_COLUMN);
	buf_fini(&form);
	buf_fini(&text);
}

/* ---- the first screen ---- */

static bool is_first_of_family(const struct command_group *group, size_t index)
{
	return index == 0 ||
	       !span_eq(command_family(&group->commands[index - 1]), command_family(&group->commands[index]));
}

/* "list, show, retry"; and in front of them, what the word alone does. */
static void append_family_row(struct buf *out, const struct command_group *group, size_t index)
{
	struct span family = command_family(&group->commands[index]);
	struct buf text = { 0 };
	bool has_verbs = false;

	for (; index < group->count && span_eq(command_family(&group->commands[index]), family); index++) {
		const struct command *command = &group->commands[index];
		const char *verb = command_verb(command);

		if (command_is_hidden(command))
			continue;
		if (!*verb)
			buf_append_str(&text, command->summary);
		else
			buf_printf(&text, "%s%s", has_verbs ? ", " : buf_len(&text) ? "; or: " : "", verb);
		has_verbs = has_verbs || *verb;
	}
	buf_append_byte(&text, '\0');
	if (buf_len(&text) > 1)
		append_row(out, family, buf_span(&text).ptr, COMMAND_COLUMN);
	buf_fini(&text);
}

static void append_exits(struct buf *out)
{
	struct buf text = { 0 };

	buf_append_str(&text, "Exit codes: ");
	for (size_t i = 0; i < HELP_EXITS; i++)
		buf_printf(&text, "%s%zu %.*s", i ? ", " : "", i, (int)strcspn(help_exits[i], ";"),
			help_exits[i]);
	buf_append_str(&text, ".");
	buf_append_byte(&text, '\0');
	buf_append_byte(out, '\n');
	help_append_wrapped(out, buf_span(&text).ptr, 0, 0);
	buf_fini(&text);
}

void help_append_all(struct buf *out)
{
	buf_append_str(out, "skeinctl [OPTION]... COMMAND [WORD]...\n\n"
			    "Looks after a Skein cluster through its Redis; no node needs to be up.\n");
	for (size_t i = 0; i < COMMAND_GROUPS; i++) {
		buf_printf(out, "\n%s\n", command_groups[i]->title);
		for (size_t k = 0; k < command_groups[i]->count; k++)
			if (is_first_of_family(command_groups[i], k))
				append_family_row(out, command_groups[i], k);
	}
	buf_append_str(out,
		"\nskeinctl COMMAND --help says more. NODE is a name or a UUID, ID a message's id.\n\n"
		"Options\n");
	for (const struct option_row *row = options_rows; row->name; row++)
		append_option(out, row);
	append_exits(out);
}

/* ---- one ---- */

void help_append_family(struct buf *out, struct span family)
{
	const struct command *command = NULL;

	while ((command = command_next(command)))
		if (span_eq(command_family(command), family) && *command_verb(command) &&
			!command_is_hidden(command))
			append_row(out, span_of_str(command->words), command->summary, COMMAND_COLUMN);
}

void help_append_sentence(struct buf *out, const char *summary)
{
	bool is_small = summary[0] >= 'a' && summary[0] <= 'z';

	buf_append_byte(out, (char)(is_small ? summary[0] - 'a' + 'A' : summary[0]));
	buf_printf(out, "%s.", summary + 1);
}

void help_append_command(struct buf *out, const struct command *command)
{
	const struct option_row *option = NULL;
	struct buf synopsis = { 0 }, summary = { 0 };

	command_append_synopsis(&synopsis, command);
	buf_append_byte(&synopsis, '\0');
	help_append_wrapped(out, buf_span(&synopsis).ptr, 0, 4);
	buf_append_byte(out, '\n');
	help_append_sentence(&summary, command->summary);
	buf_append_byte(&summary, '\0');
	help_append_wrapped(out, buf_span(&summary).ptr, 0, 0);
	if (command->details) {
		buf_append_byte(out, '\n');
		help_append_wrapped(out, command->details, 0, 0);
	}
	buf_append_byte(out, '\n');
	while ((option = command_option_next(command, option)))
		append_option(out, option);
	if (!*command_verb(command) && command_has_family(command_family(command))) {
		buf_append_byte(out, '\n');
		help_append_family(out, command_family(command));
	}
	buf_fini(&synopsis);
	buf_fini(&summary);
}
