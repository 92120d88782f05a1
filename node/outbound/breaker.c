#include "breaker.h"

bool breaker_is_usable(const struct breaker *breaker, uint64_t now_ms)
{
	switch (breaker->state) {
	case BREAKER_CLOSED:
		return true;
	case BREAKER_OPEN:
		return now_ms >= breaker->retry_at_ms;
	case BREAKER_PROBING:
		return false;
	}
	return false;
}

bool breaker_admit(struct breaker *breaker, uint64_t now_ms)
{
	if (!breaker_is_usable(breaker, now_ms))
		return false;
	if (breaker->state == BREAKER_OPEN)
		breaker->state = BREAKER_PROBING;
	return true;
}

void breaker_connected(struct breaker *breaker)
{
	breaker->state = BREAKER_CLOSED;
}

void breaker_succeeded(struct breaker *breaker)
{
	*breaker = (struct breaker){ .state = BREAKER_CLOSED };
}

static uint64_t pause_ms(const struct breaker_options *options, unsigned opened, uint32_t random)
{
	uint64_t pause = options->pause_first_ms;

	while (opened-- > 0 && pause < options->pause_max_ms)
		pause *= 2;
	if (pause > options->pause_max_ms)
		pause = options->pause_max_ms;
	return pause - pause / 4 * (random % 1024) / 1024;
}

void breaker_failed(
	struct breaker *breaker, const struct breaker_options *options, uint64_t now_ms, uint32_t random)
{
	breaker->failures++;
	if (breaker->state == BREAKER_CLOSED && breaker->failures < options->failures_max)
		return;
	/* Connections that were under way when it opened fail too: they prove nothing new. */
	if (breaker->state == BREAKER_OPEN && now_ms < breaker->retry_at_ms)
		return;
	breaker->state = BREAKER_OPEN;
	breaker->retry_at_ms = now_ms + pause_ms(options, breaker->opened, random);
	breaker->opened++;
}

void breaker_trip(
	struct breaker *breaker, const struct breaker_options *options, uint64_t now_ms, uint32_t random)
{
	if (breaker->failures + 1 < options->failures_max)
		breaker->failures = options->failures_max - 1;
	breaker_failed(breaker, options, now_ms, random);
}

void breaker_hold(struct breaker *breaker, uint64_t now_ms, uint64_t pause_ms)
{
	breaker->state = BREAKER_OPEN;
	breaker->retry_at_ms = now_ms + pause_ms;
}

void breaker_release(struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->state == BREAKER_OPEN)
		breaker->retry_at_ms = now_ms;
}

uint64_t breaker_wait_ms(const struct breaker *breaker, uint64_t now_ms)
{
	if (breaker->state != BREAKER_OPEN || now_ms >= breaker->retry_at_ms)
		return breaker->state == BREAKER_PROBING ? 1 : 0;
	return breaker->retry_at_ms - now_ms;
}
