#include "stopwatch.h"

#include <stdlib.h>
#include <time.h>

uint64_t stopwatch_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a, right = *(const uint64_t *)b;

	return (left > right) - (left < right);
}

void stopwatch_sort(uint64_t *took_us, size_t count)
{
	qsort(took_us, count, sizeof(*took_us), compare);
}
