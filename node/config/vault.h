/*
 * vault: memory for secrets, in pages of its own that are locked, so that they are not swapped out, and left
 * out of core dumps. Where the kernel does not let us lock (RLIMIT_MEMLOCK) the secret is in memory that may
 * be swapped: better than no mail.
 */
#ifndef NODE_CONFIG_VAULT_H
#define NODE_CONFIG_VAULT_H

#include <stddef.h>

/* Zeroed; aborts when there is no memory. */
void *vault_alloc(size_t size);
/* Wipes it; `size` as allocated. NULL is fine. */
void vault_free(void *ptr, size_t size);
/*
 * What is secret passes through buffers that nobody can mark, TLS and the connection to Redis: this process
 * leaves no core dump from now on.
 */
void vault_forgo_core_dumps(void);

#endif
