/*
 * watch: the work of a command again and again: on a terminal over all of the screen until Ctrl-C or q,
 * otherwise a block with the time each, in JSON a line each. The connection stays; one that ends is made
 * anew.
 */
#ifndef CTL_WATCH_H
#define CTL_WATCH_H

#include "session.h"

struct watch {
	uint64_t every_ms;
	const char *title;                  /* the first line */
	const char *keys;                   /* at its end: what may be typed; NULL: nothing */
	void (*on_key)(void *arg, int key); /* NULL: none */
	bool is_local;                      /* the work needs no cluster; its session is NULL */
};

/* Returns when the output cannot be written, or its reader types q. `options` are finished. */
WARN_UNUSED enum ctl_exit watch_run(
	struct ctl_options *options, const struct watch *watch, session_work_fn *work, void *arg);

#endif
