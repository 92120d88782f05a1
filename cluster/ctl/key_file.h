/* key_file: files with the cluster's key, as nodes have them. Nothing of a key is ever printed but its id. */
#ifndef CTL_KEY_FILE_H
#define CTL_KEY_FILE_H

#include "skein/cluster/secret.h"

/* False: one line in `why_out`. */
bool key_file_read(const char *path, struct secret_keys *keys_out, struct buf *why_out);
/* A new key into a new file that only its owner may read. False: one line in `why_out`, and no file. */
bool key_file_make(const char *path, struct secret_key_id *id_out, struct buf *why_out);

/* Up to `max` bytes of what is open; false when there are more, or on an error (errno; 0: too long). */
bool key_file_read_all(int fd, size_t max, struct buf *out);

#endif
