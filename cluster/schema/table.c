#include "skein/cluster/schema/table.h"

#include "skein/cluster/schema/value.h"

const struct setting_row *schema_find(const struct setting_table *table, struct span path)
{
	for (size_t i = 0; i < table->count; i++)
		if (span_eq(span_of_str(table->rows[i].path), path))
			return &table->rows[i];
	return NULL;
}

bool schema_is_group(const struct setting_table *table, struct span path)
{
	for (size_t i = 0; i < table->count; i++) {
		const char *row = table->rows[i].path;

		if (strlen(row) > path.len && row[path.len] == '.' && memcmp(row, path.ptr, path.len) == 0)
			return true;
	}
	return false;
}

bool schema_is_list(const struct setting_row *row)
{
	return row->type == SETTING_STRINGS || row->type == SETTING_NETWORKS ||
	       row->type == SETTING_SECTIONS || row->type == SETTING_NAMED;
}

static void preset_one(const struct setting_row *row, struct arena *arena, void *field)
{
	struct buf why = { 0 };

	if (schema_is_list(row)) {
		value_set_list(field, (struct value_list){ NULL, 0 });
		return;
	}
	CHECK(value_parse(row, span_of_str(row->preset), arena, field, &why));
}

/* What has no default is an error when it is missing; until that is told it must be safe to look at. */
static void clear_one(const struct setting_row *row, void *field)
{
	static const struct endpoint nowhere = { "", 0 };
	unsigned first = 0;

	if (row->type == SETTING_ENUM) {
		memcpy(field, &first, sizeof(first));
	} else if (row->type == SETTING_LISTEN || row->type == SETTING_ENDPOINT) {
		memcpy(field, &nowhere, sizeof(nowhere));
	} else {
		const char *empty = "";

		memcpy(field, &empty, sizeof(empty));
	}
}

void schema_preset(const struct setting_table *table, struct arena *arena, char *base)
{
	for (size_t i = 0; i < table->count; i++) {
		if (table->rows[i].preset)
			preset_one(&table->rows[i], arena, base + table->rows[i].offset);
		else
			clear_one(&table->rows[i], base + table->rows[i].offset);
	}
}
