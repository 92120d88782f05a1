/*
 * option: what a command line may hold, as it is declared: options and words. One row is what parses it,
 * tells of it in help and man page, and completes it.
 */
#ifndef CTL_OPTION_H
#define CTL_OPTION_H

#include "skein/proto/base/buf.h"

/* What a value is. NUMBER, DURATION and CHOICE are checked where they are read; the others say what completes
 * them. */
enum word_kind {
	WORD_TEXT,
	WORD_NUMBER,   /* min..max of its row */
	WORD_DURATION, /* "90s", "30m", "1h", "2d", up to 365 days */
	WORD_CHOICE,   /* one of `choices` of its row */
	WORD_FILE,
	WORD_COMMAND,
	WORD_ALERT,
	WORD_EVENT, /* a kind of event of tracking */
	WORD_NODE,
	WORD_MESSAGE,
	WORD_VERSION, /* of the policy */
	WORD_VERSION_OR_FILE,
	WORD_RULE,
	WORD_HOP,
	WORD_SECRET,
	WORD_DOMAIN,   /* that has DKIM keys */
	WORD_SELECTOR, /* of the line's first word, a domain; else with it: s1@example.org */
	WORD_CHANNEL,  /* of alerts */
	WORD_BAN,
	WORD_NETWORK, /* of a rule */
	WORD_GROUP,   /* that the policy asks about */
	WORD_USER,
};

struct option_row {
	const char *name;  /* without the dashes; NULL ends a list of rows */
	char letter;       /* a short form; 0: none */
	const char *value; /* what help calls its value, "SECONDS"; NULL: it has none */
	enum word_kind kind;
	const char *choices; /* with blanks between */
	uint64_t min, max;
	enum {
		OPTION_ONCE,
		OPTION_MANY,           /* may be given several times */
		OPTION_VALUE_OPTIONAL, /* the next word is its value when it is a number */
	} use;
	const char *help; /* one line, without a full stop */
};

/* The row that `--name` or `-letter` means, or NULL. `rows` may be NULL. */
const struct option_row *option_find(const struct option_row *rows, struct span name);
const struct option_row *option_find_letter(const struct option_row *rows, char letter);

/* False: `text` is no such value; one line in `why_out`. *number_out: of a number, or milliseconds. */
bool option_check(const struct option_row *row, const char *text, uint64_t *number_out, struct buf *why_out);

/* "-m, --message TEXT", "--watch [SECONDS]" */
void option_append_form(struct buf *out, const struct option_row *row);

/* "90s", "30m", "1h", "2d", up to 365 days. */
bool option_duration(const char *text, uint64_t *ms_out);

#endif
