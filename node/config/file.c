#include "config/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static enum err read_all(int fd, size_t size_max, struct buf *out)
{
	size_t total = 0;

	for (;;) {
		ssize_t len;

		buf_reserve(out, 4096);
		len = read(fd, buf_tail(out), 4096);
		if (len == 0)
			return ERR_OK;
		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0)
			return ERR_IO;
		total += (size_t)len;
		if (total > size_max) {
			errno = EFBIG;
			return ERR_IO;
		}
		buf_commit(out, (size_t)len);
	}
}

enum err file_read(const char *path, size_t size_max, struct buf *out)
{
	/* Not blocking, so that a pipe in place of the file cannot hold us up. */
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	enum err err = ERR_IO;
	struct stat stat;
	int error;

	if (fd < 0)
		return ERR_IO;
	if (fstat(fd, &stat) == 0) {
		errno = S_ISDIR(stat.st_mode) ? EISDIR : EINVAL;
		if (S_ISREG(stat.st_mode))
			err = read_all(fd, size_max, out);
	}
	error = errno;
	close(fd);
	errno = error;
	return err;
}

const char *file_why(const char *path, int error)
{
	/* access() looks at the file's mode alone, Landlock when it is opened. */
	if (error == EACCES && faccessat(AT_FDCWD, path, R_OK, AT_EACCESS) == 0)
		return "it is in none of the folders that this process kept when it started (node.confine): "
		       "move it to one of them, or restart";
	return strerrordesc_np(error);
}
