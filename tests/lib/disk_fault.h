/*
 * disk_fault: the test program's own pwritev, pwrite, fdatasync and posix_fallocate, which the linker prefers
 * to libc's. They count, fail when told to, and know what power loss would leave of each file: of what was
 * written since its last fdatasync, any subset of the 512-byte sectors. Included by one .c file of a program.
 */
#ifndef TESTS_LIB_DISK_FAULT_H
#define TESTS_LIB_DISK_FAULT_H

#include "scratch_dir.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <sys/uio.h>

enum { DISK_SECTOR = 512, DISK_FILES_MAX = 64 };

struct disk_file {
	char path[256];
	char *bytes; /* durable ones */
	size_t len;
};

static struct {
	atomic_int writes, syncs;               /* calls so far */
	atomic_int fail_write_at, fail_sync_at; /* 0: never; n: the n-th from now on */
	atomic_bool is_full;                    /* no new blocks */
	/* Called before an fdatasync takes effect, while what was written may or may not be on the disk. */
	void (*before_sync)(void);
	bool remembers;
	struct disk_file files[DISK_FILES_MAX];
	pthread_mutex_t lock;
} disk = { .lock = PTHREAD_MUTEX_INITIALIZER };

/* With large files switched on the callers' names end in 64; on 64-bit machines both are the same function.
 */
#define DISK_REPLACES(name) __asm__(name)
ssize_t disk_pwritev(int, const struct iovec *, int, off_t) DISK_REPLACES("pwritev");
ssize_t disk_pwritev64(int, const struct iovec *, int, off_t) DISK_REPLACES("pwritev64");
ssize_t disk_pwrite(int, const void *, size_t, off_t) DISK_REPLACES("pwrite");
ssize_t disk_pwrite64(int, const void *, size_t, off_t) DISK_REPLACES("pwrite64");
int disk_fallocate(int, off_t, off_t) DISK_REPLACES("posix_fallocate");
int disk_fallocate64(int, off_t, off_t) DISK_REPLACES("posix_fallocate64");
int fdatasync(int fd);

static bool disk_is_due(atomic_int *left)
{
	int now = atomic_load(left);

	while (now > 0 && !atomic_compare_exchange_weak(left, &now, now - 1))
		;
	return now == 1;
}

static bool disk_would_grow(int fd, off_t upto)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 && upto > stat.st_size;
}

ssize_t disk_pwritev64(int fd, const struct iovec *iov, int count, off_t offset)
{
	atomic_fetch_add(&disk.writes, 1);
	if (disk_is_due(&disk.fail_write_at)) {
		errno = EIO;
		return -1;
	}
	return syscall(SYS_pwritev, fd, iov, count, offset, 0);
}

ssize_t disk_pwritev(int fd, const struct iovec *iov, int count, off_t offset)
{
	return disk_pwritev64(fd, iov, count, offset);
}

ssize_t disk_pwrite64(int fd, const void *bytes, size_t len, off_t offset)
{
	if (atomic_load(&disk.is_full) && disk_would_grow(fd, offset + (off_t)len)) {
		errno = ENOSPC;
		return -1;
	}
	return syscall(SYS_pwrite64, fd, bytes, len, offset);
}

ssize_t disk_pwrite(int fd, const void *bytes, size_t len, off_t offset)
{
	return disk_pwrite64(fd, bytes, len, offset);
}

int disk_fallocate64(int fd, off_t offset, off_t len)
{
	if (!disk_would_grow(fd, offset + len))
		return 0;
	if (atomic_load(&disk.is_full))
		return ENOSPC;
	return syscall(SYS_fallocate, fd, 0, offset, len) == 0 ? 0 : errno;
}

int disk_fallocate(int fd, off_t offset, off_t len)
{
	return disk_fallocate64(fd, offset, len);
}

static struct disk_file *disk_file_of(const char *path)
{
	for (size_t i = 0; i < DISK_FILES_MAX; i++) {
		if (!disk.files[i].path[0] || strcmp(disk.files[i].path, path) == 0) {
			snprintf(disk.files[i].path, sizeof(disk.files[i].path), "%s", path);
			return &disk.files[i];
		}
	}
	fail_msg("too many files");
	return NULL;
}

static void disk_remember(int fd)
{
	char link[64], path[256] = "";
	struct disk_file *file;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	assert_true(readlink(link, path, sizeof(path) - 1) > 0);
	file = disk_file_of(path);
	free(file->bytes);
	file->bytes = scratch_read(path, &file->len);
}

int fdatasync(int fd)
{
	int result;

	atomic_fetch_add(&disk.syncs, 1);
	if (disk_is_due(&disk.fail_sync_at)) {
		errno = EIO;
		return -1;
	}
	pthread_mutex_lock(&disk.lock);
	if (disk.before_sync)
		disk.before_sync();
	result = disk.remembers ? 0 : (int)syscall(SYS_fdatasync, fd);
	if (disk.remembers)
		disk_remember(fd);
	pthread_mutex_unlock(&disk.lock);
	return result;
}

/* Forgets all files. */
static inline void disk_forget(void)
{
	pthread_mutex_lock(&disk.lock);
	for (size_t i = 0; i < DISK_FILES_MAX; i++) {
		free(disk.files[i].bytes);
		disk.files[i] = (struct disk_file){ 0 };
	}
	disk.remembers = false;
	pthread_mutex_unlock(&disk.lock);
}

/* From now on remembers what is durable; what folder `path` holds is, when it exists. */
static inline void disk_remember_from(const char *path)
{
	DIR *dir;
	struct dirent *entry;

	disk_forget();
	pthread_mutex_lock(&disk.lock);
	disk.remembers = true;
	dir = opendir(path);
	while (dir && (entry = readdir(dir))) {
		char name[512];
		struct disk_file *file;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(name, sizeof(name), "%.200s/%.50s", path, entry->d_name);
		file = disk_file_of(name);
		file->bytes = scratch_read(name, &file->len);
	}
	if (dir)
		closedir(dir);
	pthread_mutex_unlock(&disk.lock);
}

/*
 * Copies the files of folder `from` to `to` as they might be after power loss. `keep_in_256` is how likely a
 * sector that is not durable is there all the same: 256 for a process that was only killed. Called from
 * before_sync.
 */
static inline void disk_copy_after_power_loss(
	const char *from, const char *to, unsigned keep_in_256, uint64_t *seed)
{
	DIR *dir = opendir(from);
	struct dirent *entry;

	assert_non_null(dir);
	assert_int_equal(mkdir(to, 0700), 0);
	while ((entry = readdir(dir))) {
		char path[512], copy[512];
		struct disk_file *file;
		char *bytes;
		size_t len;

		if (entry->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%.200s/%.50s", from, entry->d_name);
		snprintf(copy, sizeof(copy), "%.200s/%.50s", to, entry->d_name);
		bytes = scratch_read(path, &len);
		file = disk_file_of(path);
		for (size_t at = 0; at < len; at += DISK_SECTOR) {
			size_t end = at + DISK_SECTOR < len ? at + DISK_SECTOR : len;

			*seed = *seed * 6364136223846793005u + 1442695040888963407u;
			if ((*seed >> 40) % 256 < keep_in_256)
				continue;
			memset(bytes + at, 0, end - at);
			if (at < file->len)
				memcpy(bytes + at, file->bytes + at,
					(end < file->len ? end : file->len) - at);
		}
		scratch_write(copy, bytes, len);
		free(bytes);
	}
	closedir(dir);
}

#endif
