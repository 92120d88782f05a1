/*
 * agenda: virtual time, and what happens next. Everything in the simulation is an event at a microsecond;
 * those of one microsecond come in the order in which they were planned. No real clock is read.
 *
 * An event may belong to a life (one run of one node's process): it is dropped when that life is over and
 * waits while it is paused, as a stopped process finds everything at once when it wakes.
 */
#ifndef SIM_AGENDA_H
#define SIM_AGENDA_H

#include "skein/proto/base/heap.h"

struct node;

struct life {
	struct node *node;
	unsigned number; /* of this node's lives, from 1 */
	bool is_over;
	uint64_t paused_until_us;
};

typedef void event_fn(void *arg);

struct agenda {
	struct heap events;
	uint64_t now_us;
	uint64_t planned; /* events, ever */
	uint64_t steps;   /* events that happened */
};

/* `arg` is moved when `owns_arg`: freed after the event, or when it is dropped. `life` may be NULL. */
void agenda_plan(
	struct agenda *agenda, struct life *life, uint64_t delay_us, event_fn *fn, void *arg, bool owns_arg);
/* Lets the next event happen. False: there is none. */
bool agenda_step(struct agenda *agenda);

#endif
