/* operator: somebody with skeinctl: holds, releases and cancels messages, forgets nodes that never return. */
#ifndef SIM_OPERATOR_H
#define SIM_OPERATOR_H

#include "world.h"

void operator_start(struct world *world);
void operator_hold(struct world *world, const struct mail *mail);
void operator_release(struct world *world, const struct mail *mail);
void operator_cancel(struct world *world, struct mail *mail);
/* Lets go of everything that is held or set aside, and forgets lost nodes. */
void operator_tidy(struct world *world);

#endif
