/*
 * schema: the table of all settings. The parser, the defaults, `skeind --print-defaults`, docs/config.md and
 * the tests walk it; a setting is added here and in settings.h, and nowhere else.
 */
#ifndef NODE_CONFIG_SCHEMA_H
#define NODE_CONFIG_SCHEMA_H

#include "skein/cluster/schema/table.h"

/* What a group of settings is about, for people. */
struct setting_group {
	const char *path; /* "route.timeout" */
	const char *help;
};

/* Rows of one group stand together. */
extern const struct setting_table schema;

/* NULL for a group without a text of its own. */
const char *schema_group_help(struct span path);

#endif
