/*
 * content: the text of a message on its way in, whatever frames it (dot.c, bdat.c). It finds the lines,
 * checks what RFC 5322 and the options forbid, and hands out clean runs that are as long as the input allows.
 *
 * Input is borrowed and nothing is copied: what cannot be judged yet (a CR whose next byte has not come)
 * stays with the caller. So whole or byte by byte, the same input gives the same bytes and the same verdict.
 */
#ifndef PROTO_SMTP_CONTENT_INTERNAL_H
#define PROTO_SMTP_CONTENT_INTERNAL_H

#include "skein/proto/smtp/server.h"

struct content {
	const struct smtp_server_options *options;
	uint64_t size; /* of all runs handed out */
	uint64_t line_len, line_len_max;
	/*
	 * The next byte is the first after CRLF, or the very first: only there is a dot special. Not so after
	 * a bare LF that became CRLF, nor after a dot that was taken away.
	 */
	bool at_line_start;
	bool has_8bit;
	enum smtp_reply_id fault; /* the first offence; from then on everything is dropped */
};

enum body_step {
	BODY_MORE,      /* all input is used, but for what cannot be judged yet */
	BODY_RUN,       /* *run_out, never empty, valid as long as the input */
	BODY_FAULT,     /* content.fault was set just now */
	BODY_DOT,       /* content_next() only: a dot at the start of a line is next */
	BODY_CHUNK_END, /* bdat_next() only: this chunk is complete, the message is not */
	BODY_END,
};

/* `options` is borrowed. */
void content_start(struct content *content, const struct smtp_server_options *options);

/* Stops at each dot at the start of a line if `dots`. */
enum body_step content_next(struct content *content, struct span *in, bool dots, struct span *run_out);

/* A CR LF that the caller has put together or adds: hands it out. BODY_RUN, BODY_FAULT, or BODY_MORE when
 * faulty. */
enum body_step content_put_newline(struct content *content, struct span *run_out);
/* A CR or LF that stands alone and was taken from the input: refused or made CRLF. Answers as above. */
enum body_step content_bare_newline(struct content *content, struct span *run_out);

/* DATA's framing (RFC 5321 4.5.2): takes stuffed dots away, ends at CRLF.CRLF. */
enum body_step dot_next(struct content *content, struct span *in, struct span *run_out);

/* BDAT's framing (RFC 3030 2). */
struct bdat {
	uint64_t left; /* of the chunk */
	bool last;
	bool holds_cr; /* the chunk before ended in CR: its LF may begin the next */
};

enum body_step bdat_next(struct bdat *bdat, struct content *content, struct span *in, struct span *run_out);

#endif
