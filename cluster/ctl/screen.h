/* screen: standard output: as wide as its terminal, coloured when it is one and NO_COLOR does not forbid it.
 */
#ifndef CTL_SCREEN_H
#define CTL_SCREEN_H

#include "grid.h"
#include "skein/cluster/redis_link.h"

#include <jansson.h>

struct screen {
	bool has_colour;
	size_t width; /* 0: no terminal, no limit */
};

struct screen screen_look(void);
/*
 * False when it cannot be written (a full disk, a closed pipe). On a terminal nothing in it moves the cursor
 * or hides (human_lines()); elsewhere it goes out byte for byte.
 */
bool screen_print(const struct buf *text);
/* Prints a line, which may have text of a peer, as human_text() shows it. */
void screen_say(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Prints the grid and empties it. */
void screen_print_grid(struct grid *grid);
/* Take the reference. On many lines for people who look at it; on one. */
void screen_print_json(json_t *value);
void screen_print_json_line(json_t *value);
/* From here on screen_print_json() prints one line, too: for programs that read value by value. */
void screen_use_lines(void);

/* A string; bytes that are no UTF-8 become '?'. */
json_t *json_of_span(struct span text);
json_t *json_of_u64(uint64_t value);
/* true, false, or null when it is not known. */
json_t *json_of_fact(enum redis_fact fact);

#endif
