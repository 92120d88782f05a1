/*
 * tally: how many messages wait, by route and by age, for the metrics. It walks what this worker knows, some
 * of it each time, so that a message costs nothing on its way; when it is through, it tells, and begins anew.
 * What comes or goes during a walk may be missed, or counted twice, until the next.
 *
 * A message counts where a journal has it: with all nodes together each is counted once, whoever delivers it.
 */
#ifndef NODE_CUSTODY_TALLY_H
#define NODE_CUSTODY_TALLY_H

#include "custody/custody.h"

struct tally;

/* Both are borrowed for its life. */
struct tally *tally_new(struct custody *custody, struct metrics *metrics);
void tally_free(struct tally **tally);
/* To be called now and then. Bounded. */
void tally_step(struct tally *tally);

#endif
