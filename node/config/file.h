/*
 * file: a small file as a whole.
 */
#ifndef NODE_CONFIG_FILE_H
#define NODE_CONFIG_FILE_H

#include "skein/proto/base/buf.h"
#include "skein/proto/base/err.h"

/* Appends the content of a regular file of at most `size_max` bytes. On an error errno says why. Blocks. */
enum err file_read(const char *path, size_t size_max, struct buf *out) WARN_UNUSED;

/* Why a file could not be opened, for people: what errno says, or that this process gave it up
 * (run/confine.h). */
const char *file_why(const char *path, int error);

#endif
