/*
 * breaker: whether a next hop is worth a connection now. Closed while attempts succeed; after a few
 * connection-level failures in a row it opens for a pause that doubles up to a bound; then one probe is let
 * through, and its result closes or opens it again. Refused recipients are no failures: the hop answered.
 * Pure: the time and the jitter are handed in.
 */
#ifndef NODE_OUTBOUND_BREAKER_H
#define NODE_OUTBOUND_BREAKER_H

#include <stdbool.h>
#include <stdint.h>

struct breaker_options {
	unsigned failures_max; /* consecutive ones that open it */
	uint64_t pause_first_ms;
	uint64_t pause_max_ms;
};

enum breaker_state { BREAKER_CLOSED, BREAKER_OPEN, BREAKER_PROBING };

struct breaker {
	enum breaker_state state;
	unsigned failures; /* in a row */
	unsigned opened;   /* times in a row, sets the pause */
	uint64_t retry_at_ms;
};

/* May a new connection be tried? Moves from open to probing when the pause is over: the caller then tries
 * one. */
bool breaker_admit(struct breaker *breaker, uint64_t now_ms);
/* Would breaker_admit() say yes? Changes nothing. */
bool breaker_is_usable(const struct breaker *breaker, uint64_t now_ms);
/* A connection stands: more may be tried. Failures still count until something came of it. */
void breaker_connected(struct breaker *breaker);
/* Something came of it. */
void breaker_succeeded(struct breaker *breaker);
/* `random` is any number; a quarter of the pause is jitter taken from it. */
void breaker_failed(
	struct breaker *breaker, const struct breaker_options *options, uint64_t now_ms, uint32_t random);
/* The same, and it opens however few failures there were: another attempt would do harm. */
void breaker_trip(
	struct breaker *breaker, const struct breaker_options *options, uint64_t now_ms, uint32_t random);
/* Open for so long, whatever it was: it is known that no attempt can succeed before. */
void breaker_hold(struct breaker *breaker, uint64_t now_ms, uint64_t pause_ms);
/* What held it is over: one probe may go at once. */
void breaker_release(struct breaker *breaker, uint64_t now_ms);
/* How long until it admits again; 0 when it does now. */
uint64_t breaker_wait_ms(const struct breaker *breaker, uint64_t now_ms);

#endif
