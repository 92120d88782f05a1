/* line_diff: what lines differ between two texts, as a unified diff. */
#ifndef CTL_LINE_DIFF_H
#define CTL_LINE_DIFF_H

#include "skein/proto/base/buf.h"

/*
 * Appends hunks with three lines around each change; nothing when the texts are equal. The fewest lines where
 * up to a thousand differ; else everything between the first and the last difference is told as changed.
 */
void line_diff(struct span before, struct span after, struct buf *out);

#endif
