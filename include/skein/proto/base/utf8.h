/*
 * utf8: what is UTF-8 and what is not.
 */
#ifndef SKEIN_PROTO_BASE_UTF8_H
#define SKEIN_PROTO_BASE_UTF8_H

#include "skein/proto/base/span.h"

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
bool utf8_is_valid(struct span text);

#endif
