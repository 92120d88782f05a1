/*
 * downgrade: a message with 8-bit content for a hop that has no 8BITMIME (RFC 6152 3): the parts that are
 * declared 8bit or binary become quoted-printable (text) or base64 (all else), what they hold stays the same
 * to the octet, and so does all that need not change. It works as the message streams by, on a few KiB of
 * state, whatever the peer sends. A message of one part may lack the declaration: then it gets one.
 *
 * Where that is not possible without loss it says why, maybe after much was written. So the owner asks first:
 * one pass without `out` finds the verdict and the size, a second one writes. A signature over the body
 * (DKIM) does not survive: sign after this.
 *
 * The same pass tells whether a header, of the message or of a part, holds 8-bit bytes. When none does and
 * the addresses are ASCII, the message needs no SMTPUTF8, whatever the client declared.
 */
#ifndef SKEIN_PROTO_MAIL_DOWNGRADE_H
#define SKEIN_PROTO_MAIL_DOWNGRADE_H

#include "skein/proto/base/buf.h"

enum downgrade_verdict {
	DOWNGRADE_NEEDLESS, /* there is no 8-bit byte: send it as it is */
	DOWNGRADE_OK,
	DOWNGRADE_HEADER,     /* 8-bit bytes in a header, of the message or of a part */
	DOWNGRADE_SIGNED,     /* 8-bit bytes in what multipart/signed protects */
	DOWNGRADE_UNDECLARED, /* 8-bit bytes between parts, or in one of several that is not declared so */
	DOWNGRADE_MALFORMED,  /* where the parts begin and end, or what they are, is not certain */
	DOWNGRADE_VERDICTS,
};

/* A short constant sentence for the log and the report. */
const char *downgrade_verdict_text(enum downgrade_verdict verdict);

struct downgrade;

struct downgrade *downgrade_new(void);
void downgrade_free(struct downgrade **downgrade);
/*
 * `piece` is the next part of the message, split anywhere, its line ends CRLF. Appends to `out`, or only
 * looks when that is NULL. False: it is not possible, and the rest needs no look.
 */
bool downgrade_feed(struct downgrade *downgrade, struct span piece, struct buf *out);
/* The message is over; appends what was held back. */
enum downgrade_verdict downgrade_end(struct downgrade *downgrade, struct buf *out);
/* Octets of all that was appended, or would have been. */
uint64_t downgrade_size(const struct downgrade *downgrade);
/*
 * An 8-bit byte was seen in a header. To know it of a whole message, feed on when downgrade_feed() says
 * false. Past the point where the structure is lost each 8-bit byte counts as one.
 */
bool downgrade_has_8bit_header(const struct downgrade *downgrade);

#endif
