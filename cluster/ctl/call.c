#include "call.h"

#include "skein/cluster/schema/suggest.h"
#include "skein/proto/base/alloc.h"

struct reading {
	struct call *call;
	int at;          /* the next word of argv */
	bool only_words; /* behind "--" */
	struct buf *why;
};

/* ---- options ---- */

static const struct option_row *find_row(const struct call *call, struct span name)
{
	const struct option_row *row = call->command ? command_option(call->command, name) : NULL;

	return row ? row : option_find(options_rows, name);
}

static const struct option_row *find_letter(const struct call *call, char letter)
{
	const struct option_row *row = call->command ? command_option_letter(call->command, letter) : NULL;

	return row ? row : option_find_letter(options_rows, letter);
}

static void explain_unknown(const struct call *call, struct span name, struct buf *why)
{
	struct suggestion near = suggest_begin(name);
	const struct option_row *row = NULL;

	while (call->command && (row = command_option_next(call->command, row)))
		suggest_offer(&near, span_of_str(row->name));
	for (row = options_rows; row->name; row++)
		suggest_offer(&near, span_of_str(row->name));
	buf_printf(why, "unknown option \"--%.*s\"", SPAN_ARGS(name));
	if (near.best.len)
		buf_printf(why, ": did you mean \"--%.*s\"?", SPAN_ARGS(near.best));
	else
		buf_printf(why, ": see skeinctl %s%s--help", call->command ? call->command->words : "",
			call->command ? " " : "");
}

/* A number that follows is the value of an option that needs none. */
static bool takes_next(const struct reading *reading, const struct option_row *row)
{
	const struct call *call = reading->call;
	uint64_t number;

	if (!row->value || reading->at >= call->argc)
		return false;
	return row->use != OPTION_VALUE_OPTIONAL ||
	       span_parse_u64(span_of_str(call->argv[reading->at]), UINT64_MAX, &number);
}

static size_t count_given(const struct call *call, const struct option_row *row)
{
	size_t count = 0;

	for (size_t i = 0; i < call->given_count; i++)
		count += call->given[i].row == row;
	return count;
}

/* `text` NULL: its value, if any, is the next word. */
static bool store(struct reading *reading, const struct option_row *row, const char *text)
{
	struct given given = { .row = row, .text = text };

	if (text && !row->value) {
		buf_printf(reading->why, "--%s takes no value", row->name);
		return false;
	}
	if (!text && takes_next(reading, row))
		given.text = reading->call->argv[reading->at++];
	if (row->value && !given.text && row->use != OPTION_VALUE_OPTIONAL) {
		buf_printf(reading->why, "--%s needs a value: --%s %s", row->name, row->name, row->value);
		return false;
	}
	if (given.text && !option_check(row, given.text, &given.number, reading->why))
		return false;
	if (row->use == OPTION_MANY && count_given(reading->call, row) == CALL_TEXTS_MAX) {
		buf_printf(reading->why, "--%s: more than %d of them", row->name, CALL_TEXTS_MAX);
		return false;
	}
	reading->call->given[reading->call->given_count++] = given;
	return true;
}

static bool read_long(struct reading *reading, const char *typed)
{
	size_t len = strcspn(typed, "=");
	const struct option_row *row = find_row(reading->call, span_of(typed, len));

	if (row)
		return store(reading, row, typed[len] ? typed + len + 1 : NULL);
	explain_unknown(reading->call, span_of(typed, len), reading->why);
	return false;
}

/* "-m TEXT", "-mTEXT" */
static bool read_short(struct reading *reading, const char *typed)
{
	const struct option_row *row = find_letter(reading->call, typed[0]);

	if (row)
		return store(reading, row, typed[1] ? typed + 1 : NULL);
	buf_printf(reading->why, "unknown option \"-%c\": see skeinctl %s%s--help", typed[0],
		reading->call->command ? reading->call->command->words : "",
		reading->call->command ? " " : "");
	return false;
}

/* ---- words ---- */

/* "queue --help" */
static bool asks_about_family(const struct reading *reading)
{
	char **words = reading->call->argv + reading->at;

	return reading->at + 1 < reading->call->argc && command_has_family(span_of_str(words[0])) &&
	       !command_of_word(span_of_str(words[0])) &&
	       (strcmp(words[1], "--help") == 0 || strcmp(words[1], "-h") == 0);
}

static bool read_command(struct reading *reading)
{
	struct call *call = reading->call;
	int words = 0;

	if (asks_about_family(reading)) {
		call->command = command_of_word(SPAN_LIT("help"));
		call->words[call->word_count++] = call->argv[reading->at];
		reading->at += 2;
		return true;
	}
	call->command =
		command_find(call->argc - reading->at, call->argv + reading->at, &words, reading->why);
	reading->at += words;
	return call->command != NULL;
}

static bool read_next(struct reading *reading)
{
	struct call *call = reading->call;
	const char *word = call->argv[reading->at];

	if (!reading->only_words && word[0] == '-' && word[1]) {
		reading->at++;
		if (strcmp(word, "--") == 0)
			reading->only_words = true;
		else
			return word[1] == '-' ? read_long(reading, word + 2) : read_short(reading, word + 1);
		return true;
	}
	if (!call->command)
		return read_command(reading);
	call->words[call->word_count++] = word;
	reading->at++;
	return true;
}

static void explain_missing(const struct call *call, const struct word_row *word, struct buf *why)
{
	buf_printf(why, "%s: %s is missing: ", call->command->words, word->name);
	command_append_synopsis(why, call->command);
}

/* "hops dwon" is a family's word that was mistyped. What should have been read instead is not repeated. */
static void explain_too_many(const struct call *call, const char *word, struct buf *why)
{
	struct suggestion near = suggest_begin(span_of_str(word));
	const struct command *command = NULL;

	if (call->command->no_more) {
		buf_printf(why, "%s takes no more words: %s", call->command->words, call->command->no_more);
		return;
	}
	while ((command = command_next(command)))
		if (span_eq(command_family(command), span_of_str(call->command->words)))
			suggest_offer(&near, span_of_str(command_verb(command)));
	buf_printf(why, "%s takes no \"%s\"", call->command->words, word);
	if (near.best.len)
		buf_printf(why, ": did you mean \"%s %.*s\"?", call->command->words, SPAN_ARGS(near.best));
	else if (call->command->arguments[0].name) {
		buf_append_str(why, ": ");
		command_append_synopsis(why, call->command);
	}
}

static bool check_words(const struct call *call, struct buf *why)
{
	const struct word_row *rows = call->command->arguments;
	size_t count = 0, needed = 0;
	bool is_many = false;

	for (; rows[count].name; count++) {
		needed += !rows[count].is_optional;
		is_many = rows[count].is_many;
	}
	if (call->word_count < needed)
		explain_missing(call, &rows[call->word_count], why);
	else if (call->word_count > count && !is_many)
		explain_too_many(call, call->words[count], why);
	return !buf_len(why);
}

/* ---- the whole ---- */

bool call_read(struct call *call, int argc, char **argv, struct buf *why_out)
{
	struct reading reading = { .call = call, .at = 1, .why = why_out };

	*call = (struct call){ .argc = argc, .argv = argv };
	call->given = mem_zalloc((size_t)(argc + 1) * sizeof(*call->given));
	call->words = mem_zalloc((size_t)(argc + 1) * sizeof(*call->words));
	while (reading.at < argc) {
		call->read = reading.at;
		if (!read_next(&reading))
			return false;
	}
	call->read = argc;
	if (call_global(call, "help") || call_global(call, "version"))
		return true;
	if (!call->command) {
		buf_append_str(why_out, "which command? See skeinctl --help");
		return false;
	}
	return call_has(call, "help") || check_words(call, why_out);
}

void call_fini(struct call *call)
{
	mem_free(call->given);
	mem_free(call->words);
	*call = (struct call){ .command = NULL };
}

static const struct given *last_given(const struct call *call, const struct option_row *row)
{
	for (size_t i = call->given_count; i > 0; i--)
		if (call->given[i - 1].row == row)
			return &call->given[i - 1];
	return NULL;
}

static const struct given *given_of_command(const struct call *call, const char *name)
{
	const struct option_row *row = command_option(call->command, span_of_str(name));

	CHECK(row);
	return last_given(call, row);
}

bool call_has(const struct call *call, const char *name)
{
	return given_of_command(call, name) != NULL;
}

const char *call_text(const struct call *call, const char *name)
{
	const struct given *given = given_of_command(call, name);

	return given ? given->text : NULL;
}

uint64_t call_number(const struct call *call, const char *name, uint64_t otherwise)
{
	const struct given *given = given_of_command(call, name);

	return given && given->text ? given->number : otherwise;
}

struct call_texts call_texts(const struct call *call, const char *name)
{
	const struct option_row *row = command_option(call->command, span_of_str(name));
	struct call_texts texts = { .count = 0 };

	CHECK(row && row->use == OPTION_MANY);
	for (size_t i = 0; i < call->given_count; i++)
		if (call->given[i].row == row)
			texts.items[texts.count++] = call->given[i].text;
	return texts;
}

const char *call_word(const struct call *call, size_t index)
{
	return index < call->word_count ? call->words[index] : NULL;
}

const struct given *call_global(const struct call *call, const char *name)
{
	const struct option_row *row = option_find(options_rows, span_of_str(name));

	CHECK(row);
	return last_given(call, row);
}

static bool is_plain(const char *word)
{
	const char *good = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-";

	return *word && strspn(word, good) == strlen(word);
}

static void append_quoted(struct buf *out, const char *word)
{
	buf_append_str(out, is_plain(word) ? "" : "'");
	for (; *word; word++)
		if (*word == '\'')
			buf_append_str(out, "'\\''");
		else
			buf_append_byte(out, *word);
}

void call_append_line(struct buf *out, const struct call *call, const char *option)
{
	bool is_said = false;

	buf_append_str(out, "skeinctl");
	for (int i = 1; i < call->argc; i++) {
		const char *word = call->argv[i];

		if (!is_said && strcmp(word, "--") == 0) {
			buf_printf(out, " %s", option);
			is_said = true;
		}
		buf_append_byte(out, ' ');
		append_quoted(out, word);
		buf_append_str(out, is_plain(word) ? "" : "'");
	}
	if (!is_said)
		buf_printf(out, " %s", option);
}
