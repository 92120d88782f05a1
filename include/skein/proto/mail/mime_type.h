/*
 * mime_type: what Content-Type and Content-Transfer-Encoding say of a part (RFC 2045), as far as it decides
 * how the part may be sent. A value is what stands behind the colon, folded or not.
 */
#ifndef SKEIN_PROTO_MAIL_MIME_TYPE_H
#define SKEIN_PROTO_MAIL_MIME_TYPE_H

#include "skein/proto/base/span.h"

enum { MIME_BOUNDARY_MAX = 70 }; /* RFC 2046 5.1.1 */

struct mime_type {
	struct span type, subtype; /* borrowed from the value */
	char boundary[MIME_BOUNDARY_MAX];
	size_t boundary_len; /* 0: none, too long, or said twice */
};

/* False: not of the form type/subtype. What is wrong with parameters costs the boundary alone. */
bool mime_type_parse(struct span value, struct mime_type *type_out);
bool mime_type_is(const struct mime_type *type, const char *wanted_type);
bool mime_type_is_exactly(const struct mime_type *type, const char *wanted_type, const char *wanted_subtype);

enum mime_encoding {
	MIME_ENCODING_7BIT, /* also when nothing is said */
	MIME_ENCODING_8BIT,
	MIME_ENCODING_BINARY,
	MIME_ENCODING_OTHER, /* it is encoded, or we do not know how */
};

enum mime_encoding mime_encoding_parse(struct span value);

#endif
