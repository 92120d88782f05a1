/* stopwatch: how long things take, several times over. */
#ifndef CTL_STOPWATCH_H
#define CTL_STOPWATCH_H

#include <stddef.h>
#include <stdint.h>

/* A clock that only goes on; for differences. */
uint64_t stopwatch_us(void);
/* The shortest first: the median is in the middle. */
void stopwatch_sort(uint64_t *took_us, size_t count);

#endif
