/* arguments: the options of one command, in any order with its other words. */
#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H

#include "skein/proto/base/buf.h"

enum { ARGUMENTS_MAX = 20, ARGUMENT_TEXTS_MAX = 64 };

enum argument_kind { ARGUMENT_FLAG, ARGUMENT_TEXT, ARGUMENT_TEXTS, ARGUMENT_NUMBER };

/* What an option collects that may be given several times. */
struct argument_texts {
	const char *items[ARGUMENT_TEXTS_MAX];
	size_t count;
};

struct argument {
	const char *name; /* without the dashes */
	char letter;      /* a short form; 0: none */
	enum argument_kind kind;
	union {
		bool *flag;
		const char **text;
		struct argument_texts *texts;
		uint64_t *number; /* within min..max */
	} to;
	uint64_t min, max;
};

/*
 * argv[0] is the command's last word. The other words are moved behind the options; *first_out is the first
 * of them; NULL: there must be none. False: one line in `why_out`.
 */
bool arguments_parse(int argc, char **argv, const struct argument *arguments, size_t count, int *first_out,
	struct buf *why_out);

/* "90s", "30m", "1h", "2d", up to 365 days. */
bool argument_duration(const char *text, uint64_t *ms_out);

#endif
