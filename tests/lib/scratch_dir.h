/*
 * scratch_dir: an empty folder for one test, and what tests do with folders. All functions fail the test on
 * errors.
 */
#ifndef TESTS_LIB_SCRATCH_DIR_H
#define TESTS_LIB_SCRATCH_DIR_H

#include "cmocka_all.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct scratch_dir {
	char path[256];
};

static inline struct scratch_dir scratch_make(void)
{
	const char *tmp = getenv("TMPDIR");
	struct scratch_dir dir;

	snprintf(dir.path, sizeof(dir.path), "%s/skein-test-XXXXXX", tmp ? tmp : "/tmp");
	assert_non_null(mkdtemp(dir.path));
	return dir;
}

static inline int scratch_remove_one(const char *path, const struct stat *stat, int type, struct FTW *ftw)
{
	(void)stat;
	(void)type;
	(void)ftw;
	return remove(path);
}

static inline void scratch_remove(const struct scratch_dir *dir)
{
	assert_int_equal(nftw(dir->path, scratch_remove_one, 16, FTW_DEPTH | FTW_PHYS), 0);
}

static inline struct scratch_dir scratch_path(const struct scratch_dir *dir, const char *name)
{
	struct scratch_dir path;

	assert_true(snprintf(path.path, sizeof(path.path), "%.200s/%.50s", dir->path, name) < 256);
	return path;
}

/* How many entries have a name that ends so. */
static inline unsigned scratch_count(const char *path, const char *ending)
{
	DIR *dir = opendir(path);
	struct dirent *entry;
	unsigned count = 0;

	assert_non_null(dir);
	while ((entry = readdir(dir))) {
		size_t len = strlen(entry->d_name), end = strlen(ending);

		count += entry->d_name[0] != '.' && len > end &&
			 strcmp(entry->d_name + len - end, ending) == 0;
	}
	closedir(dir);
	return count;
}

/* The whole file, to be freed. */
static inline char *scratch_read(const char *path, size_t *len_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat stat;
	char *bytes;

	assert_true(fd >= 0);
	assert_int_equal(fstat(fd, &stat), 0);
	bytes = malloc((size_t)stat.st_size + 1);
	assert_non_null(bytes);
	assert_int_equal(pread(fd, bytes, (size_t)stat.st_size, 0), stat.st_size);
	close(fd);
	*len_out = (size_t)stat.st_size;
	return bytes;
}

static inline void scratch_write(const char *path, const char *bytes, size_t len)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, len), len);
	close(fd);
}

#endif
