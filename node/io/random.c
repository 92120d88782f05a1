#include "io/random.h"

#include "skein/proto/base/check.h"

#include <sys/random.h>

void random_seed(struct random *random)
{
	CHECK(getrandom(random->state, sizeof(random->state), 0) == (ssize_t)sizeof(random->state));
	random->state[0] |= 1; /* all zero would stay so */
}

uint64_t random_u64(struct random *random)
{
	uint64_t a = random->state[0], b = random->state[1];

	random->state[0] = b;
	a ^= a << 23;
	random->state[1] = a ^ b ^ (a >> 17) ^ (b >> 26);
	return random->state[1] + b;
}
