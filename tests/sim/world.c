#include "world.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TRACE_LINES = 400, TRACE_LINE = 220 };

static const uint64_t wall_begin_us = 1700000000ull * SECOND_US;
static const uint64_t boot_begin_ms = 1000000;

struct world *the_world;
bool trace_is_loud;
static char trace_lines[TRACE_LINES][TRACE_LINE];
static unsigned trace_count;

uint64_t world_now_ms(const struct world *world)
{
	return boot_begin_ms + world->agenda.now_us / MS_US;
}

uint64_t world_wall_us(const struct world *world)
{
	return wall_begin_us + world->agenda.now_us;
}

uint64_t world_random(struct world *world, uint64_t below)
{
	return random_u64(&world->random) % below;
}

uint64_t world_between(struct world *world, uint64_t low, uint64_t high)
{
	return low + world_random(world, high - low + 1);
}

bool world_chance(struct world *world, unsigned odds)
{
	return world_random(world, 1000) < odds;
}

void world_plan(struct world *world, uint64_t delay_us, event_fn *fn, void *arg)
{
	agenda_plan(&world->agenda, NULL, delay_us, fn, arg, false);
}

/* --- the trace ---------------------------------------------------------------------------------- */

void trace(struct world *world, const char *fmt, ...)
{
	char *line = trace_lines[trace_count++ % TRACE_LINES];
	uint64_t now_us = world->agenda.now_us;
	int len = snprintf(line, TRACE_LINE, "%4llu.%06llu  ", (unsigned long long)(now_us / SECOND_US),
		(unsigned long long)(now_us % SECOND_US));
	va_list args;

	va_start(args, fmt);
	vsnprintf(line + len, (size_t)(TRACE_LINE - len), fmt, args);
	va_end(args);
	if (trace_is_loud)
		puts(line);
}

void trace_print(void)
{
	unsigned first = trace_count > TRACE_LINES ? trace_count - TRACE_LINES : 0;

	if (trace_is_loud)
		return;
	for (unsigned i = first; i < trace_count; i++)
		puts(trace_lines[i % TRACE_LINES]);
}

_Noreturn void violation(struct world *world, const char *invariant, const char *fmt, ...)
{
	char why[400];
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, sizeof(why), fmt, args);
	va_end(args);
	trace(world, "VIOLATION of %s: %s", invariant, why);
	trace_print();
	printf("VIOLATION of %s: %s\n", invariant, why);
	fflush(stdout);
	_exit(EXIT_VIOLATION);
}

/* --- what the node's code is given instead of the world ------------------------------------------ */

uint64_t loop_boottime_ms(void)
{
	return world_now_ms(the_world);
}

int __real_clock_gettime(clockid_t clock, struct timespec *time_out);
int __wrap_clock_gettime(clockid_t clock, struct timespec *time_out);

/* The time of day is virtual. What a test's helpers measure with the monotonic clock is not. */
int __wrap_clock_gettime(clockid_t clock, struct timespec *time_out)
{
	uint64_t now_us;

	if (clock != CLOCK_REALTIME || !the_world)
		return __real_clock_gettime(clock, time_out);
	now_us = world_wall_us(the_world);
	time_out->tv_sec = (time_t)(now_us / SECOND_US);
	time_out->tv_nsec = (long)(now_us % SECOND_US * 1000);
	return 0;
}
