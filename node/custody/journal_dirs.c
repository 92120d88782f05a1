/* Journals as folders: finding them all, and taking one away for good. */
#include "custody/journal_internal.h"

#include "skein/proto/base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A journal under this ending is gone: only its files are still to be removed. */
#define RETIRED ".retired"

static bool parse_worker(const char *name, unsigned *worker_out)
{
	uint64_t value;

	if (!span_parse_u64(span_of_str(name), 1 << 16, &value) || (name[0] == '0' && name[1]))
		return false;
	*worker_out = (unsigned)value;
	return true;
}

static bool ends_retired(const char *name)
{
	size_t len = strlen(name), end = strlen(RETIRED);

	return len > end && strcmp(name + len - end, RETIRED) == 0;
}

/* Files only: a journal has no folders. */
static enum err remove_folder(int parent_fd, const char *name)
{
	int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;

	if (!dir) {
		if (fd >= 0)
			close(fd);
		return ERR_IO;
	}
	while ((entry = readdir(dir))) {
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(fd, entry->d_name, 0);
	}
	closedir(dir);
	return unlinkat(parent_fd, name, AT_REMOVEDIR) < 0 ? ERR_IO : ERR_OK;
}

static enum err list_one(int parent_fd, const char *name, unsigned *workers_out, size_t max, size_t *count)
{
	unsigned worker;

	if (ends_retired(name))
		return remove_folder(parent_fd, name);
	if (!parse_worker(name, &worker))
		return ERR_OK;
	if (*count == max)
		return ERR_FULL;
	workers_out[(*count)++] = worker;
	return ERR_OK;
}

static int by_number(const void *a, const void *b)
{
	unsigned left = *(const unsigned *)a, right = *(const unsigned *)b;

	return (left > right) - (left < right);
}

enum err journal_list(const char *parent, unsigned *workers_out, size_t max, size_t *count_out)
{
	DIR *dir = opendir(parent);
	struct dirent *entry;
	enum err err = ERR_OK;

	*count_out = 0;
	if (!dir)
		return ERR_IO;
	while (!err && (entry = readdir(dir)))
		err = list_one(dirfd(dir), entry->d_name, workers_out, max, count_out);
	closedir(dir);
	qsort(workers_out, *count_out, sizeof(*workers_out), by_number);
	return err;
}

static enum err retire(int parent_fd, const char *name)
{
	struct buf retired = { 0 };
	enum err err = ERR_IO;

	buf_printf(&retired, "%s" RETIRED, name);
	buf_append_byte(&retired, '\0');
	if (renameat(parent_fd, name, parent_fd, buf_span(&retired).ptr) == 0 && fsync(parent_fd) == 0)
		err = remove_folder(parent_fd, buf_span(&retired).ptr);
	buf_fini(&retired);
	return err;
}

enum err journal_retire(struct journal **journal)
{
	char *dir = mem_strdup((*journal)->dir);
	char *slash = strrchr(dir, '/');
	enum err err = ERR_IO;
	int parent_fd;

	journal_close(journal);
	CHECK(slash && slash[1]);
	*slash = '\0';
	parent_fd = open(*dir ? dir : "/", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent_fd >= 0) {
		err = retire(parent_fd, slash + 1);
		close(parent_fd);
	}
	mem_free(dir);
	return err;
}
