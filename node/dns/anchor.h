/* Whether a file holds trust anchors: libunbound takes one without any, and then validates nothing. */
#ifndef NODE_DNS_ANCHOR_H
#define NODE_DNS_ANCHOR_H

#include "skein/proto/base/buf.h"

/* At the start: it reads the file. False: `why_out` has a phrase, such as "holds no DS or DNSKEY record". */
WARN_UNUSED bool dns_anchor_check(const char *path, struct buf *why_out);

#endif
