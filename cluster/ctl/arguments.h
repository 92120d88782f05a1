/* arguments: the options of one command, in any order with its other words. */
#ifndef CTL_ARGUMENTS_H
#define CTL_ARGUMENTS_H

#include "skein/proto/base/buf.h"

enum { ARGUMENTS_MAX = 8 };

enum argument_kind { ARGUMENT_FLAG, ARGUMENT_TEXT, ARGUMENT_NUMBER };

struct argument {
	const char *name; /* without the dashes */
	enum argument_kind kind;
	union {
		bool *flag;
		const char **text;
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

#endif
