#include "screen.h"

#include "human.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>

struct screen screen_look(void)
{
	const char *no_colour = getenv("NO_COLOR");
	struct winsize size;
	struct screen screen = { .has_colour = false };

	if (!isatty(STDOUT_FILENO))
		return screen;
	screen.has_colour = !no_colour || !no_colour[0];
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0)
		screen.width = size.ws_col;
	return screen;
}

bool screen_print(const struct buf *text)
{
	return !buf_len(text) || fwrite(buf_span(text).ptr, 1, buf_len(text), stdout) == buf_len(text);
}

void screen_print_grid(struct grid *grid)
{
	struct screen screen = screen_look();
	struct buf text = { 0 };

	grid_print(grid, screen.has_colour, screen.width, &text);
	(void)screen_print(&text); /* main looks at the stream before it ends */
	buf_fini(&text);
	grid_fini(grid);
}

static void print_json(json_t *value, size_t flags)
{
	CHECK(value);
	(void)json_dumpf(value, stdout, flags);
	fputc('\n', stdout);
	json_decref(value);
}

static bool uses_lines;

void screen_use_lines(void)
{
	uses_lines = true;
}

void screen_print_json(json_t *value)
{
	print_json(value, uses_lines ? JSON_COMPACT : JSON_INDENT(2));
}

void screen_print_json_line(json_t *value)
{
	print_json(value, JSON_COMPACT);
}

json_t *json_of_span(struct span text)
{
	struct buf clean = { 0 };
	json_t *value = json_stringn(text.ptr ? text.ptr : "", text.len);

	if (!value) {
		human_text(&clean, text);
		value = json_stringn(buf_span(&clean).ptr, buf_len(&clean));
		buf_fini(&clean);
	}
	CHECK(value);
	return value;
}

json_t *json_of_u64(uint64_t value)
{
	return json_integer((json_int_t)value);
}

json_t *json_of_fact(enum redis_fact fact)
{
	return fact == REDIS_FACT_UNKNOWN ? json_null() : json_boolean(fact == REDIS_YES);
}
