/*
 * Command lines out of the caller's input. Only CRLF ends a line. A line that breaks a rule is told as soon
 * as that is clear, and skipped to its CRLF: a peer that ends lines with LF alone gets an answer and not a
 * timeout, and nothing behind a bare LF is ever taken for a command that another server did not see.
 */
#ifndef PROTO_SMTP_LINE_INTERNAL_H
#define PROTO_SMTP_LINE_INTERNAL_H

#include "skein/proto/base/span.h"

struct line_reader {
	bool skipping;
	size_t skipped; /* bytes dropped while skipping, ever */
};

enum line_result { LINE_MORE, LINE_WHOLE, LINE_TOO_LONG, LINE_BARE_NEWLINE, LINE_NUL };

/*
 * Takes a line of up to `len_max` bytes, CRLF included, from the front of *in. *line_out is the line without
 * its CRLF, or of a bad one what was looked at.
 */
enum line_result line_take(
	struct line_reader *reader, struct span *in, size_t len_max, struct span *line_out);

#endif
