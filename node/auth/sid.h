/* sid: Windows security identifiers, between bytes and text ([MS-DTYP] 2.4.2). Pure. */
#ifndef NODE_AUTH_SID_H
#define NODE_AUTH_SID_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

enum { SID_BYTES_MAX = 68, SID_TEXT_SIZE = 192 };

struct sid {
	uint8_t bytes[SID_BYTES_MAX];
	size_t len;
};

/* False: these bytes are none. */
bool sid_from_bytes(struct span bytes, struct sid *sid_out) WARN_UNUSED;
/* "S-1-5-21-1-2-3-1104" */
bool sid_from_text(struct span text, struct sid *sid_out) WARN_UNUSED;
void sid_format(const struct sid *sid, char text_out[SID_TEXT_SIZE]);
static inline bool sid_is(const struct sid *sid, struct span bytes)
{
	return sid->len && span_eq(span_of((const char *)sid->bytes, sid->len), bytes);
}

#endif
