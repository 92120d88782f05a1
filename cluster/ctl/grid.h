/*
 * grid: rows of text in aligned columns, by their width on a terminal. Built row by row, printed once.
 */
#ifndef CTL_GRID_H
#define CTL_GRID_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/buf.h"

enum { GRID_COLUMNS_MAX = 12 };

enum tint { TINT_NONE, TINT_GOOD, TINT_WARN, TINT_BAD, TINT_FAINT };

struct grid_column {
	const char *title;
	bool is_number; /* aligned to the right */
};

struct grid_cell {
	struct span text; /* in the grid's arena */
	enum tint tint;
};

struct grid {
	const struct grid_column *columns;
	size_t column_count;
	struct grid_cell *cells;
	size_t cell_count, cell_cap;
	struct arena arena;
};

/* `columns` is borrowed for the grid's life. */
void grid_init(struct grid *grid, const struct grid_column *columns, size_t column_count);
void grid_fini(struct grid *grid);

/* The next cell, left to right; rows follow one another. Text is copied and made harmless (human_text()). */
void grid_add(struct grid *grid, struct span text, enum tint tint);
void grid_printf(struct grid *grid, enum tint tint, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* As human_duration() has it. */
void grid_add_duration(struct grid *grid, uint64_t ms);
size_t grid_rows(const struct grid *grid);

/*
 * Appends title and rows, without blanks at the ends of lines. `width_max`: of a line; a last column that
 * does not fit is cut, with an ellipsis. 0: no limit.
 */
void grid_print(const struct grid *grid, bool has_colour, size_t width_max, struct buf *out);

/* Columns that the text takes on a terminal. */
size_t grid_text_width(struct span text);
/* Text in a tint, or plain. */
void grid_append_tinted(struct buf *out, struct span text, enum tint tint, bool has_colour);

#endif
