/*
 * destination: where one worker's mail of one route goes; for direct delivery, of one route and one recipient
 * domain. Mail whose sender asks for TLS (RFC 8689) has one of its own, whose connections all have what it
 * asks for, and where it fails when no hop has that. It has the messages that wait for it (fair among their
 *senders) and the hops that can take them, in order, and it decides which of them works:
 *
 *	the first hop that is well; beside it a down hop whose pause is over gets one probe. A hop that gives
 *	no sign of life while it has work is passed over after HOP_PATIENCE_MS, so that what waits moves on.
 *	With no hop left, messages are put off, which costs them no attempt.
 *
 * A message that a hop lost before its final dot, or could not take for reasons of its own, goes to the next
 * hop within the same attempt: it waits in `elsewhere`, by the set of hops that had it.
 */
#ifndef NODE_OUTBOUND_DESTINATION_H
#define NODE_OUTBOUND_DESTINATION_H

#include "outbound/delivery.h"
#include "outbound/fair_queue.h"
#include "outbound/hop.h"
#include "outbound/lookup.h"
#include "outbound/routing.h"
#include "outbound/transport.h"

enum { DESTINATION_HOPS_MAX = 16 };

struct destination {
	struct outbound *outbound;
	struct routing *routing;
	const struct route *route;
	unsigned name;            /* of the route, in the metrics */
	struct span domain;       /* owned; empty: the same hops for all */
	enum transport_wish wish; /* of all messages that go there */
	struct span key;          /* owned; in outbound->destinations */
	struct fair_queue ready, elsewhere;
	struct route_gate *gate; /* NULL: the cluster shares no limit of this route */
	struct gate_waiter waiter;
	struct lookup lookup;
	struct hop *hops[DESTINATION_HOPS_MAX]; /* in order of preference */
	size_t hop_count;
	struct list leaving;       /* hop.leaving_link: no longer among them, until they are idle */
	struct delivery_part part; /* the recipients that go there */
	size_t trying;
	uint64_t used_ms;      /* when it last had something to do */
	struct list all_link;  /* outbound->all */
	struct list kick_link; /* outbound->kicked[rank], while it is to be looked at */
	unsigned kick_rank;
	struct list cap_link;    /* outbound->capped, while it waits for a connection of the worker's */
	struct loop_timer timer; /* looks again */
	bool is_leaving;         /* of an older routing: ends when its connections have */
};

/* Refers to the routing. `domain` is copied. */
struct destination *destination_new(struct outbound *outbound, struct routing *routing,
	const struct route *route, struct span domain, enum transport_wish wish);
/* It is idle and empty. Sets the pointer to NULL. */
void destination_free(struct destination **destination);

void destination_add(struct destination *destination, struct message *message);
/* Takes a waiting message out; drops the queue's reference. */
void destination_remove(struct message *message);
/* Look at it at the end of this turn. */
void destination_kick(struct destination *destination);
/* Does it: wakes hops, probes, puts off. */
void destination_dispatch(struct destination *destination);

size_t destination_waiting(const struct destination *destination);
bool destination_is_empty(const struct destination *destination);
/* The next of either queue, still in it; NULL when empty. */
struct message *destination_first(struct destination *destination);
/* No connection, no resolver. */
bool destination_has_no_hop_busy(const struct destination *destination);
/* That, and no message. */
bool destination_is_idle(const struct destination *destination);
/* A hop works, or may be tried. */
bool destination_is_usable(const struct destination *destination);
/* A hop works as far as is known. */
bool destination_is_well(const struct destination *destination);
/* Well, and nothing but its hops' speed holds it up. */
bool destination_is_flowing(const struct destination *destination);
/* How long what waits here will take, where a rate decides; else 0. */
uint64_t destination_clears_in_ms(const struct destination *destination);
/* The cluster knows something new about hops. */
void destination_hear(struct destination *destination);
/* Does this recipient go there? */
bool destination_takes(
	const struct destination *destination, const struct envelope *envelope, size_t recipient);

/* For a connection to `hop`: the next message, or NULL. Moves it to TRYING, with the reference. */
struct message *destination_pull(struct destination *destination, struct hop *hop);
/*
 * A TRYING message comes back from `hop` without a verdict of its own making. True: it will be tried at
 * another hop within this attempt, and is no longer the caller's.
 */
bool destination_fail_over(struct destination *destination, struct hop *hop, struct message *message);

/* What became of messages here, for the metrics. */
void destination_count(struct destination *destination, enum route_result result);

/* Hops that wait for a login look again. */
void destination_credentials_changed(struct destination *destination);

/* Frees hops that have left and are idle, and gives up what was asked for in vain. */
void destination_tidy(struct destination *destination);
/* All hops: idle connections say QUIT; all are closed at once. */
void destination_retire(struct destination *destination);
void destination_abort(struct destination *destination);

#endif
