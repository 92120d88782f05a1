/*
 * terminal: all of the screen for a while: an alternate one, without cursor and echo. It is as before when it
 * is left, by Ctrl-C, signals that end the program and Ctrl-Z too. One at a time.
 */
#ifndef CTL_TERMINAL_H
#define CTL_TERMINAL_H

#include "skein/proto/base/buf.h"

/* What terminal_wait() returns besides a byte that was typed. */
enum { TERMINAL_TIME = -1, TERMINAL_RESIZED = -2 };

/* Standard output is a terminal that can be told where to write. */
bool terminal_is_there(void);
/* From here on Ctrl-C ends the program with exit code 0. */
void terminal_enter(void);
void terminal_leave(void);

/* Shows as much of the text as fits, from its beginning: in one write, so that nothing flickers. */
void terminal_draw(struct span text);
/* Until a key, another size, or the time is over. */
int terminal_wait(uint64_t ms);

#endif
