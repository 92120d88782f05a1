/*
 * What the files of outbound share: outbound.c is what waits and its times, outbound_places.c the
 * destinations, outbound_room.c how much more the worker takes.
 */
#ifndef NODE_OUTBOUND_OUTBOUND_INTERNAL_H
#define NODE_OUTBOUND_OUTBOUND_INTERNAL_H

#include "outbound/destination.h"
#include "outbound/outbound.h"

enum { OUTBOUND_KEY_MAX = 512 };

#define EACH_DESTINATION(it, outbound)                                                                       \
	LIST_EACH_SAFE(it##_link, &(outbound)->all)                                                          \
	for (struct destination *it = LIST_ENTRY(it##_link, struct destination, all_link); it; it = NULL)

/* Where a message goes: the key of its destination, whether there is one yet or not. */
struct outbound_place {
	const struct route *route;
	struct span domain; /* empty unless the route is direct */
	enum transport_wish wish;
	struct span key;
	char bytes[OUTBOUND_KEY_MAX];
};

void outbound_find_place(
	const struct outbound *outbound, const struct envelope *envelope, struct outbound_place *place_out);
/* Makes it if there is none. */
struct destination *outbound_destination_for(struct outbound *outbound, const struct envelope *envelope);
/* Idle and empty. */
void outbound_forget(struct destination *destination);
/* Of the timers: forgets destinations; tells them what the cluster has learnt of hops. */
void outbound_on_tidy(void *arg);
void outbound_on_news(void *arg);

#endif
