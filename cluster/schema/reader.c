#include "skein/cluster/schema/reader.h"

#include "skein/cluster/schema/cidr.h"
#include "skein/cluster/schema/document.h"
#include "skein/cluster/schema/suggest.h"
#include "skein/cluster/schema/value.h"

enum { MAPPING_KEYS_MAX = 256, TEXT_ITEM_MAX = 512 };

struct load {
	struct report *report;
	struct arena *arena; /* of what fields point to */
	struct arena names;  /* of paths, until the end */
	struct buf why;
	/* Where the text at hand comes from. */
	const char *source;
	bool has_lines;
	yaml_document_t *document;
};

/* A mapping of the text and the part of the table it is read by. */
struct place {
	const struct setting_table *table;
	char *base;         /* the struct that the table's offsets are in */
	struct span prefix; /* of the paths in the table: "route.timeout." or "" */
	struct span shown;  /* "route.timeout", "listeners[1]", "" */
};

/* A setting of the text. */
struct target {
	const struct setting_row *row;
	void *field;
	struct span shown;
};

static void load_text(struct load *load, struct span text, const struct place *top);
static void load_override(
	struct load *load, const struct setting_override *override, const struct place *top);
static void load_mapping(struct load *load, const struct place *place, yaml_node_t *node);
static void load_pair(
	struct load *load, const struct place *place, yaml_node_t *mapping, yaml_node_pair_t *pair);
static void load_setting(struct load *load, const struct target *target, yaml_node_t *node);
static void load_list(struct load *load, const struct target *target, yaml_node_t *node);
static void load_named(struct load *load, const struct target *target, yaml_node_t *node);
static void append_item(struct load *load, const struct target *target, yaml_node_t *node);

static struct load load_begin(const struct schema_target *target)
{
	return (struct load){ .report = target->report, .arena = target->arena };
}

static void load_end(struct load *load)
{
	arena_fini(&load->names);
	buf_fini(&load->why);
}

void schema_read(const struct schema_target *target, struct span text, const char *source)
{
	struct place top = { target->table, target->base, { 0 }, { 0 } };
	struct load load = load_begin(target);

	load.source = source;
	load.has_lines = true;
	load_text(&load, text, &top);
	load_end(&load);
}

void schema_override(const struct schema_target *target, const struct setting_override *override)
{
	struct place top = { target->table, target->base, { 0 }, { 0 } };
	struct load load = load_begin(target);

	load_override(&load, override, &top);
	load_end(&load);
}

static struct origin origin_of(const struct load *load, const yaml_node_t *node)
{
	if (!load->has_lines)
		return (struct origin){ load->source, 0, 0 };
	return (struct origin){ load->source, node->start_mark.line + 1, node->start_mark.column + 1 };
}

static void complain(struct load *load, const yaml_node_t *node, struct span shown, const char *fmt, ...)
	PRINTF_LIKE(4, 5);

static void complain(struct load *load, const yaml_node_t *node, struct span shown, const char *fmt, ...)
{
	struct origin origin = origin_of(load, node);
	struct buf text = { 0 };
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	report_error(load->report, &origin, shown, "%.*s", SPAN_ARGS(buf_span(&text)));
	buf_fini(&text);
}

static struct span name_of(struct load *load, const char *fmt, ...) PRINTF_LIKE(2, 3);

static struct span name_of(struct load *load, const char *fmt, ...)
{
	struct buf text = { 0 };
	struct span name;
	va_list args;

	va_start(args, fmt);
	buf_vprintf(&text, fmt, args);
	va_end(args);
	name = arena_dup(&load->names, buf_span(&text));
	buf_fini(&text);
	return name;
}

static void load_text(struct load *load, struct span text, const struct place *top)
{
	yaml_document_t document;
	yaml_node_t *root;

	if (!document_parse(text, load->source, load->has_lines, load->report, &document))
		return;
	load->document = &document;
	root = yaml_document_get_root_node(&document);
	if (root)
		load_mapping(load, top, root);
	yaml_document_delete(&document);
}

/* "key:" with nothing behind it, or one of YAML's words for nothing. */
static bool is_null(const yaml_node_t *node)
{
	return node->type == YAML_SCALAR_NODE && node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
	       (node->data.scalar.length == 0 || span_eq(document_text(node), SPAN_LIT("~")) ||
		       span_eq(document_text(node), SPAN_LIT("null")));
}

static const char *kind_of(const yaml_node_t *node)
{
	if (node->type == YAML_MAPPING_NODE)
		return "a section";
	if (node->type == YAML_SEQUENCE_NODE)
		return "a list";
	return is_null(node) ? "nothing" : "a value";
}

static void load_mapping(struct load *load, const struct place *place, yaml_node_t *node)
{
	yaml_node_pair_t *pair;

	if (is_null(node))
		return;
	if (node->type != YAML_MAPPING_NODE) {
		complain(load, node, place->shown, "expected a section, got %s", kind_of(node));
		return;
	}
	if (node->data.mapping.pairs.top - node->data.mapping.pairs.start > MAPPING_KEYS_MAX) {
		complain(load, node, place->shown, "has more than %d keys", MAPPING_KEYS_MAX);
		return;
	}
	for (pair = node->data.mapping.pairs.start; pair < node->data.mapping.pairs.top; pair++)
		load_pair(load, place, node, pair);
}

static bool is_repeated(struct load *load, yaml_node_t *mapping, yaml_node_pair_t *pair, struct span key)
{
	for (yaml_node_pair_t *other = mapping->data.mapping.pairs.start; other < pair; other++) {
		yaml_node_t *node = yaml_document_get_node(load->document, other->key);

		if (node->type == YAML_SCALAR_NODE && span_eq(document_text(node), key))
			return true;
	}
	return false;
}

static void complain_of_unknown(
	struct load *load, const struct place *place, const yaml_node_t *node, struct span key)
{
	struct span near = suggest_key(place->table, place->prefix, key);
	struct buf all = { 0 };

	if (near.len)
		complain(load, node, place->shown, "unknown key %s, did you mean \"%.*s\"?",
			report_quote(key).text, SPAN_ARGS(near));
	else if (suggest_all(place->table, place->prefix, &all))
		complain(load, node, place->shown, "unknown key %s: here may stand %.*s",
			report_quote(key).text, SPAN_ARGS(buf_span(&all)));
	else
		complain(load, node, place->shown, "unknown key %s", report_quote(key).text);
	buf_fini(&all);
}

static void load_pair(
	struct load *load, const struct place *place, yaml_node_t *mapping, yaml_node_pair_t *pair)
{
	yaml_node_t *key_node = yaml_document_get_node(load->document, pair->key);
	yaml_node_t *node = yaml_document_get_node(load->document, pair->value);
	const struct setting_row *row;
	struct span key, path, shown;

	if (key_node->type != YAML_SCALAR_NODE) {
		complain(load, key_node, place->shown, "a key must be a word");
		return;
	}
	key = document_text(key_node);
	if (is_repeated(load, mapping, pair, key)) {
		complain(load, key_node, place->shown, "key %s is there twice", report_quote(key).text);
		return;
	}
	path = name_of(load, "%.*s%.*s", SPAN_ARGS(place->prefix), SPAN_ARGS(key));
	shown = name_of(
		load, "%.*s%s%.*s", SPAN_ARGS(place->shown), place->shown.len ? "." : "", SPAN_ARGS(key));
	row = schema_find(place->table, path);
	if (row) {
		load_setting(load, &(struct target){ row, place->base + row->offset, shown }, node);
	} else if (schema_is_group(place->table, path)) {
		struct span prefix = name_of(load, "%.*s.", SPAN_ARGS(path));

		load_mapping(load, &(struct place){ place->table, place->base, prefix, shown }, node);
	} else {
		complain_of_unknown(load, place, key_node, key);
	}
}

static void load_value(
	struct load *load, const struct target *target, struct span text, const struct origin *origin)
{
	buf_clear(&load->why);
	if (!value_parse(target->row, text, load->arena, target->field, &load->why))
		report_error(load->report, origin, target->shown, "%.*s", SPAN_ARGS(buf_span(&load->why)));
}

static void load_setting(struct load *load, const struct target *target, yaml_node_t *node)
{
	struct origin origin = origin_of(load, node);

	report_note(load->report, target->shown, &origin);
	if (schema_is_list(target->row))
		load_list(load, target, node);
	else if (node->type != YAML_SCALAR_NODE || is_null(node))
		complain(load, node, target->shown, "expected a value, got %s", kind_of(node));
	else
		load_value(load, target, document_text(node), &origin);
}

static void clear_list(struct load *load, const struct target *target)
{
	if (value_get_list(target->field).count)
		report_forget_items(load->report, target->shown);
	value_set_list(target->field, (struct value_list){ NULL, 0 });
}

static bool has_too_many(struct load *load, const struct target *target, yaml_node_t *node, ptrdiff_t count)
{
	if (count >= 0 && (size_t)count <= target->row->max)
		return false;
	complain(load, node, target->shown, "has more than %zu items", (size_t)target->row->max);
	return true;
}

static void load_sequence(struct load *load, const struct target *target, yaml_node_t *node)
{
	yaml_node_item_t *item = node->data.sequence.items.start;

	if (has_too_many(load, target, node, node->data.sequence.items.top - item))
		return;
	for (; item < node->data.sequence.items.top; item++)
		append_item(load, target, yaml_document_get_node(load->document, *item));
}

static void load_list(struct load *load, const struct target *target, yaml_node_t *node)
{
	clear_list(load, target);
	if (is_null(node))
		return;
	if (node->type == YAML_SEQUENCE_NODE && target->row->type != SETTING_NAMED)
		load_sequence(load, target, node);
	else if (node->type == YAML_MAPPING_NODE && target->row->type == SETTING_NAMED)
		load_named(load, target, node);
	else if (node->type == YAML_SCALAR_NODE && target->row->type == SETTING_STRINGS)
		append_item(load, target, node);
	else
		complain(load, node, target->shown, "expected a %s, got %s",
			target->row->type == SETTING_NAMED ? "section" : "list", kind_of(node));
}

static size_t item_size(const struct setting_row *row)
{
	switch (row->type) {
	case SETTING_STRINGS:
		return sizeof(const char *);
	case SETTING_NETWORKS:
		return sizeof(struct cidr);
	default:
		return row->items->item_size;
	}
}

/* Room for one more item. The room doubles at each power of two; what it was before stays in the arena. */
static void *grow_list(struct load *load, const struct target *target)
{
	struct value_list list = value_get_list(target->field);
	size_t size = item_size(target->row);
	char *items = (char *)(uintptr_t)list.items;

	if ((list.count & (list.count - 1)) == 0) {
		items = arena_zalloc(load->arena, (list.count ? list.count * 2 : 1) * size);
		if (list.count)
			memcpy(items, list.items, list.count * size);
	}
	value_set_list(target->field, (struct value_list){ items, list.count + 1 });
	return items + list.count * size;
}

static void load_network(struct load *load, const struct target *target, yaml_node_t *node, struct cidr *cidr)
{
	const char *fault;

	if (node->type != YAML_SCALAR_NODE || is_null(node)) {
		complain(load, node, target->shown, "expected a network, got %s", kind_of(node));
		return;
	}
	fault = cidr_parse(document_text(node), cidr);
	if (fault)
		complain(load, node, target->shown, "%s %s", report_quote(document_text(node)).text, fault);
}

static void load_string(struct load *load, const struct target *target, yaml_node_t *node, const char **text)
{
	const struct setting_row row = { .type = SETTING_TEXT, .max = TEXT_ITEM_MAX };
	struct origin origin = origin_of(load, node);

	*text = "";
	if (node->type != YAML_SCALAR_NODE || is_null(node))
		complain(load, node, target->shown, "expected a value, got %s", kind_of(node));
	else
		load_value(load, &(struct target){ &row, text, target->shown }, document_text(node), &origin);
}

static void load_section(struct load *load, const struct target *target, yaml_node_t *node, char *item)
{
	const struct setting_table *table = target->row->items;

	schema_preset(table, load->arena, item);
	load_mapping(load, &(struct place){ table, item, { 0 }, target->shown }, node);
	for (size_t i = 0; i < table->count; i++) {
		struct span name =
			name_of(load, "%.*s.%s%c", SPAN_ARGS(target->shown), table->rows[i].path, '\0');

		if (!table->rows[i].preset && !report_was_given(load->report, name.ptr))
			complain(load, node, target->shown, "\"%s\" is missing", table->rows[i].path);
	}
}

static void append_item(struct load *load, const struct target *target, yaml_node_t *node)
{
	struct origin origin = origin_of(load, node);
	struct value_list list = value_get_list(target->field);
	struct target item = *target;

	if (list.count == target->row->max) {
		complain(load, node, target->shown, "has more than %zu items", list.count);
		return;
	}
	item.shown = name_of(load, "%.*s[%zu]", SPAN_ARGS(target->shown), list.count);
	report_note(load->report, item.shown, &origin);
	if (target->row->type == SETTING_STRINGS)
		load_string(load, &item, node, grow_list(load, target));
	else if (target->row->type == SETTING_NETWORKS)
		load_network(load, &item, node, grow_list(load, target));
	else
		load_section(load, &item, node, grow_list(load, target));
}

/* The key is what the row "name" holds, and is checked as that. */
static void load_named_item(
	struct load *load, const struct target *target, yaml_node_t *key_node, yaml_node_t *node)
{
	const struct setting_table *table = target->row->items;
	const struct setting_row *name_row = schema_find(table, SPAN_LIT("name"));
	struct origin origin = origin_of(load, key_node);
	struct target item = *target;
	char *section;

	CHECK(name_row);
	item.shown = name_of(load, "%.*s.%.*s", SPAN_ARGS(target->shown), SPAN_ARGS(document_text(key_node)));
	report_note(load->report, item.shown, &origin);
	report_note(load->report, name_of(load, "%.*s.name", SPAN_ARGS(item.shown)), &origin);
	section = grow_list(load, target);
	load_section(load, &item, node, section);
	load_value(load, &(struct target){ name_row, section + name_row->offset, target->shown },
		document_text(key_node), &origin);
}

static void load_named(struct load *load, const struct target *target, yaml_node_t *node)
{
	yaml_node_pair_t *pair = node->data.mapping.pairs.start;

	if (has_too_many(load, target, node, node->data.mapping.pairs.top - pair))
		return;
	for (; pair < node->data.mapping.pairs.top; pair++) {
		yaml_node_t *key = yaml_document_get_node(load->document, pair->key);

		if (key->type != YAML_SCALAR_NODE)
			complain(load, key, target->shown, "a key must be a word");
		else if (is_repeated(load, node, pair, document_text(key)))
			complain(load, key, target->shown, "key %s is there twice",
				report_quote(document_text(key)).text);
		else
			load_named_item(
				load, target, key, yaml_document_get_node(load->document, pair->value));
	}
}

static void load_override_list(
	struct load *load, const struct setting_override *override, const struct target *target)
{
	yaml_document_t document;
	yaml_node_t *root;

	if (!document_parse(span_of_str(override->text), load->source, false, load->report, &document))
		return;
	load->document = &document;
	root = yaml_document_get_root_node(&document);
	if (override->kind != OVERRIDE_APPEND)
		clear_list(load, target);
	if (root && override->kind == OVERRIDE_TEXT)
		load_list(load, target, root);
	else if (root)
		append_item(load, target, root);
	yaml_document_delete(&document);
}

static void complain_of_unknown_path(
	struct load *load, const struct setting_table *table, const struct origin *origin, struct span path)
{
	struct span prefix = path;
	struct span near;

	while (prefix.len && prefix.ptr[prefix.len - 1] != '.')
		prefix.len--;
	near = suggest_key(table, prefix, span_drop(path, prefix.len));
	if (!near.len)
		report_error(load->report, origin, SPAN_LIT(""), "unknown setting");
	else if (span_find(near, '.') < near.len)
		report_error(load->report, origin, SPAN_LIT(""), "unknown setting, did you mean %.*s?",
			SPAN_ARGS(near));
	else
		report_error(load->report, origin, SPAN_LIT(""), "unknown setting, did you mean %.*s%.*s?",
			SPAN_ARGS(prefix), SPAN_ARGS(near));
}

static void load_override(struct load *load, const struct setting_override *override, const struct place *top)
{
	struct span path = span_of_str(override->path);
	const struct setting_row *row = schema_find(top->table, path);
	struct origin origin = { override->option, 0, 0 };

	load->source = override->option;
	load->has_lines = false;
	if (row) {
		struct target target = { row, top->base + row->offset, path };

		report_note(load->report, path, &origin);
		if (schema_is_list(row))
			load_override_list(load, override, &target);
		else
			load_value(load, &target, span_of_str(override->text), &origin);
	} else {
		complain_of_unknown_path(load, top->table, &origin, path);
	}
}
