/*
 * pace: how fast a next hop is given messages. As fast as it takes them, until it says that this is too fast
 * (a 4xx to MAIL, DATA or the final dot, or 421): then at three quarters of what it took in a second, and
 * half of that each time it says so again; after some seconds without, a little faster with each message that
 * it takes, until nothing holds it back. Pure: the time is handed in.
 */
#ifndef NODE_OUTBOUND_PACE_H
#define NODE_OUTBOUND_PACE_H

#include <stdbool.h>
#include <stdint.h>

enum { PACE_GAP_MAX_MS = 2000 };

/* All zero bytes: nothing holds it back. */
struct pace {
	uint32_t gap_us;        /* between the starts of two messages; 0: none */
	uint64_t next_us;       /* when the next may start */
	uint64_t slowed_ms;     /* when it was slowed last */
	uint64_t pushed_ms;     /* when it said no last */
	uint64_t second;        /* in which `taken` were, */
	uint32_t taken, before; /* and how many in the one before */
};

/* May a message start now? 0: yes; else how long until then. */
uint64_t pace_wait_ms(const struct pace *pace, uint64_t now_ms);
void pace_started(struct pace *pace, uint64_t now_ms);
void pace_taken(struct pace *pace, uint64_t now_ms);
/* True: it is slower now. What was under way when it was slowed tells nothing new. */
bool pace_pushed_back(struct pace *pace, uint64_t now_ms);
/* Messages in a minute; 0: as many as there are. */
uint32_t pace_per_minute(const struct pace *pace);

#endif
