/* human: numbers and foreign text as a person reads them on a terminal. All functions append. */
#ifndef CTL_HUMAN_H
#define CTL_HUMAN_H

#include "skein/proto/base/buf.h"

/* "0s", "59s", "3m 20s", "2h 5m", "4d 3h" */
void human_duration(struct buf *out, uint64_t ms);
/* "812 B", "1.5 KiB", "3.2 GiB" */
void human_bytes(struct buf *out, uint64_t bytes);
/* "1 message", "2 messages" */
void human_count(struct buf *out, uint64_t count, const char *noun);
/* Text of a peer: what is no printable UTF-8 becomes '?', so that nothing moves the cursor or hides. */
void human_text(struct buf *out, struct span text);
/* What we wrote for a terminal and a peer's text may be within: as human_text(), but newlines, tabs and
 * colours stay. */
void human_lines(struct buf *out, struct span text);
/* A JSON document: what human_text() would replace becomes \uXXXX, and means the same. */
void human_json(struct buf *out, struct span document);

#endif
