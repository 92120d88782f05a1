#include "track/track_shelf.h"

#include "skein/proto/base/alloc.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SAME_SECOND_MAX = 1000, NAME_SIZE = TRACK_SHELF_NAME_SIZE, PATH_SIZE = 1200 };
enum { TIME_END = sizeof("tracking-20261127T155901Z") - 1 };

/* What is written goes on for a while under a name of another time zone, so it is always UTC. */
static void format_name(char out[NAME_SIZE], const char *suffix, uint64_t now_us, unsigned number)
{
	char time[TRACK_TIME_LEN], more[16] = "";

	track_time_format(now_us, time);
	if (number)
		snprintf(more, sizeof(more), ".%03u", number);
	snprintf(out, NAME_SIZE, "tracking-%.4s%.2s%.2sT%.2s%.2s%.2sZ%s.%s", time, time + 5, time + 8,
		time + 11, time + 14, time + 17, more, suffix);
}

enum err track_shelf_put(const char *folder, const char *path, const char *suffix, uint64_t now_us)
{
	for (unsigned number = 0; number < SAME_SECOND_MAX; number++) {
		char name[NAME_SIZE], to[PATH_SIZE];

		format_name(name, suffix, now_us, number);
		snprintf(to, sizeof(to), "%s/%s", folder, name);
		if (renameat2(AT_FDCWD, path, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
			return ERR_OK;
		if (errno != EEXIST)
			return ERR_IO;
	}
	return ERR_IO;
}

struct shelved {
	char name[NAME_SIZE];
	uint64_t size, written_s;
};

struct shelf {
	struct shelved *files;
	size_t count, room;
};

static bool is_ours(const char *name, const char *suffix)
{
	struct span text = span_of_str(name), end = span_of_str(suffix);

	return text.len < NAME_SIZE && text.len > end.len + 1 &&
	       span_starts_with(text, SPAN_LIT("tracking-")) && text.ptr[text.len - end.len - 1] == '.' &&
	       span_eq(span_drop(text, text.len - end.len), end);
}

/* By time; those of one second by number, and the one without comes first. */
static int by_name(const void *a, const void *b)
{
	const char *left = ((const struct shelved *)a)->name, *right = ((const struct shelved *)b)->name;
	int order = strncmp(left, right, TIME_END);

	if (!order && strlen(left) != strlen(right))
		return strlen(left) < strlen(right) ? -1 : 1;
	return order ? order : strcmp(left, right);
}

static void add(struct shelf *shelf, const char *name, const struct stat *stat)
{
	struct shelved *file;

	if (shelf->count == shelf->room) {
		shelf->room = shelf->room ? 2 * shelf->room : 64;
		shelf->files = mem_realloc(shelf->files, shelf->room * sizeof(*shelf->files));
	}
	file = &shelf->files[shelf->count++];
	snprintf(file->name, sizeof(file->name), "%s", name);
	file->size = (uint64_t)stat->st_size;
	file->written_s = stat->st_mtime > 0 ? (uint64_t)stat->st_mtime : 0;
}

/* Oldest first. */
static void look(DIR *dir, const char *suffix, struct shelf *shelf)
{
	const struct dirent *entry;
	struct stat stat;

	while ((entry = readdir(dir))) {
		if (is_ours(entry->d_name, suffix) &&
			fstatat(dirfd(dir), entry->d_name, &stat, AT_SYMLINK_NOFOLLOW) == 0 &&
			S_ISREG(stat.st_mode))
			add(shelf, entry->d_name, &stat);
	}
	if (shelf->count)
		qsort(shelf->files, shelf->count, sizeof(*shelf->files), by_name);
}

void track_shelf_trim(
	const char *folder, const char *suffix, const struct track_file_limits *limits, uint64_t now_s)
{
	uint64_t keep_s = limits->keep_days * 24 * 3600, total = 0;
	struct shelf shelf = { 0 };
	DIR *dir = opendir(folder);

	if (!dir)
		return;
	look(dir, suffix, &shelf);
	for (size_t i = 0; i < shelf.count; i++)
		total += shelf.files[i].size;
	for (size_t i = 0; i < shelf.count; i++) {
		const struct shelved *file = &shelf.files[i];
		bool is_old = keep_s && now_s > file->written_s && now_s - file->written_s > keep_s;

		if ((is_old || total > limits->keep_bytes) && unlinkat(dirfd(dir), file->name, 0) == 0)
			total -= file->size;
	}
	closedir(dir);
	mem_free(shelf.files);
}

struct track_shelf_names track_shelf_list(const char *folder, const char *suffix)
{
	struct track_shelf_names names = { 0 };
	struct shelf shelf = { 0 };
	DIR *dir = opendir(folder);

	if (!dir)
		return names;
	look(dir, suffix, &shelf);
	closedir(dir);
	names.items = mem_zalloc((shelf.count + 1) * sizeof(*names.items));
	for (; names.count < shelf.count; names.count++)
		memcpy(names.items[names.count].text, shelf.files[names.count].name, NAME_SIZE);
	mem_free(shelf.files);
	return names;
}

void track_shelf_names_fini(struct track_shelf_names *names)
{
	mem_free(names->items);
	*names = (struct track_shelf_names){ 0 };
}
