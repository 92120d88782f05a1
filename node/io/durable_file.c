#include "io/durable_file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static enum err write_all(int fd, struct span bytes)
{
	while (bytes.len) {
		ssize_t done = write(fd, bytes.ptr, bytes.len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return ERR_IO;
		bytes = span_drop(bytes, (size_t)done);
	}
	return fsync(fd) < 0 ? ERR_IO : ERR_OK;
}

enum err durable_file_replace(int dir_fd, const char *name, const char *temp, struct span bytes)
{
	int fd = openat(dir_fd, temp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	enum err err;

	if (fd < 0)
		return ERR_IO;
	err = write_all(fd, bytes);
	close(fd);
	if (err || renameat(dir_fd, temp, dir_fd, name) < 0 || fsync(dir_fd) < 0)
		return ERR_IO;
	return ERR_OK;
}
