/*
 * redistribute: after a change of the number of workers, moves each live message to the journal of the worker
 * that has its shard now. Messages are durable in the new journal before the old one lets go of them.
 */
#ifndef NODE_RUN_REDISTRIBUTE_H
#define NODE_RUN_REDISTRIBUTE_H

#include "config/settings.h"
#include "custody/spool.h"

/* Blocks; before the workers open their journals. Does nothing when the number is what it was. */
WARN_UNUSED enum err redistribute_journals(
	struct spool *spool, const struct settings *settings, unsigned workers, struct buf *why_out);

#endif
