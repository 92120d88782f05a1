#include "file_write.h"

#include <errno.h>
#include <unistd.h>

bool file_write_all(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t written = write(fd, bytes.ptr, bytes.len);

		if (written < 0 && errno == EINTR)
			continue;
		if (written <= 0)
			return false;
		bytes = span_drop(bytes, (size_t)written);
	}
	return true;
}
