/* manual: the page skeinctl(1) in mdoc(7), from the table of commands. */
#ifndef CTL_MANUAL_H
#define CTL_MANUAL_H

#include "command.h"

void manual_append(struct buf *out);

#endif
