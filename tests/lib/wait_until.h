/* wait_until: for what other threads do, and no loop tells of. */
#ifndef TESTS_LIB_WAIT_UNTIL_H
#define TESTS_LIB_WAIT_UNTIL_H

#include <time.h>
#include <unistd.h>

enum { WAIT_GIVE_UP_S = 30 };

/* Looks at the condition again and again, until it holds or the test fails. */
#define WAIT_UNTIL(condition)                                                                                \
	do {                                                                                                 \
		time_t give_up_ = time(NULL) + WAIT_GIVE_UP_S;                                               \
		while (!(condition)) {                                                                       \
			if (time(NULL) > give_up_)                                                           \
				fail_msg("gave up waiting for: %s", #condition);                             \
			usleep(200);                                                                         \
		}                                                                                            \
	} while (0)

#endif
