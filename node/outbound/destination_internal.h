/*
 * What the files of a destination share: destination.c is its state and its queue, destination_hops.c which
 * hops it has, destination_dispatch.c which of them works, destination_put_off.c what is done when none can.
 */
#ifndef NODE_OUTBOUND_DESTINATION_INTERNAL_H
#define NODE_OUTBOUND_DESTINATION_INTERNAL_H

#include "outbound/destination.h"

/* The targets in their order, and the hosts of each in theirs; those that are gone leave. */
void destination_update_hops(struct destination *destination);
/* Frees hops that have left and are idle. */
void destination_free_left_hops(struct destination *destination);

/* Nobody knows yet where it is. */
bool destination_is_unknown(const struct destination *destination);
/* Until the first of its hops that are down may be tried again; UINT64_MAX: none is down. */
uint64_t destination_shortest_wait_ms(const struct destination *destination);

/*
 * Nobody can take it. Where that may change it waits, where every node can see it, which costs it no attempt.
 */
void destination_put_off_ready(struct destination *destination);

#endif
