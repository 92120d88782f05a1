/*
 * body_encoder: a body as quoted-printable or base64 (RFC 2045 6.7, 6.8), as it streams by. Its lines end in
 * CRLF. The last CRLF is told from the others by body_encode_end(): before a delimiter it belongs to that.
 */
#ifndef PROTO_MAIL_BODY_ENCODE_H
#define PROTO_MAIL_BODY_ENCODE_H

#include "skein/proto/base/buf.h"

enum body_encoding { BODY_QUOTED_PRINTABLE, BODY_BASE64 };

struct body_encoder {
	enum body_encoding encoding;
	bool has_cr;    /* read, and not yet known what follows */
	bool has_crlf;  /* BASE64: held back, perhaps the delimiter's */
	char blank;     /* QUOTED_PRINTABLE: a space or tab, held back; must be encoded before CRLF */
	bool has_begun; /* BASE64: something was written */
	size_t column;
	unsigned char group[3];
	size_t group_len;
};

void body_encode_init(struct body_encoder *encoder, enum body_encoding encoding);
void body_encode(struct body_encoder *encoder, struct span piece, struct buf *out);
/* `is_delimited`: a delimiter follows, whose line starts where `out` ends. Else the body was all. */
void body_encode_end(struct body_encoder *encoder, bool is_delimited, struct buf *out);

#endif
