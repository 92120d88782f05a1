/*
 * canon: the two forms in which DKIM hashes a message (RFC 6376 3.4). Header fields are taken whole; the body
 * streams by, split anywhere, and is never held: a run of spaces or of empty lines is a flag or a number.
 *
 * A line ends with CRLF. A CR or LF alone is a byte like others.
 */
#ifndef SKEIN_PROTO_DKIM_CANON_H
#define SKEIN_PROTO_DKIM_CANON_H

#include "skein/proto/base/buf.h"

enum dkim_canon {
	DKIM_SIMPLE,
	DKIM_RELAXED,
};

/* "simple", "relaxed" */
const char *dkim_canon_name(enum dkim_canon canon);

/* Appends one field, given whole with its CRLF: "name: value CRLF", folded or not. It has a colon. */
void dkim_canon_field(enum dkim_canon canon, struct span field, struct buf *out);

/* Takes the canonical body, piece by piece; `bytes` are borrowed. */
typedef void dkim_body_sink(void *arg, struct span bytes);

enum { DKIM_BODY_PIECE = 1024 };

struct dkim_body {
	enum dkim_canon canon;
	dkim_body_sink *sink;
	void *arg;
	bool has_cr;        /* a CR that may begin a line end */
	bool has_space;     /* relaxed: spaces that may end a line */
	bool has_text;      /* something that is no empty line was written */
	uint64_t line_ends; /* that were seen and not written: the last ones are ignored */
	size_t len;         /* of piece */
	char piece[DKIM_BODY_PIECE];
};

void dkim_body_init(struct dkim_body *body, enum dkim_canon canon, dkim_body_sink *sink, void *arg);
void dkim_body_feed(struct dkim_body *body, struct span bytes);
/* The body is over: the rest goes to the sink. Called once. */
void dkim_body_end(struct dkim_body *body);

#endif
