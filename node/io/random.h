/*
 * random: quick numbers for jitter, choice and ids; seeded by the kernel, one per thread. Not for secrets.
 */
#ifndef NODE_IO_RANDOM_H
#define NODE_IO_RANDOM_H

#include <stdint.h>

struct random {
	uint64_t state[2];
};

void random_seed(struct random *random);
/* xorshift128+ */
uint64_t random_u64(struct random *random);

static inline uint32_t random_u32(struct random *random)
{
	return (uint32_t)(random_u64(random) >> 32);
}

#endif
