/* structured: what structured header fields are made of (RFC 5322 3.2): white space, comments, what is
 * enclosed. */
#ifndef PROTO_MAIL_STRUCTURED_H
#define PROTO_MAIL_STRUCTURED_H

#include "skein/proto/base/span.h"

/*
 * The index behind what begins at `at`: a quoted string ('"' and '"'), a comment ('(' and ')', which nest), a
 * domain literal ('\0' and ']', which do not). What is left open takes all.
 */
size_t structured_skip_enclosed(struct span text, size_t at, char open, char close);
/* The index behind white space, also that of folded lines, and comments, of which there may be none at `at`.
 */
size_t structured_skip_cfws(struct span text, size_t at);

#endif
