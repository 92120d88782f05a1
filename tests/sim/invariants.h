/* invariants: what must hold after every step, and at the end. Each is one function with its sentence above
 * it. */
#ifndef SIM_INVARIANTS_H
#define SIM_INVARIANTS_H

#include "happening.h"

void invariants_look(struct world *world, struct happening *happening);
/* Looks into Redis and onto the disks; costs more. */
void invariants_look_deep(struct world *world);
/* How many places have something of this mail: Redis' record, and disks. */
unsigned invariants_copies(struct world *world, const struct mail *mail);
/* A fault takes copies: call before and after it. Loses nothing alone. */
void invariants_before_loss(struct world *world);
void invariants_after_loss(struct world *world, const char *what);
/* After the faults: NULL when everything has come to its end, else what has not. */
const char *invariants_unfinished(struct world *world);

#endif
