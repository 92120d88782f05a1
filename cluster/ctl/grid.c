#include "grid.h"

#include "human.h"
#include "skein/proto/base/alloc.h"
#include "skein/proto/base/utf8.h"

#include <wchar.h>

#define GAP      "  "
#define ELLIPSIS "\xe2\x80\xa6"

void grid_init(struct grid *grid, const struct grid_column *columns, size_t column_count)
{
	CHECK(column_count > 0 && column_count <= GRID_COLUMNS_MAX);
	*grid = (struct grid){ .columns = columns, .column_count = column_count };
}

void grid_fini(struct grid *grid)
{
	mem_free(grid->cells);
	arena_fini(&grid->arena);
	*grid = (struct grid){ .columns = NULL };
}

void grid_add(struct grid *grid, struct span text, enum tint tint)
{
	struct buf clean = { 0 };

	if (grid->cell_count == grid->cell_cap) {
		grid->cell_cap = grid->cell_cap ? grid->cell_cap * 2 : 64;
		grid->cells = mem_realloc(grid->cells, grid->cell_cap * sizeof(*grid->cells));
	}
	human_text(&clean, text);
	grid->cells[grid->cell_count++] =
		(struct grid_cell){ arena_dup(&grid->arena, buf_span(&clean)), tint };
	buf_fini(&clean);
}

void grid_printf(struct grid *grid, enum tint tint, const char *fmt, ...)
{
	struct buf text = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	grid_add(grid, buf_span(&text), tint);
	buf_fini(&text);
}

void grid_add_duration(struct grid *grid, uint64_t ms)
{
	struct buf text = { 0 };

	human_duration(&text, ms);
	grid_add(grid, buf_span(&text), TINT_NONE);
	buf_fini(&text);
}

size_t grid_rows(const struct grid *grid)
{
	return grid->cell_count / grid->column_count;
}

static size_t code_width(uint32_t code)
{
	int width = wcwidth((wchar_t)code);

	/* A locale without UTF-8 does not know the character; one column is the best guess. */
	return width < 0 ? 1 : (size_t)width;
}

/* How many bytes of `text` fit into `width_max` columns; their width. */
static size_t fitting_len(struct span text, size_t width_max, size_t *width_out)
{
	size_t len = 0, width = 0;

	while (len < text.len) {
		uint32_t code = '?';
		size_t step = utf8_next(span_drop(text, len), &code);
		size_t step_width = code_width(code);

		if (width + step_width > width_max)
			break;
		width += step_width;
		len += step ? step : 1;
	}
	*width_out = width;
	return len;
}

size_t grid_text_width(struct span text)
{
	size_t width;

	(void)fitting_len(text, SIZE_MAX, &width);
	return width;
}

void grid_append_tinted(struct buf *out, struct span text, enum tint tint, bool has_colour)
{
	static const char *const codes[] = { [TINT_GOOD] = "\033[32m",
		[TINT_WARN] = "\033[33m",
		[TINT_BAD] = "\033[31m",
		[TINT_FAINT] = "\033[2m" };

	if (!has_colour || tint == TINT_NONE) {
		buf_append(out, text);
		return;
	}
	buf_append_str(out, codes[tint]);
	buf_append(out, text);
	buf_append_str(out, "\033[0m");
}

static void append_blanks(struct buf *out, size_t count)
{
	while (count--)
		buf_append_byte(out, ' ');
}

struct layout {
	size_t widths[GRID_COLUMNS_MAX];
	size_t last_max; /* of the last column */
	bool has_colour;
};

static void append_cell(struct buf *out, const struct grid *grid, const struct layout *layout, size_t column,
	struct grid_cell cell)
{
	size_t width = grid_text_width(cell.text);
	bool is_last = column + 1 == grid->column_count;

	if (column)
		buf_append_str(out, GAP);
	if (grid->columns[column].is_number)
		append_blanks(out, layout->widths[column] - width);
	if (is_last && width > layout->last_max) {
		size_t len = fitting_len(cell.text, layout->last_max - 1, &width);

		grid_append_tinted(out, span_take(cell.text, len), cell.tint, layout->has_colour);
		buf_append_str(out, ELLIPSIS);
		return;
	}
	grid_append_tinted(out, cell.text, cell.tint, layout->has_colour);
	if (!is_last && !grid->columns[column].is_number)
		append_blanks(out, layout->widths[column] - width);
}

/* Empty cells at the end leave blanks behind. */
static void end_line(struct buf *out)
{
	while (buf_len(out) && buf_tail(out)[-1] == ' ')
		buf_truncate(out, buf_len(out) - 1);
	buf_append_byte(out, '\n');
}

static struct layout lay_out(const struct grid *grid, bool has_colour, size_t width_max)
{
	struct layout layout = { .has_colour = has_colour, .last_max = SIZE_MAX };
	size_t before_last = 0;

	for (size_t column = 0; column < grid->column_count; column++)
		layout.widths[column] = grid_text_width(span_of_str(grid->columns[column].title));
	for (size_t i = 0; i < grid->cell_count; i++) {
		size_t width = grid_text_width(grid->cells[i].text);
		size_t column = i % grid->column_count;

		if (layout.widths[column] < width)
			layout.widths[column] = width;
	}
	for (size_t column = 0; column + 1 < grid->column_count; column++)
		before_last += layout.widths[column] + strlen(GAP);
	/* A terminal too narrow for anything sensible wraps. */
	if (width_max >= before_last + 8)
		layout.last_max = width_max - before_last;
	return layout;
}

void grid_print(const struct grid *grid, bool has_colour, size_t width_max, struct buf *out)
{
	struct layout layout = lay_out(grid, has_colour, width_max);

	CHECK(grid->cell_count % grid->column_count == 0);
	for (size_t column = 0; column < grid->column_count; column++) {
		struct grid_cell title = { span_of_str(grid->columns[column].title), TINT_FAINT };

		append_cell(out, grid, &layout, column, title);
	}
	end_line(out);
	for (size_t i = 0; i < grid->cell_count; i++) {
		append_cell(out, grid, &layout, i % grid->column_count, grid->cells[i]);
		if (i % grid->column_count == grid->column_count - 1)
			end_line(out);
	}
}
