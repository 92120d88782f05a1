/* wall_clock: the time of day, for what people and other machines read: headers, ids, retry times. */
#ifndef NODE_IO_WALL_CLOCK_H
#define NODE_IO_WALL_CLOCK_H

#include <stdint.h>
#include <time.h>

/* Milliseconds since 1970. */
static inline uint64_t wall_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* How far local time is east of UTC at `unix_s`, in minutes. */
static inline int wall_clock_offset_min(int64_t unix_s)
{
	time_t when = (time_t)unix_s;
	struct tm local;

	return localtime_r(&when, &local) ? (int)(local.tm_gmtoff / 60) : 0;
}

#endif
