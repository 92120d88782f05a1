/*
 * utf8: what is UTF-8 and what is not, and which characters of a peer do not belong on a screen.
 */
#ifndef SKEIN_PROTO_BASE_UTF8_H
#define SKEIN_PROTO_BASE_UTF8_H

#include "skein/proto/base/span.h"

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(struct span text);
/* The character at the front of `text`, which is not empty. Returns its length; 0: there is none. */
size_t utf8_next(struct span text, uint32_t *code_out);
/*
 * Control characters, which terminals obey (U+0080 to U+009F too), and those that nobody sees, or that turn the
 * direction of writing, so that one text passes for another.
 */
bool utf8_is_unseen(uint32_t code);

#endif
