#include "track_lines.h"

#include "skein/cluster/track_line.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- files ---- */

struct reading {
	struct track_lines *lines;
	const struct track_search *search;
	const struct track_visitor *visitor;
	struct arena arena;
	uint64_t file, number; /* of the line */
};

static void take_line(struct reading *reading, struct span line)
{
	struct track_event event;

	reading->number++;
	if (!span_trim(line).len)
		return;
	if (!track_line_read(line, &reading->arena, &event))
		reading->lines->skipped++;
	else if (event.time_us >= reading->search->since_us &&
		 (!reading->search->until_us || event.time_us < reading->search->until_us))
		reading->visitor->take(reading->visitor->arg, &event, reading->file, reading->number);
	arena_reset(&reading->arena);
}

static enum ctl_exit read_file(struct reading *reading, const char *path)
{
	FILE *file = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	ssize_t len;
	bool is_failed;

	if (!file) {
		session_complain("%s: %s", path, strerror(errno));
		return CTL_NEGATIVE;
	}
	while ((len = getline(&line, &size, file)) > 0)
		take_line(reading, span_of(line, (size_t)len));
	is_failed = ferror(file);
	if (is_failed)
		session_complain("%s: %s", path, strerror(errno));
	free(line);
	(void)fclose(file);
	return is_failed ? CTL_NEGATIVE : CTL_OK;
}

static enum ctl_exit visit(void *ctx, const struct track_search *search, const struct track_visitor *visitor)
{
	struct track_lines *lines = ctx;
	struct reading reading = { .lines = lines, .search = search, .visitor = visitor };
	enum ctl_exit exit = CTL_OK;

	lines->skipped = 0;
	for (size_t i = 0; i < lines->count && !exit; i++) {
		reading.file = i;
		reading.number = 0;
		exit = read_file(&reading, lines->paths[i]);
	}
	arena_fini(&reading.arena);
	return exit;
}

struct track_source track_lines_source(struct track_lines *lines)
{
	return (struct track_source){ lines, visit };
}
