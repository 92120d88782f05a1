/*
 * cluster_key: the keys of cluster.key_file, in memory that is neither swapped out nor in a core dump.
 */
#ifndef NODE_CONFIG_CLUSTER_KEY_H
#define NODE_CONFIG_CLUSTER_KEY_H

#include "skein/cluster/secret.h"

/* On an error one line in `why_out` that names the file and the cure. Blocks. */
enum err cluster_key_read(const char *path, struct secret_keys **keys_out, struct buf *why_out) WARN_UNUSED;
/* Wipes them. Sets the pointer to NULL; NULL inside is fine. */
void cluster_key_free(struct secret_keys **keys);

#endif
