/* Names as the DNS has them, in text and without a dot at the end. */
#ifndef PROTO_SPF_NAME_INTERNAL_H
#define PROTO_SPF_NAME_INTERNAL_H

#include "skein/proto/base/span.h"

/* Without one dot at the end. */
struct span name_without_dot(struct span name);
/* Whether the DNS could have it and a resolver could be asked for it; see spf_question. */
bool name_is_askable(struct span name);
/* RFC 7208 4.3: what may have a policy: askable, and more than one label. */
bool name_is_domain(struct span name);
/* Whether `name` is `domain` or below it. */
bool name_is_within(struct span name, struct span domain);
/* RFC 7208 7.3: without so many labels on the left that SPF_NAME_LEN_MAX holds. */
struct span name_shorten(struct span name);
bool span_is_ascii(struct span text);

#endif
