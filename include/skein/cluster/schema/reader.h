/*
 * reader: YAML through a table into its struct. All errors are found in one run, each with its place.
 */
#ifndef SKEIN_CLUSTER_SCHEMA_READER_H
#define SKEIN_CLUSTER_SCHEMA_READER_H

#include "skein/cluster/schema/report.h"
#include "skein/cluster/schema/table.h"

enum setting_override_kind {
	OVERRIDE_TEXT,   /* the value as it is; for a setting that is a list, YAML */
	OVERRIDE_ITEMS,  /* YAML of one item: the list begins anew with it */
	OVERRIDE_APPEND, /* YAML of one item: goes to the end of the list */
};

struct setting_override {
	enum setting_override_kind kind;
	const char *option; /* what errors show as their place: "--listen" */
	const char *path;   /* "listeners" */
	const char *text;
};

/* What is read into. */
struct schema_target {
	const struct setting_table *table;
	char *base;          /* the table's struct, preset by schema_preset() or read into before */
	struct arena *arena; /* of what its fields point to */
	struct report *report;
};

/* `source` is the text's name in errors. Both are borrowed: text for the call, source for the report's life.
 */
void schema_read(const struct schema_target *target, struct span text, const char *source);
void schema_override(const struct schema_target *target, const struct setting_override *override);

#endif
