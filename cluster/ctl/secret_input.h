/* secret_input: what an operator says a secret is: from a file or standard input, never from the command
 * line. */
#ifndef CTL_SECRET_INPUT_H
#define CTL_SECRET_INPUT_H

#include "skein/proto/base/buf.h"

/*
 * `path` NULL: standard input; on a terminal one line, without showing it. One line end at the end is no part
 * of it. False: empty, too long or not readable, one line in `why_out`. Wipe `text_out` with
 * secret_text_wipe() in any case.
 */
bool secret_input_read(const char *path, struct buf *text_out, struct buf *why_out);

#endif
