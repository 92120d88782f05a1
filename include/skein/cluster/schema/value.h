/*
 * value: one setting between its text and its field. A field is where the row's offset points to; its type is
 * in enum setting_type.
 */
#ifndef SKEIN_CLUSTER_SCHEMA_VALUE_H
#define SKEIN_CLUSTER_SCHEMA_VALUE_H

#include "skein/cluster/schema/table.h"
#include "skein/proto/base/buf.h"

/* What a list field is, whatever it is a list of. */
struct value_list {
	const void *items;
	size_t count;
};

struct value_list value_get_list(const void *field);
void value_set_list(void *field, struct value_list list);

/*
 * For all types but the lists. True: the field is set, text in the arena. False: the field is as it was, and
 * a phrase that says why is appended to `why`.
 */
bool value_parse(const struct setting_row *row, struct span text, struct arena *arena, void *field,
	struct buf *why) WARN_UNUSED;
/* As it would be written, on one line, in the largest unit that loses nothing. Not set: nothing. */
void value_print(const struct setting_row *row, const void *field, struct buf *out);
/* A number of the row's unit, such as one of its bounds. */
void value_print_number(enum setting_type type, uint64_t number, struct buf *out);
/* A copy whose pointers are in the arena. */
void value_copy(const struct setting_row *row, const void *from, struct arena *arena, void *to);

#endif
