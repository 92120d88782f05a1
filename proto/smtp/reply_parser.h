/*
 * reply_parser: the replies of an SMTP server (RFC 5321 4.2), fed in pieces of any size. Strict about codes:
 * three digits of class 2 to 5, the same on every line. Lenient about line ends: a bare LF ends a line too,
 * which no server that repeats our words can abuse, since we never send one. Bounded: what is kept of the
 * text, and how long a reply may go on.
 */
#ifndef PROTO_SMTP_REPLY_PARSER_H
#define PROTO_SMTP_REPLY_PARSER_H

#include "skein/proto/base/buf.h"
#include "skein/proto/mail/status.h"

enum {
	REPLY_TEXT_MAX = 4096,  /* kept; the lines behind are read and dropped */
	REPLY_LINE_MAX = 4096,  /* RFC 5321 4.5.3.1.5 asks for 512 */
	REPLY_SIZE_MAX = 65536, /* all lines together */
};

enum reply_parse { REPLY_MORE, REPLY_DONE, REPLY_BAD, REPLY_TOO_LONG };

/* All zero bytes is a valid new one. */
struct reply_parser {
	struct buf line; /* the start of a line whose end has not come */
	struct buf text; /* lines joined by LF; printable */
	unsigned code;   /* 0: before the first line */
	size_t size;
	bool is_done; /* the next byte begins another reply */
};

void reply_parser_fini(struct reply_parser *parser);
/* Forgets a reply under way. */
void reply_parser_reset(struct reply_parser *parser);
/* Consumes from *in up to the end of one reply. After BAD or TOO_LONG the parser must be reset. */
enum reply_parse reply_parser_feed(struct reply_parser *parser, struct span *in);

/* Of the reply that is DONE. */
struct mail_status reply_parser_status(const struct reply_parser *parser);
/* Borrowed until the next feed. */
struct span reply_parser_text(const struct reply_parser *parser);

#endif
