/* file_write: a file's bytes written to the last one. */
#ifndef CTL_FILE_WRITE_H
#define CTL_FILE_WRITE_H

#include "skein/proto/base/span.h"

/* However often the system stops in between. False: errno says why. On disk after the caller's fsync(). */
bool file_write_all(int fd, struct span bytes);

#endif
