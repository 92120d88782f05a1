/* gzip: RFC 1952, a whole text at once, by zlib. */
#ifndef NODE_DAILY_GZIP_H
#define NODE_DAILY_GZIP_H

#include "skein/proto/base/buf.h"

/* Appends. */
void gzip_append(struct span text, struct buf *out);

#endif
