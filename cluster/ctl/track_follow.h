/*
 * track_follow: what comes, as it comes. While Redis is away, or a failover is under way, it waits and goes
 * on where it was.
 */
#ifndef CTL_TRACK_FOLLOW_H
#define CTL_TRACK_FOLLOW_H

#include "track_reader.h"

/* Returns when the output cannot be written, or Redis refuses. */
WARN_UNUSED enum ctl_exit track_follow(struct track_reader *reader, const struct track_visitor *visitor);

#endif
