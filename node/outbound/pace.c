#include "outbound/pace.h"

enum {
	GAP_MIN_US = 1000,
	GAP_MAX_US = PACE_GAP_MAX_MS * 1000,
	SETTLE_MS = 2000, /* so long it takes to see what came of it */
	FAR_US = 200000,  /* a gap above this is far from what a provider means */
	FASTER_BY = 32,   /* a part of the gap, for each message that is taken; */
	FAR_FASTER_BY = 4,
};

uint64_t pace_wait_ms(const struct pace *pace, uint64_t now_ms)
{
	if (!pace->gap_us || now_ms * 1000 >= pace->next_us)
		return 0;
	return (pace->next_us - now_ms * 1000 + 999) / 1000;
}

void pace_started(struct pace *pace, uint64_t now_ms)
{
	uint64_t now_us = now_ms * 1000;

	if (!pace->gap_us)
		return;
	/* What was late because the clock is coarse is caught up with; a rest is not. */
	if (now_us > pace->next_us + pace->gap_us)
		pace->next_us = now_us;
	pace->next_us += pace->gap_us;
}

/* Moves on to the second that is now. */
static void turn_second(struct pace *pace, uint64_t now_ms)
{
	uint64_t second = now_ms / 1000;

	if (second == pace->second)
		return;
	pace->before = second == pace->second + 1 ? pace->taken : 0;
	pace->taken = 0;
	pace->second = second;
}

void pace_taken(struct pace *pace, uint64_t now_ms)
{
	turn_second(pace, now_ms);
	pace->taken++;
	if (!pace->gap_us || now_ms < pace->pushed_ms + SETTLE_MS)
		return;
	pace->gap_us -= pace->gap_us / (pace->gap_us > FAR_US ? FAR_FASTER_BY : FASTER_BY);
	if (pace->gap_us < GAP_MIN_US)
		pace->gap_us = 0;
}

static uint64_t slower_us(const struct pace *pace)
{
	uint32_t rate = pace->taken > pace->before ? pace->taken : pace->before;

	if (pace->gap_us)
		return (uint64_t)pace->gap_us * 2;
	return UINT64_C(1000000) * 4 / 3 / (rate ? rate : 1);
}

bool pace_pushed_back(struct pace *pace, uint64_t now_ms)
{
	uint64_t gap_us;

	pace->pushed_ms = now_ms;
	if (pace->gap_us && now_ms < pace->slowed_ms + SETTLE_MS + pace->gap_us / 1000)
		return false;
	turn_second(pace, now_ms);
	gap_us = slower_us(pace);
	gap_us = gap_us < GAP_MIN_US ? GAP_MIN_US : gap_us;
	pace->gap_us = (uint32_t)(gap_us < GAP_MAX_US ? gap_us : GAP_MAX_US);
	pace->slowed_ms = now_ms;
	pace->next_us = now_ms * 1000 + pace->gap_us;
	return true;
}

uint32_t pace_per_minute(const struct pace *pace)
{
	return pace->gap_us ? 60 * 1000000u / pace->gap_us : 0;
}
