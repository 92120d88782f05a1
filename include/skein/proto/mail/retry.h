/*
 * retry: when a message is tried again. Delays double up to a bound; a quarter of each is jitter, so that
 * what was deferred together does not come back together.
 */
#ifndef SKEIN_PROTO_MAIL_RETRY_H
#define SKEIN_PROTO_MAIL_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct retry_schedule {
	uint64_t first_ms;  /* after the first attempt; > 0 */
	uint64_t max_ms;    /* >= first_ms */
	uint64_t expiry_ms; /* age at which we give up */
};

/*
 * The delay after attempt number `attempts` (1, 2, ...): first_ms * 2^(attempts-1), at most max_ms, less up
 * to a quarter by `random` (any number). Never past the expiry: the last attempt is made when the time is up.
 */
uint64_t retry_delay_ms(
	const struct retry_schedule *schedule, unsigned attempts, uint64_t age_ms, uint32_t random);
/* The message is so old that after a failed attempt it is given up. */
bool retry_is_expired(const struct retry_schedule *schedule, uint64_t age_ms);

#endif
