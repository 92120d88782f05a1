/*
 * Text of peers on its way into a line. What is a character is copied; what is none, or would move a
 * terminal's cursor, is replaced as the kind of line wants it.
 */
#ifndef CLUSTER_TRACK_ESCAPE_H
#define CLUSTER_TRACK_ESCAPE_H

#include "skein/proto/base/buf.h"

/* The inside of a JSON string. */
void track_escape_json(struct span text, struct buf *out);
/* One column: "-" for nothing, a blank as "+", control characters and bytes that are not UTF-8 as %XX. */
void track_escape_w3c(struct span text, struct buf *out);

#endif
