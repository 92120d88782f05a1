/*
 * base64: RFC 4648 4, whole strings at once. The decoder is strict: padding is there, the bits that it hides
 * are zero, and nothing else than the alphabet comes: two texts never mean the same bytes.
 */
#ifndef SKEIN_PROTO_BASE_BASE64_H
#define SKEIN_PROTO_BASE_BASE64_H

#include "skein/proto/base/buf.h"

static inline size_t base64_encoded_len(size_t len)
{
	return (len + 2) / 3 * 4;
}

/* The most that a text of `len` characters can hold. */
static inline size_t base64_decoded_len_max(size_t len)
{
	return len / 4 * 3;
}

void base64_encode(struct buf *out, struct span bytes);
/*
 * Writes up to base64_decoded_len_max() bytes to `out`, which may be `text` itself. False: not base64, and
 * what is in `out` means nothing.
 */
WARN_UNUSED bool base64_decode(struct span text, char *out, size_t *len_out);

#endif
