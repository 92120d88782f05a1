/* node_rows: the nodes as a grid and as JSON, for `nodes` and `status`. */
#ifndef CTL_NODE_ROWS_H
#define CTL_NODE_ROWS_H

#include "roster.h"
#include "tally.h"

#include <jansson.h>

void node_rows_print(const struct roster *roster, const struct tally *tally, bool with_forgotten);
json_t *node_rows_json(const struct roster *roster, const struct tally *tally, bool with_forgotten);

#endif
