/* option_table: the options of skeind: what parses them, and what --help and skeind(8) tell of them. */
#ifndef NODE_CONFIG_OPTION_TABLE_H
#define NODE_CONFIG_OPTION_TABLE_H

#include "config/options.h"

enum option_shape {
	OPTION_ACTION,
	OPTION_CONFIG,
	OPTION_SET,
	OPTION_TEXT,     /* the setting's value */
	OPTION_ITEM,     /* a plain item of a list */
	OPTION_ADDRESS,  /* an item { address: ... } */
	OPTION_NEXT_HOP, /* an item { host: ..., port: ... } */
};

struct option_row {
	const char *name; /* NULL: the end */
	enum option_shape shape;
	enum options_action action;
	const char *path;  /* of the setting */
	const char *value; /* what help calls it; NULL: none */
	const char *help;  /* NULL: it is not told of */
};

extern const struct option_row option_rows[];

/* What --help prints. */
void option_table_append_help(struct buf *out);
/* skeind(8) in mdoc(7). */
void option_table_append_manual(struct buf *out);

#endif
