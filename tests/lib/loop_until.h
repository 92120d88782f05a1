/* loop_until: a loop turned by hand until a condition holds. For tests of node. */
#ifndef TESTS_LIB_LOOP_UNTIL_H
#define TESTS_LIB_LOOP_UNTIL_H

#include "io/loop.h"

#include <unistd.h>

#define GIVE_UP_MS 60000 /* a sanitizer on a busy machine takes its time */

/* Turns the loop until the condition holds. */
#define RUN_UNTIL(loop, condition)                                                                           \
	do {                                                                                                 \
		uint64_t give_up_ms_ = loop_boottime_ms() + GIVE_UP_MS;                                      \
		while (!(condition)) {                                                                       \
			if (loop_boottime_ms() > give_up_ms_)                                                \
				fail_msg("gave up waiting for: %s", #condition);                             \
			uv_run(&(loop)->uv, UV_RUN_NOWAIT);                                                  \
			usleep(20);                                                                          \
		}                                                                                            \
	} while (0)

/* Lets everything happen that can happen without waiting. */
static inline void settle(struct loop *loop)
{
	for (unsigned i = 0; i < 20; i++)
		uv_run(&loop->uv, UV_RUN_NOWAIT);
}

#endif
