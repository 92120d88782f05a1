/*
 * A dialogue script, parsed. README.md in this folder is the reference of the format.
 */
#ifndef TESTS_DIALOG_SCRIPT_H
#define TESTS_DIALOG_SCRIPT_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"

enum step_kind {
	STEP_SEND,
	STEP_EXPECT,     /* one line that matches */
	STEP_EXPECT_END, /* the rest of a reply, whose last line matches */
	STEP_CLOSED,
	STEP_HANDSHAKE,
	STEP_MESSAGE, /* a line of the message that was accepted last */
};

struct step {
	enum step_kind kind;
	unsigned line;
	struct span text; /* bytes to send, pattern, or content; escapes are resolved */
};

struct directive {
	unsigned line;
	struct span name, args;
};

enum { SCRIPT_STEPS_MAX = 400, SCRIPT_DIRECTIVES_MAX = 20 };

struct script {
	const char *path;
	struct arena arena;
	struct step steps[SCRIPT_STEPS_MAX];
	size_t step_count;
	struct directive directives[SCRIPT_DIRECTIVES_MAX];
	size_t directive_count;
};

/* Ends the program with a message that names file and line. */
_Noreturn void script_fail(const struct script *script, unsigned line, const char *fmt, ...)
	PRINTF_LIKE(3, 4);

void script_load(struct script *script, const char *path);
void script_fini(struct script *script);

/* The next word of *rest. */
struct span script_take_word(struct span *rest);
/* `*` stands for any bytes, also none. */
bool script_matches(struct span pattern, struct span text);

#endif
