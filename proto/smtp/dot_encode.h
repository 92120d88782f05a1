/*
 * dot_encode: a message body on its way into DATA (RFC 5321 4.5.2), fed in pieces of any size. What comes out
 * has CR and LF in pairs only, a dot in front of each line's leading dot, and one end: nothing in a body can
 * be taken for the end of it, whatever the next hop thinks a line is. A bare CR or LF, which our own listener
 * does not let in, becomes a pair (RFC 5321 2.3.8). For BDAT, which counts octets, the same without dots.
 */
#ifndef PROTO_SMTP_DOT_ENCODE_H
#define PROTO_SMTP_DOT_ENCODE_H

#include "skein/proto/base/buf.h"

enum dot_encoder_state { DOT_AT_LINE_START, DOT_IN_LINE, DOT_AFTER_CR };

/* All zero bytes is a valid new one. */
struct dot_encoder {
	enum dot_encoder_state state;
	bool has_no_dots; /* for BDAT */
};

void dot_encode(struct dot_encoder *encoder, struct span piece, struct buf *out);
/* The missing CRLF, if any, and the dot. The encoder is at a line's start afterwards. */
void dot_encode_end(struct dot_encoder *encoder, struct buf *out);

#endif
