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

static bool write_out(struct span text)
{
	return !text.len || fwrite(text.ptr, 1, text.len, stdout) == text.len;
}

bool screen_print(const struct buf *text)
{
	struct buf clean = { 0 };
	bool is_written;

	if (!isatty(STDOUT_FILENO))
		return write_out(buf_span(text));
	human_lines(&clean, buf_span(text));
	is_written = write_out(buf_span(&clean));
	buf_fini(&clean);
	return is_written;
}

void screen_say(const char *fmt, ...)
{
	struct buf line = { 0 }, clean = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&line, fmt, args);
	va_end(args);
	human_text(&clean, buf_span(&line));
	buf_append_byte(&clean, '\n');
	(void)write_out(buf_span(&clean)); /* main looks at the stream before it ends */
	buf_fini(&line);
	buf_fini(&clean);
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
	struct buf text = { 0 };
	char *document;

	CHECK(value);
	document = json_dumps(value, flags);
	CHECK(document);
	human_json(&text, span_of_str(document));
	buf_append_byte(&text, '\n');
	(void)write_out(buf_span(&text)); /* main looks at the stream before it ends */
	buf_fini(&text);
	free(document);
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
