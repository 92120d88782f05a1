#include "track_lines.h"

#include "moment.h"
#include "track_fields.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- one line ---- */

static bool read_number(const json_t *value, unsigned base, uint64_t *out)
{
	const char *text = json_string_value(value);
	char *end;

	if (json_is_integer(value) && json_integer_value(value) >= 0) {
		*out = (uint64_t)json_integer_value(value);
		return true;
	}
	if (!text || !*text)
		return false;
	errno = 0;
	*out = strtoull(text, &end, (int)base);
	return !*end && !errno;
}

/* 2026-11-25T02:44:01.123456Z */
static bool read_time(const char *text, uint64_t *us_out)
{
	size_t len = strlen(text);
	uint64_t fraction;
	char seconds[24];

	if (len != TRACK_TIME_LEN || text[19] != '.' || text[26] != 'Z')
		return false;
	snprintf(seconds, sizeof(seconds), "%.19sZ", text);
	if (!moment_parse(seconds, 0, true, us_out) ||
		!span_parse_u64(span_of(text + 20, 6), 999999, &fraction))
		return false;
	*us_out += fraction;
	return true;
}

static bool read_field(
	const struct track_field *field, const json_t *value, struct arena *arena, struct track_event *event)
{
	char *at = (char *)event + field->offset;
	const char *text = json_string_value(value);
	struct span copied;

	switch (field->type) {
	case FIELD_IS_TIME:
		return text && read_time(text, &event->time_us);
	case FIELD_IS_KIND:
		return text && track_kind_find(span_of_str(text), &event->kind);
	case FIELD_IS_SESSION:
		return read_number(value, 16, &event->session);
	case FIELD_IS_NUMBER:
	case FIELD_IS_DURATION:
		return read_number(value, 10, (uint64_t *)(void *)at);
	case FIELD_IS_TEXT:
		if (!text)
			return false;
		copied = arena_dup(arena, span_of(text, json_string_length(value)));
		memcpy(at, &copied, sizeof(copied));
		return true;
	case FIELD_IS_QUERY:
		break;
	}
	return true;
}

bool track_line_read(struct span line, struct arena *arena, struct track_event *event_out)
{
	json_t *object = json_loadb(line.ptr, line.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	bool is_good = json_is_object(object) && json_object_get(object, track_fields[FIELD_TIME].key) &&
		       json_object_get(object, track_fields[FIELD_KIND].key);

	*event_out = (struct track_event){ 0 };
	for (size_t i = 0; i < FIELD_COUNT && is_good; i++) {
		const json_t *value =
			track_fields[i].key ? json_object_get(object, track_fields[i].key) : NULL;

		is_good = !value || read_field(&track_fields[i], value, arena, event_out);
	}
	json_decref(object);
	return is_good;
}

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
