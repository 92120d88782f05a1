/* hop_rows: next hops that are not up as a grid and as JSON, for `hops` and `top`. */
#ifndef CTL_HOP_ROWS_H
#define CTL_HOP_ROWS_H

#include "grid.h"
#include "session.h"

#include <jansson.h>

struct hop_rows {
	struct grid grid;
	json_t *json; /* an array */
	enum ctl_exit exit;
};

/* Asks for them; they are there after session_finish(), or `exit` says what went wrong. Free in any case. */
void hop_rows_ask(struct hop_rows *rows, struct session *session);
void hop_rows_fini(struct hop_rows *rows);

#endif
