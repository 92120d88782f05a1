#include "access/limit_desk.h"

static void tick(struct limit_desk *desk)
{
	uint64_t now_ms = loop_boottime_ms();
	uint64_t next_ms = limiter_tick(desk->limiter, now_ms);

	if (next_ms != UINT64_MAX)
		loop_timer_set(desk->loop, &desk->timer, next_ms > now_ms ? next_ms - now_ms : 0);
}

static void on_timer(void *arg)
{
	tick(arg);
}

void limit_desk_init(struct limit_desk *desk, struct loop *loop, struct redis_link *link,
	struct limit_share *share, uint64_t patience_ms)
{
	*desk = (struct limit_desk){ .loop = loop, .limiter = limiter_new(link, share, patience_ms) };
	loop_timer_init(&desk->timer, on_timer, desk);
}

void limit_desk_fini(struct limit_desk *desk)
{
	loop_timer_cancel(desk->loop, &desk->timer);
	limiter_free(&desk->limiter);
}

void limit_desk_watch(struct limit_desk *desk)
{
	if (!loop_timer_is_set(&desk->timer))
		tick(desk);
}
