/*
 * call: a command line, read by the rows of the table: `--option value`, `--option=value`, `-m value`,
 * options and words in any order, `--` before words that begin with a dash. The options of options.h may
 * stand behind the command too, where it has no option of that name.
 */
#ifndef CTL_CALL_H
#define CTL_CALL_H

#include "command.h"

enum { CALL_TEXTS_MAX = 64 };

/* What an option collects that may be given several times. */
struct call_texts {
	const char *items[CALL_TEXTS_MAX];
	size_t count;
};

struct given {
	const struct option_row *row;
	const char *text; /* NULL: no value */
	uint64_t number;  /* of NUMBER; milliseconds of DURATION */
};

struct call {
	const struct command *command; /* NULL: none was named */
	struct given *given;
	size_t given_count;
	const char **words; /* behind the command's own */
	size_t word_count;
	int read; /* how many of argv were understood */
	int argc; /* as it was typed, with the program's name */
	char **argv;
};

/*
 * Reads all of argv, whose text is borrowed. False: one line in `why_out`. With --help or --version nothing
 * is missing. Free with call_fini() in any case.
 */
bool call_read(struct call *call, int argc, char **argv, struct buf *why_out);
void call_fini(struct call *call);

/* Options of the command by name; its row must have them. */
bool call_has(const struct call *call, const char *name);
/* The last one, or NULL. */
const char *call_text(const struct call *call, const char *name);
uint64_t call_number(const struct call *call, const char *name, uint64_t otherwise);
struct call_texts call_texts(const struct call *call, const char *name);
/* The nth word, or NULL. */
const char *call_word(const struct call *call, size_t index);

/* Of the options before the command (options.h). */
const struct given *call_global(const struct call *call, const char *name);

/* Appends the command line as a shell would read it again, with one more option. */
void call_append_line(struct buf *out, const struct call *call, const char *option);

#endif
