/*
 * hop: couriers and the next hop, simulated: the functions of outbound.h that custody calls are here. The
 * order of steps is that of outbound.c, hop_conn.c and delivery.c (which is the real one). The hop remembers
 * every receipt.
 */
#ifndef SIM_HOP_H
#define SIM_HOP_H

#include "world.h"

void hop_begin(struct worker *worker);
/* How many more messages this worker likes to claim. */
size_t hop_appetite(const struct worker *worker);
/* What this process was ever promised: of the lease, for the attempts in their window. */
void hop_note_trust(struct worker *worker);

#endif
