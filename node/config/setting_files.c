#include "config/file.h"
#include "config/load.h"
#include "config/settings_internal.h"
#include "skein/cluster/schema/value.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct file_walk {
	settings_file_fn *fn;
	void *arg;
};

static void walk_files(const struct file_walk *walk, const struct setting_table *table, const char *base,
	const char *prefix);

/* The files that the items of a list name. */
static void walk_item_files(
	const struct file_walk *walk, const struct setting_row *row, struct value_list list)
{
	char prefix[96];

	for (size_t i = 0; i < list.count; i++) {
		snprintf(prefix, sizeof(prefix), "%s[%zu].", row->path, i);
		walk_files(walk, row->items, (const char *)list.items + i * row->items->item_size, prefix);
	}
}

static void walk_files(
	const struct file_walk *walk, const struct setting_table *table, const char *base, const char *prefix)
{
	for (size_t i = 0; i < table->count; i++) {
		const struct setting_row *row = &table->rows[i];
		char path[160];
		const char *file;

		if (row->type == SETTING_SECTIONS)
			walk_item_files(walk, row, value_get_list(base + row->offset));
		if (row->type != SETTING_PATH || row->file == SETTING_FILE_ANY)
			continue;
		memcpy(&file, base + row->offset, sizeof(file));
		snprintf(path, sizeof(path), "%s%s", prefix, row->path);
		if (*file)
			walk->fn(walk->arg, row, path, file);
	}
}

void settings_each_file(const struct settings *settings, settings_file_fn *fn, void *arg)
{
	const struct file_walk walk = { fn, arg };

	walk_files(&walk, &schema, (const char *)settings, "");
}

static void check_file(void *arg, const struct setting_row *row, const char *path, const char *file)
{
	struct report *report = arg;
	int fd = open(file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat stat;

	if (fd < 0 || fstat(fd, &stat) != 0) {
		report_error_at(report, path, "cannot read %s: %s", file, file_why(file, errno));
	} else if (!S_ISREG(stat.st_mode)) {
		report_error_at(report, path, "%s is not a file", file);
	} else if (row->file == SETTING_FILE_SECRET && (stat.st_mode & (S_IWGRP | S_IRWXO))) {
		report_warning_at(report, path, "%s is open to other users (mode %03o): chmod o=,g-w", file,
			(unsigned)stat.st_mode & 0777);
	}
	if (fd >= 0)
		close(fd);
}

void settings_check_files(const struct settings *settings, struct report *report)
{
	settings_each_file(settings, check_file, report);
}
