/*
 * secret: a password that lies in a file of its own, never in the settings or on the command line.
 */
#ifndef NODE_CONFIG_SECRET_H
#define NODE_CONFIG_SECRET_H

#include "skein/proto/base/err.h"
#include "skein/proto/base/check.h"

/*
 * The first and only line of the file, without its line end, NUL-terminated. ERR_IO: it cannot be read, errno
 * says why; ERR_INVALID: it is empty, longer than 1 KiB, or has more than one line. Blocks.
 */
enum err secret_read(const char *path, char **secret_out) WARN_UNUSED;
/* Overwrites it before it is freed. Sets the pointer to NULL; NULL is fine. */
void secret_free(char **secret);

#endif
