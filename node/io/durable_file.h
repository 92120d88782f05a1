/* durable_file: small files that are written as a whole and must outlive a loss of power. Blocks: at start,
 * or in a thread that may wait. */
#ifndef NODE_IO_DURABLE_FILE_H
#define NODE_IO_DURABLE_FILE_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/err.h"
#include "skein/proto/base/span.h"

/*
 * The file `name` in the folder `dir_fd` has the old content or these bytes, whenever the power fails. `temp`
 * is what it is called meanwhile, in the same folder. ERR_IO: it is one of the two, and may be the old one
 * again after a loss of power.
 */
enum err durable_file_replace(int dir_fd, const char *name, const char *temp, struct span bytes) WARN_UNUSED;

#endif
