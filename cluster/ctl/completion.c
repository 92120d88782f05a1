#include "completion.h"

#include "skein/cluster/alert.h"
#include "skein/cluster/track_event.h"

#include "skein/proto/base/alloc.h"

/* ---- what stands before ---- */

/* The row of an option that waits for its value, or NULL. */
static const struct option_row *waiting_option(const struct call *call, const char *word)
{
	const struct option_row *row = NULL;

	if (word[0] != '-' || !word[1] || strchr(word, '='))
		return NULL;
	if (word[1] == '-') {
		struct span name = span_of_str(word + 2);

		row = call->command ? command_option(call->command, name) : NULL;
		row = row ? row : option_find(options_rows, name);
	} else if (!word[2]) {
		row = call->command ? command_option_letter(call->command, word[1]) : NULL;
	}
	return row && row->value && row->use != OPTION_VALUE_OPTIONAL ? row : NULL;
}

static void expect_value(struct completion *completion, enum word_kind kind, const char *choices)
{
	completion->what = COMPLETE_VALUE;
	completion->kind = kind;
	completion->choices = choices;
}

static void expect_option(struct completion *completion)
{
	const char *equals = strchr(completion->word, '=');
	const struct option_row *row;
	struct span name;

	completion->what = COMPLETE_OPTION;
	if (!equals || strncmp(completion->word, "--", 2) != 0)
		return;
	name = span_of(completion->word + 2, (size_t)(equals - completion->word) - 2);
	row = completion->call.command ? command_option(completion->call.command, name) : NULL;
	row = row ? row : option_find(options_rows, name);
	completion->value = equals + 1;
	completion->what = COMPLETE_NOTHING;
	if (row && row->value)
		expect_value(completion, row->kind, row->choices);
}

/* `help` takes the words of a command. */
static void expect_command_word(struct completion *completion)
{
	const struct call *call = &completion->call;

	completion->what = COMPLETE_NOTHING;
	if (call->word_count == 0)
		completion->what = COMPLETE_COMMAND;
	if (call->word_count != 1)
		return;
	completion->what = COMPLETE_VERB;
	completion->family = call->words[0];
}

static void expect_word(struct completion *completion)
{
	const struct call *call = &completion->call;
	const struct word_row *row = call->command->arguments;

	for (size_t i = 0; i < call->word_count && row->name && !row->is_many; i++)
		row++;
	completion->what = COMPLETE_NOTHING;
	if (row->name && row->kind == WORD_COMMAND)
		expect_command_word(completion);
	else if (row->name)
		expect_value(completion, row->kind, row->choices);
	else if (call->word_count == 0 && command_has_family(span_of_str(call->command->words))) {
		completion->what = COMPLETE_VERB;
		completion->family = call->command->words;
	}
}

/* Behind a family's word comes a verb; behind one that nobody knows, nothing. */
static void expect_command(struct completion *completion, int argc, const char *before)
{
	bool is_understood = completion->call.read == argc;

	completion->what = is_understood ? COMPLETE_COMMAND : COMPLETE_NOTHING;
	if (is_understood || completion->call.read + 1 < argc || !command_has_family(span_of_str(before)))
		return;
	completion->what = COMPLETE_VERB;
	completion->family = before;
}

static bool has_two_dashes(size_t count, const char *const *words)
{
	for (size_t i = 0; i < count; i++)
		if (strcmp(words[i], "--") == 0)
			return true;
	return false;
}

void completion_look(struct completion *completion, size_t count, const char *const *words)
{
	const char *before = count > 1 ? words[count - 2] : "";
	const struct option_row *option;
	struct buf why = { 0 };

	*completion = (struct completion){ .word = words[count - 1], .value = words[count - 1] };
	completion->argv = mem_zalloc((count + 1) * sizeof(*completion->argv));
	completion->argv[0] = (char *)(uintptr_t) "skeinctl";
	for (size_t i = 0; i + 1 < count; i++)
		completion->argv[i + 1] = (char *)(uintptr_t)words[i];
	/* What is missing or wrong may be written yet; what was read up to there counts. */
	(void)call_read(&completion->call, (int)count, completion->argv, &why);
	buf_fini(&why);
	option = waiting_option(&completion->call, before);
	if (has_two_dashes(count - 1, words))
		option = NULL;
	if (option)
		expect_value(completion, option->kind, option->choices);
	else if (completion->word[0] == '-' && !has_two_dashes(count - 1, words))
		expect_option(completion);
	else if (completion->call.command)
		expect_word(completion);
	else
		expect_command(completion, (int)count, before);
}

void completion_fini(struct completion *completion)
{
	call_fini(&completion->call);
	mem_free(completion->argv);
	completion->argv = NULL;
}

/* ---- what may follow ---- */

/*
 * Bash puts a word into the command line as it is, and it may come out of Redis: one that a shell would read
 * as more than a word has to be typed.
 */
static bool is_plain(struct span word)
{
	for (size_t i = 0; i < word.len; i++) {
		char c = ascii_lower(word.ptr[i]);

		if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && (!c || !strchr("-_.,:@%+=/[]", c)))
			return false;
	}
	return word.len > 0 && word.ptr[0] != ':';
}

void completion_offer(
	struct buf *out, const struct completion *completion, struct span candidate, const char *what)
{
	size_t before = (size_t)(completion->value - completion->word);

	if (!span_starts_with(candidate, span_of_str(completion->value)) || !is_plain(candidate))
		return;
	buf_append(out, span_of(completion->word, before));
	buf_append(out, candidate);
	buf_printf(out, "\t%s\n", what);
}

static void offer_commands(struct buf *out, const struct completion *completion)
{
	const struct command *command = NULL;
	struct span last = { 0 };

	while ((command = command_next(command))) {
		struct span family = command_family(command);
		const char *verb = command_verb(command);

		if (command_is_hidden(command) || span_eq(family, last))
			continue;
		last = family;
		completion_offer(out, completion, family, *verb ? "" : command->summary);
	}
}

static void offer_verbs(struct buf *out, const struct completion *completion)
{
	const struct command *command = NULL;

	while ((command = command_next(command)))
		if (*command_verb(command) &&
			span_eq(command_family(command), span_of_str(completion->family)))
			completion_offer(
				out, completion, span_of_str(command_verb(command)), command->summary);
}

static void offer_option(struct buf *out, const struct completion *completion, const struct option_row *row)
{
	struct buf name = { 0 };

	for (size_t i = 0; i < completion->call.given_count; i++)
		if (completion->call.given[i].row == row && row->use != OPTION_MANY)
			return;
	buf_printf(&name, "--%s", row->name);
	completion_offer(out, completion, buf_span(&name), row->help);
	buf_fini(&name);
}

static void offer_options(struct buf *out, const struct completion *completion)
{
	const struct command *command = completion->call.command;
	const struct option_row *row = NULL;

	while (command && (row = command_option_next(command, row)))
		offer_option(out, completion, row);
	for (row = options_rows; !command && row->name; row++)
		offer_option(out, completion, row);
}

static void offer_choices(struct buf *out, const struct completion *completion)
{
	for (const char *at = completion->choices; *at; at += strspn(at, " ")) {
		struct span choice = span_of(at, strcspn(at, " "));

		completion_offer(out, completion, choice, "");
		at += choice.len;
	}
}

static void offer_alerts(struct buf *out, const struct completion *completion)
{
	for (enum alert it = 0; it < ALERT_COUNT; it++)
		completion_offer(out, completion, span_of_str(alert_kind(it)->name), alert_kind(it)->what);
}

static void offer_events(struct buf *out, const struct completion *completion)
{
	for (enum track_kind it = 0; it < TRACK_KIND_COUNT; it++)
		completion_offer(out, completion, span_of_str(track_kind_name(it)), "");
}

static void offer_values(struct buf *out, const struct completion *completion)
{
	switch (completion->kind) {
	case WORD_CHOICE:
		offer_choices(out, completion);
		break;
	case WORD_FILE:
	case WORD_VERSION_OR_FILE:
		buf_append_str(out, ":file\n");
		break;
	case WORD_ALERT:
		offer_alerts(out, completion);
		break;
	case WORD_EVENT:
		offer_events(out, completion);
		break;
	default:
		break;
	}
}

void completion_append(struct buf *out, const struct completion *completion)
{
	switch (completion->what) {
	case COMPLETE_COMMAND:
		offer_commands(out, completion);
		break;
	case COMPLETE_VERB:
		offer_verbs(out, completion);
		break;
	case COMPLETE_OPTION:
		offer_options(out, completion);
		break;
	case COMPLETE_VALUE:
		offer_values(out, completion);
		break;
	case COMPLETE_NOTHING:
		break;
	}
}

/* ---- scripts ---- */

/* A word may have colons and equals signs, at which bash would split it: it is asked for the whole one, and
 * given the part behind the last split. */
const char completion_bash[] =
	"# bash completion for skeinctl: source <(skeinctl completion bash)\n"
	"_skeinctl()\n"
	"{\n"
	"\tlocal cur cword line\n"
	"\tlocal -a words\n"
	"\tif declare -F _get_comp_words_by_ref >/dev/null; then\n"
	"\t\t_get_comp_words_by_ref -n :=@ cur words cword\n"
	"\telse\n"
	"\t\tcur=${COMP_WORDS[COMP_CWORD]} words=(\"${COMP_WORDS[@]}\") cword=$COMP_CWORD\n"
	"\tfi\n"
	"\tCOMPREPLY=()\n"
	"\twhile IFS= read -r line; do\n"
	"\t\tif [[ $line == :file ]]; then\n"
	"\t\t\tcompopt -o filenames 2>/dev/null\n"
	"\t\t\tlocal part=$cur\n"
	"\t\t\t[[ $cur == --*=* ]] && part=${cur#*=}\n"
	"\t\t\twhile IFS= read -r line; do\n"
	"\t\t\t\tCOMPREPLY+=(\"$line\")\n"
	"\t\t\tdone < <(compgen -f -- \"$part\")\n"
	"\t\telse\n"
	"\t\t\tline=${line%%$'\\t'*}\n"
	"\t\t\t[[ $cur == --*=* && $COMP_WORDBREAKS == *=* ]] && line=${line#*=}\n"
	"\t\t\tCOMPREPLY+=(\"$line\")\n"
	"\t\tfi\n"
	"\tdone < <(\"${words[0]}\" __complete -- \"${words[@]:1:cword}\" 2>/dev/null)\n"
	"\tif declare -F __ltrim_colon_completions >/dev/null; then\n"
	"\t\t__ltrim_colon_completions \"$cur\"\n"
	"\tfi\n"
	"}\n"
	"complete -F _skeinctl skeinctl\n";

const char completion_zsh[] =
	"#compdef skeinctl\n"
	"# zsh completion for skeinctl: source <(skeinctl completion zsh), or as _skeinctl in a folder of "
	"$fpath\n"
	"_skeinctl()\n"
	"{\n"
	"\tlocal line\n"
	"\tlocal -a lines offers\n"
	"\tlines=(\"${(@f)$(\"${(Q)words[1]}\" __complete -- \"${(@Q)words[2,CURRENT]}\" 2>/dev/null)}\")\n"
	"\tfor line in $lines; do\n"
	"\t\tif [[ $line == :file ]]; then\n"
	"\t\t\t[[ $PREFIX == --*=* ]] && compset -P '*='\n"
	"\t\t\t_files\n"
	"\t\telse\n"
	"\t\t\toffers+=(\"${${line%%$'\\t'*}//:/\\\\:}:${line#*$'\\t'}\")\n"
	"\t\tfi\n"
	"\tdone\n"
	"\t(( $#offers )) && _describe skeinctl offers\n"
	"}\n"
	"if [[ $funcstack[1] == _skeinctl ]]; then\n"
	"\t_skeinctl \"$@\"\n"
	"else\n"
	"\tcompdef _skeinctl skeinctl\n"
	"fi\n";
