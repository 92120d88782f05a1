#include "skein/cluster/abuse.h"

#include <limits.h>

enum { DOUBLINGS_MAX = 32 };

unsigned abuse_account_stop(const struct abuse_rules *rules)
{
	unsigned stop = rules->account_failures ? rules->account_failures : UINT_MAX;
	unsigned threshold = rules->directory_threshold;
	unsigned least = threshold / 2;

	if (!threshold)
		return stop;
	if (threshold >= 2 && threshold - 2 < least)
		least = threshold - 2;
	if (least < 1)
		least = 1;
	return stop < least ? stop : least;
}

uint64_t abuse_account_window_ms(const struct abuse_rules *rules)
{
	/* The directory counted before we heard of it, and its clock is not ours. */
	uint64_t directory = rules->directory_window_ms + rules->directory_window_ms / 10;

	if (!rules->directory_threshold || directory < rules->account_window_ms)
		return rules->account_window_ms;
	return directory;
}

static uint64_t doubled(uint64_t first, uint64_t times, uint64_t most)
{
	while (times-- > 0 && first < most)
		first *= 2;
	return first < most ? first : most;
}

uint64_t abuse_delay_ms(const struct abuse_rules *rules, uint64_t failures, uint32_t random)
{
	uint64_t times = failures ? failures - 1 : 0;
	uint64_t delay = doubled(
		rules->delay_first_ms, times > DOUBLINGS_MAX ? DOUBLINGS_MAX : times, rules->delay_max_ms);

	return delay - random % (delay / 4 + 1);
}

uint64_t abuse_ban_ms(const struct abuse_rules *rules, uint64_t bans_before)
{
	return doubled(rules->ban_first_ms, bans_before > DOUBLINGS_MAX ? DOUBLINGS_MAX : bans_before,
		rules->ban_max_ms);
}

void abuse_account_age(
	struct abuse_account *account, uint64_t window_ms, uint64_t pending_ms, uint64_t now_ms)
{
	if (account->pending && now_ms - account->asked_ms >= pending_ms) {
		account->failures += account->pending;
		account->pending = 0;
		account->failed_ms = account->asked_ms;
	}
	if (now_ms - account->failed_ms >= window_ms)
		account->failures = 0;
}

enum abuse_answer abuse_account_ask(struct abuse_account *account, unsigned stop, uint64_t now_ms)
{
	if (account->failures >= stop)
		return ABUSE_STOP;
	if (account->failures + account->pending >= stop)
		return ABUSE_BUSY;
	account->pending++;
	account->asked_ms = now_ms;
	return ABUSE_ASK;
}
