#include "skein/proto/mail/retry.h"

static uint64_t base_delay_ms(const struct retry_schedule *schedule, unsigned attempts)
{
	uint64_t delay = schedule->first_ms;

	while (attempts-- > 1 && delay < schedule->max_ms)
		delay *= 2;
	return delay < schedule->max_ms ? delay : schedule->max_ms;
}

uint64_t retry_delay_ms(
	const struct retry_schedule *schedule, unsigned attempts, uint64_t age_ms, uint32_t random)
{
	uint64_t delay = base_delay_ms(schedule, attempts);

	delay -= delay / 4 * (random % 1024) / 1024;
	if (age_ms < schedule->expiry_ms && delay > schedule->expiry_ms - age_ms)
		return schedule->expiry_ms - age_ms;
	return delay;
}

bool retry_is_expired(const struct retry_schedule *schedule, uint64_t age_ms)
{
	return age_ms >= schedule->expiry_ms;
}
