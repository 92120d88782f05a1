/* secret_input: what an operator says a secret is: from a file or standard input, never from the command
 * line. */
#ifndef CTL_SECRET_INPUT_H
#define CTL_SECRET_INPUT_H

#include "skein/proto/base/buf.h"

struct secret_prompt {
	const char *noun;  /* "secret": what complaints call it */
	const char *first; /* what a terminal is shown */
	const char *again; /* the same, to have it typed twice; NULL: once is enough */
	size_t len_max;
};

/*
 * `path` NULL: standard input; on a terminal one line, without showing it. One line end at the end is no part
 * of it. False: empty, too long or not readable, or not the same twice; one line in `why_out`. Wipe
 * `text_out` with secret_text_wipe() in any case.
 */
bool secret_input_read(
	const char *path, const struct secret_prompt *prompt, struct buf *text_out, struct buf *why_out);

#endif
