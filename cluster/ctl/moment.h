/* moment: points in time as people write and read them. */
#ifndef CTL_MOMENT_H
#define CTL_MOMENT_H

#include "skein/proto/base/buf.h"

/*
 * "1h" (ago), "14:30" and "14:30:05" (today), "2026-11-27", "2026-11-27 14:30", "2026-11-27T14:30:05"; local
 * time, or UTC with `is_utc` or a Z at the end. µs since 1970. False: it is none.
 */
WARN_UNUSED bool moment_parse(const char *text, uint64_t now_us, bool is_utc, uint64_t *us_out);
/* The same for an option; NULL leaves *us_out alone. False: one line in `why`. */
WARN_UNUSED bool moment_argument(
	const char *option, const char *text, bool is_utc, uint64_t *us_out, struct buf *why);
/* "2026-11-27 14:30:05.123", in UTC with a Z behind it. */
void moment_append(uint64_t us, bool is_utc, struct buf *out);
/* Of this machine's clock. */
uint64_t moment_now_us(void);

#endif
