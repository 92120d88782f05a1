#include "custody/segment.h"

#include "skein/proto/base/alloc.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ZEROS_BYTES = 1 << 16 };

static const char zeros[ZEROS_BYTES];

static enum err err_of_errno(void)
{
	return errno == ENOSPC || errno == EDQUOT ? ERR_FULL : ERR_IO;
}

struct segment_name segment_name(uint32_t number)
{
	struct segment_name name;

	snprintf(name.text, sizeof(name.text), "%08x.seg", number);
	return name;
}

bool segment_parse_name(const char *name, uint32_t *number_out)
{
	unsigned number;
	int end = 0;

	if (sscanf(name, "%8x.seg%n", &number, &end) != 1 || !end)
		return false;
	*number_out = number;
	return strcmp(segment_name(number).text, name) == 0;
}

static struct segment *segment_new(uint32_t number, int fd)
{
	struct segment *segment = mem_zalloc(sizeof(*segment));

	list_init(&segment->node);
	list_init(&segment->lives);
	segment->number = number;
	segment->used = SEGMENT_HEADER_BYTES;
	segment->fd = fd;
	return segment;
}

enum err segment_create(int dir_fd, uint32_t number, size_t filled, struct segment **segment_out)
{
	struct segment_name name = segment_name(number);
	int fd = openat(dir_fd, name.text, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	struct segment *segment;
	enum err err;

	if (fd < 0)
		return err_of_errno();
	segment = segment_new(number, fd);
	err = segment_fill(segment, filled);
	if (!err && fsync(dir_fd) < 0)
		err = ERR_IO;
	if (err) {
		int why = errno;

		unlinkat(dir_fd, name.text, 0);
		segment_free(&segment);
		errno = why;
		return err;
	}
	*segment_out = segment;
	return ERR_OK;
}

enum err segment_open(int dir_fd, uint32_t number, struct segment **segment_out)
{
	int fd = openat(dir_fd, segment_name(number).text, O_RDWR | O_CLOEXEC);
	struct stat stat;

	if (fd < 0)
		return ERR_IO;
	if (fstat(fd, &stat) < 0) {
		close(fd);
		return ERR_IO;
	}
	*segment_out = segment_new(number, fd);
	(*segment_out)->filled = (size_t)stat.st_size;
	return ERR_OK;
}

void segment_free(struct segment **segment)
{
	if (!*segment)
		return;
	CHECK(list_is_empty(&(*segment)->lives) && !(*segment)->readers);
	list_remove(&(*segment)->node);
	close((*segment)->fd);
	mem_free(*segment);
	*segment = NULL;
}

enum err segment_remove(int dir_fd, struct segment **segment)
{
	if (unlinkat(dir_fd, segment_name((*segment)->number).text, 0) < 0 || fsync(dir_fd) < 0)
		return ERR_IO;
	segment_free(segment);
	return ERR_OK;
}

enum err segment_set_aside(int dir_fd, struct segment **segment)
{
	struct segment_name name = segment_name((*segment)->number);
	char damaged[32];

	snprintf(damaged, sizeof(damaged), "%s.damaged", name.text);
	if (renameat(dir_fd, name.text, dir_fd, damaged) < 0 || fsync(dir_fd) < 0)
		return ERR_IO;
	segment_free(segment);
	return ERR_OK;
}

static enum err write_span(struct segment *segment, struct span bytes, size_t offset)
{
	struct iovec iov = { (void *)(uintptr_t)bytes.ptr, bytes.len };

	return segment_write(segment, &iov, 1, offset);
}

enum err segment_begin(struct segment *segment, const struct segment_header *header)
{
	struct buf bytes = { 0 };
	enum err err;

	segment_header_put(&bytes, header);
	err = write_span(segment, buf_span(&bytes), 0);
	buf_fini(&bytes);
	if (!err)
		err = segment_sync(segment);
	segment->header = *header;
	segment->used = SEGMENT_HEADER_BYTES;
	return err;
}

enum err segment_end(struct segment *segment)
{
	struct record record = { .type = RECORD_END, .batch_start = (uint32_t)segment->used };
	struct buf bytes = { 0 };
	enum err err;

	record_put(&bytes, &record, span_of(NULL, 0), &segment->header);
	err = write_span(segment, buf_span(&bytes), segment->used);
	buf_fini(&bytes);
	return err ? err : segment_sync(segment);
}

enum err segment_reserve(struct segment *segment, size_t upto)
{
	if (upto <= segment->filled)
		return ERR_OK;
	errno = posix_fallocate(segment->fd, 0, (off_t)upto);
	if (errno)
		return err_of_errno();
	segment->filled = upto;
	return ERR_OK;
}

enum err segment_fill(struct segment *segment, size_t upto)
{
	size_t at = segment->filled;

	while (at < upto) {
		size_t len = upto - at < ZEROS_BYTES ? upto - at : ZEROS_BYTES;
		ssize_t done = pwrite(segment->fd, zeros, len, (off_t)at);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return err_of_errno();
		at += (size_t)done;
	}
	segment->filled = at;
	return segment_sync(segment);
}

enum err segment_write(struct segment *segment, struct iovec *iov, size_t count, size_t offset)
{
	while (count) {
		ssize_t done =
			pwritev(segment->fd, iov, count < IOV_MAX ? (int)count : IOV_MAX, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return ERR_IO;
		offset += (size_t)done;
		while (count && (size_t)done >= iov->iov_len) {
			done -= (ssize_t)iov->iov_len;
			iov++;
			count--;
		}
		if (count) {
			iov->iov_base = (char *)iov->iov_base + done;
			iov->iov_len -= (size_t)done;
		}
	}
	return ERR_OK;
}

enum err segment_sync(struct segment *segment)
{
	return fdatasync(segment->fd) < 0 ? ERR_IO : ERR_OK;
}

enum err segment_read(const struct segment *segment, size_t offset, char *bytes_out, size_t len)
{
	while (len) {
		ssize_t done = pread(segment->fd, bytes_out, len, (off_t)offset);

		if (done < 0 && errno == EINTR)
			continue;
		if (done <= 0)
			return done < 0 ? ERR_IO : ERR_CORRUPT;
		bytes_out += done;
		offset += (size_t)done;
		len -= (size_t)done;
	}
	return ERR_OK;
}
