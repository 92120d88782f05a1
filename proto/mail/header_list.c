#include "skein/proto/mail/header_list.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"

enum { FIELD_OVERHEAD = 3 }; /* colon, CR, LF */

struct item {
	struct span name;  /* trimmed; empty: no field for all readers */
	struct span value; /* as it is now */
	size_t at, len;    /* of the stored section, with the line end; len 0: it is new */
	bool is_own, is_changed;
	bool is_gone; /* stored ones alone: a new one that goes leaves the list */
};

struct header_list {
	enum header_list_state state;
	size_t own_count, size_max;
	struct buf text;     /* the stored section */
	size_t line_at;      /* where the line under way begins */
	size_t searched;     /* no LF between line_at and here */
	size_t separator;    /* octets of the empty line */
	size_t changed_size; /* of all names and values that came by changes */
	struct item *items;
	size_t count, cap, stored_count;
	struct item *saved;
	size_t saved_count, saved_changed_size;
	struct arena arena; /* what came by changes */
};

struct header_list *header_list_new(size_t own_count, size_t size_max)
{
	struct header_list *list = mem_zalloc(sizeof(*list));

	list->own_count = own_count;
	list->size_max = size_max;
	return list;
}

void header_list_free(struct header_list **list_ptr)
{
	struct header_list *list = *list_ptr;

	*list_ptr = NULL;
	if (!list)
		return;
	buf_fini(&list->text);
	mem_free(list->items);
	mem_free(list->saved);
	arena_fini(&list->arena);
	mem_free(list);
}

/* --- reading ------------------------------------------------------------------------------------ */

static struct item *make_room(struct header_list *list, size_t place)
{
	if (list->count == list->cap) {
		list->cap = list->cap ? list->cap * 2 : 32;
		list->items = mem_realloc(list->items, list->cap * sizeof(*list->items));
	}
	memmove(&list->items[place + 1], &list->items[place], (list->count - place) * sizeof(*list->items));
	list->count++;
	list->items[place] = (struct item){ .len = 0 };
	return &list->items[place];
}

static void end_section(struct header_list *list, size_t separator)
{
	list->state = HEADER_LIST_ENDED;
	list->separator = separator;
	buf_truncate(&list->text, list->line_at + separator);
}

/* Where the name's colon is; line.len: nowhere that rewrite.h would look for it. */
static size_t find_colon(struct span line)
{
	size_t len = line.len <= HEADER_EDITS_NAME_MAX ? line.len : HEADER_EDITS_NAME_MAX + 1;
	size_t at = span_find(span_take(line, len), ':');

	return at < len ? at : line.len;
}

/* Is it so long that rewrite.h takes it for a field without knowing its name? */
static bool is_nameless(struct span line)
{
	size_t end = span_find(line, '\r'), lf = span_find(line, '\n');

	return (end < lf ? end : lf) > HEADER_EDITS_NAME_MAX;
}

static void take_field(struct header_list *list, struct span line, size_t colon)
{
	struct item *item;

	if (list->count == HEADER_LIST_FIELDS_MAX) {
		list->state = HEADER_LIST_TOO_LONG;
		return;
	}
	item = make_room(list, list->count);
	item->at = list->line_at;
	item->len = line.len;
	item->is_own = list->stored_count++ < list->own_count;
	item->name = span_trim(span_take(line, colon < line.len ? colon : 0));
}

/* `line` with its LF, unless the message ends without. */
static void take_line(struct header_list *list, struct span line)
{
	bool is_blank = line.ptr[0] == ' ' || line.ptr[0] == '\t';
	size_t colon = find_colon(line), cr = span_find(line, '\r'), lf = span_find(line, '\n');

	if (is_blank && list->count) {
		list->items[list->count - 1].len += line.len;
		return;
	}
	if (colon < cr && colon < lf)
		take_field(list, line, colon);
	else if (is_nameless(line))
		take_field(list, line, line.len);
	else
		end_section(list,
			span_eq(line, SPAN_LIT("\r\n")) || span_eq(line, SPAN_LIT("\n")) ? line.len : 0);
}

/* Spans into the text, once it does not grow any more. */
static void point_into_text(struct header_list *list)
{
	for (size_t i = 0; i < list->count; i++) {
		struct item *item = &list->items[i];
		struct span field = span_take(span_drop(buf_span(&list->text), item->at), item->len);
		size_t colon = item->name.len ? span_find(field, ':') : 0;

		item->name = item->name.len ? span_trim(span_take(field, colon)) : item->name;
		if (!header_edits_name_is_valid(item->name))
			item->name = span_of(NULL, 0);
		item->value = item->name.len ? span_drop(field, colon + 1) : span_of(NULL, 0);
		if (item->value.len && item->value.ptr[item->value.len - 1] == '\n')
			item->value.len--;
		if (item->value.len && item->value.ptr[item->value.len - 1] == '\r')
			item->value.len--;
	}
}

static enum header_list_state look(struct header_list *list)
{
	while (list->state == HEADER_LIST_READING) {
		struct span rest = span_drop(buf_span(&list->text), list->line_at);
		size_t lf = list->searched + span_find(span_drop(rest, list->searched), '\n');

		list->searched = lf;
		if (lf == rest.len)
			break;
		take_line(list, span_take(rest, lf + 1));
		if (list->state != HEADER_LIST_READING)
			break;
		list->line_at += lf + 1;
		list->searched = 0;
	}
	if (list->state == HEADER_LIST_ENDED)
		point_into_text(list);
	return list->state;
}

enum header_list_state header_list_feed(struct header_list *list, struct span piece)
{
	size_t room = list->size_max - buf_len(&list->text);
	bool is_too_much = piece.len > room;

	CHECK(list->state == HEADER_LIST_READING);
	buf_append(&list->text, span_take(piece, is_too_much ? room : piece.len));
	if (look(list) == HEADER_LIST_READING && is_too_much)
		list->state = HEADER_LIST_TOO_LONG;
	return list->state;
}

enum header_list_state header_list_end(struct header_list *list)
{
	struct span rest;

	if (list->state != HEADER_LIST_READING)
		return list->state;
	rest = span_drop(buf_span(&list->text), list->line_at);
	if (rest.len)
		take_line(list, rest);
	if (list->state == HEADER_LIST_READING) {
		list->line_at = buf_len(&list->text);
		end_section(list, 0);
	}
	return look(list);
}

/* --- what is there ------------------------------------------------------------------------------ */

static bool is_to_be_seen(const struct item *item)
{
	return !item->is_gone && !item->is_own && item->name.len;
}

size_t header_list_size(const struct header_list *list)
{
	size_t size = list->separator;

	for (size_t i = 0; i < list->count; i++) {
		const struct item *item = &list->items[i];

		if (item->len && !item->is_changed)
			size += item->is_gone ? 0 : item->len;
		else
			size += item->name.len + item->value.len + FIELD_OVERHEAD;
	}
	return size;
}

size_t header_list_count(const struct header_list *list)
{
	return list->count;
}

bool header_list_get(
	const struct header_list *list, size_t place, struct span *name_out, struct span *value_out)
{
	const struct item *item = &list->items[place];

	*name_out = item->name;
	*value_out = item->value;
	return is_to_be_seen(item);
}

/* --- changes ------------------------------------------------------------------------------------ */

static struct span next_line(struct span *rest)
{
	size_t len = 0;
	struct span line;

	while (len < rest->len && rest->ptr[len] != '\r' && rest->ptr[len] != '\n')
		len++;
	line = span_take(*rest, len);
	*rest = span_drop(*rest, len);
	if (rest->len >= 2 && rest->ptr[0] == '\r' && rest->ptr[1] == '\n')
		*rest = span_drop(*rest, 2);
	else if (rest->len)
		*rest = span_drop(*rest, 1);
	return line;
}

static void append_clean(struct buf *out, struct span line)
{
	for (size_t i = 0; i < line.len; i++) {
		if (line.ptr[i])
			buf_append_byte(out, line.ptr[i]);
	}
}

/* Whatever it is, it cannot leave its field: header_edits_value_is_valid(). */
static struct span make_value(struct header_list *list, struct span value)
{
	struct buf clean = { 0 };
	struct span rest = value, made;

	append_clean(&clean, next_line(&rest));
	while (rest.len) {
		struct span line = next_line(&rest);
		bool is_blank = line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
		size_t before = buf_len(&clean);

		buf_append_str(&clean, is_blank ? "\r\n" : "\r\n\t");
		append_clean(&clean, line);
		if (!span_trim(span_drop(buf_span(&clean), before + 2)).len)
			buf_truncate(&clean, before);
	}
	made = arena_dup(&list->arena, buf_span(&clean));
	buf_fini(&clean);
	return made;
}

/* A value with line ends grows by as many again, and a tab each. */
static bool is_allowed(struct header_list *list, struct span name, struct span value)
{
	size_t size = name.len + value.len + FIELD_OVERHEAD;

	for (size_t i = 0; i < value.len && size <= HEADER_EDITS_SIZE_MAX; i++)
		size += value.ptr[i] == '\r' || value.ptr[i] == '\n' ? 2 : 0;
	if (!header_edits_name_is_valid(name) || size > HEADER_EDITS_SIZE_MAX - list->changed_size)
		return false;
	list->changed_size += size;
	return true;
}

static bool put_new(struct header_list *list, size_t place, struct span name, struct span value)
{
	struct item *item;

	if (!is_allowed(list, name, value))
		return false;
	item = make_room(list, place);
	item->name = arena_dup(&list->arena, name);
	item->value = make_value(list, value);
	return true;
}

bool header_list_insert(struct header_list *list, size_t index, struct span name, struct span value)
{
	size_t place = 0;
	bool is_own_seen = false;

	for (; place < list->count; place++) {
		const struct item *item = &list->items[place];

		if (item->is_gone || !item->name.len || (item->is_own && is_own_seen))
			continue;
		is_own_seen |= item->is_own;
		if (!index--)
			break;
	}
	return put_new(list, place, name, value);
}

bool header_list_append(struct header_list *list, struct span name, struct span value)
{
	return put_new(list, list->count, name, value);
}

void header_list_remove(struct header_list *list, size_t place)
{
	struct item *item = &list->items[place];

	if (item->len) {
		item->is_gone = true;
		item->is_changed = false;
		return;
	}
	list->count--;
	memmove(item, item + 1, (list->count - place) * sizeof(*item));
}

bool header_list_change(struct header_list *list, struct span name, size_t nth, struct span value)
{
	for (size_t i = 0; i < list->count; i++) {
		struct item *item = &list->items[i];

		if (!is_to_be_seen(item) || !span_eq_nocase(item->name, name) || nth-- > 1)
			continue;
		if (!value.len) {
			header_list_remove(list, i);
			return true;
		}
		if (!is_allowed(list, name, value))
			return false;
		item->is_changed = true;
		item->name = arena_dup(&list->arena, name);
		item->value = make_value(list, value);
		if (!item->value.len)
			header_list_remove(list, i);
		return true;
	}
	return !value.len || header_list_append(list, name, value);
}

void header_list_save(struct header_list *list)
{
	mem_free(list->saved);
	list->saved = mem_dup(list->items, list->count * sizeof(*list->items));
	list->saved_count = list->count;
	list->saved_changed_size = list->changed_size;
}

void header_list_restore(struct header_list *list)
{
	mem_free(list->items);
	list->items = mem_dup(list->saved, list->saved_count * sizeof(*list->items));
	list->count = list->cap = list->saved_count;
	list->changed_size = list->saved_changed_size;
}

/* --- edits -------------------------------------------------------------------------------------- */

struct making {
	const struct header_list *list;
	struct arena *arena;
	struct header_change changes[HEADER_EDITS_CHANGES_MAX];
	size_t count;
	bool is_too_much;
	struct buf fresh; /* new fields, until it is known in front of what they stand */
};

static void add_change(struct making *making, const struct header_change *change)
{
	if (making->count == HEADER_EDITS_CHANGES_MAX) {
		making->is_too_much = true;
		return;
	}
	making->changes[making->count++] = *change;
}

/* The name that is stored may be spelled in another way than its change's. */
static uint32_t nth_of(const struct header_list *list, size_t place, struct span name)
{
	uint32_t nth = 0;

	for (size_t i = 0; i <= place; i++)
		nth += list->items[i].len && span_eq_nocase(list->items[i].name, name);
	return nth;
}

static struct span take_fresh(struct making *making)
{
	struct span fields = arena_dup(making->arena, buf_span(&making->fresh));

	buf_clear(&making->fresh);
	return fields;
}

static void make_new(struct making *making, const struct item *item)
{
	buf_append(&making->fresh, item->name);
	buf_append_byte(&making->fresh, ':');
	buf_append(&making->fresh, item->value);
	buf_append_str(&making->fresh, "\r\n");
}

static void make_stored(struct making *making, size_t place)
{
	const struct item *item = &making->list->items[place];
	struct header_change change = { .name = item->name };

	if (!item->name.len)
		return;
	change.nth = nth_of(making->list, place, item->name);
	if (buf_len(&making->fresh))
		add_change(making, &(struct header_change){ arena_dup(making->arena, item->name), change.nth,
					   take_fresh(making), true });
	if (!item->is_gone && !item->is_changed)
		return;
	change.name = arena_dup(making->arena, item->name);
	if (item->is_changed)
		change.value = arena_dup(making->arena, item->value);
	add_change(making, &change);
}

static void make_all(struct making *making, struct header_edits *edits)
{
	const struct header_list *list = making->list;
	bool is_first = true;

	for (size_t i = 0; i < list->count; i++) {
		if (!list->items[i].len) {
			make_new(making, &list->items[i]);
			continue;
		}
		if (is_first)
			edits->front = take_fresh(making);
		is_first = false;
		make_stored(making, i);
	}
	edits->back = take_fresh(making);
}

bool header_list_edits(const struct header_list *list, struct arena *arena, struct header_edits *edits_out)
{
	struct making *making = mem_zalloc(sizeof(*making));
	struct header_change *changes;
	bool is_good;

	*edits_out = (struct header_edits){ 0 };
	making->list = list;
	making->arena = arena;
	make_all(making, edits_out);
	changes = arena_zalloc(arena, making->count * sizeof(*changes));
	memcpy(changes, making->changes, making->count * sizeof(*changes));
	edits_out->changes = changes;
	edits_out->change_count = making->count;
	is_good = !making->is_too_much && header_edits_are_valid(edits_out);
	buf_fini(&making->fresh);
	mem_free(making);
	return is_good;
}
