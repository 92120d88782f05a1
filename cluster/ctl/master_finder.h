/*
 * master_finder: asks the Sentinels where the master is, one after the other until a majority has answered,
 * or all were asked.
 */
#ifndef CTL_MASTER_FINDER_H
#define CTL_MASTER_FINDER_H

#include "options.h"

struct master_place {
	char host[SENTINEL_HOST_MAX + 1], port[8];
};

/* False with one line in `why_out`: no Sentinel knows. */
WARN_UNUSED bool master_find(
	const struct ctl_options *options, struct master_place *place_out, struct buf *why_out);

#endif
