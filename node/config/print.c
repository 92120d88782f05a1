#include "config/print.h"

#include "config/schema.h"
#include "skein/cluster/schema/value.h"

/* Where a path's group ends: "route.timeout" of "route.timeout.dot", nothing of "redundancy". */
static struct span group_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return span_of(path, dot ? (size_t)(dot - path) : 0);
}

static const char *last_of(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot ? dot + 1 : path;
}

static unsigned depth_of(struct span path)
{
	unsigned depth = 0;

	for (size_t i = 0; i < path.len; i++)
		depth += path.ptr[i] == '.';
	return depth;
}

static void indent(struct buf *out, unsigned depth)
{
	for (unsigned i = 0; i < depth; i++)
		buf_append_str(out, "  ");
}

/* Opens the groups of `group` that `open` is not in: "route.timeout" after "route" opens "timeout". */
static void open_groups(struct span open, struct span group, struct buf *out)
{
	size_t at = 0;

	while (at < group.len) {
		size_t end = at + span_find(span_drop(group, at), '.');
		struct span path = span_take(group, end);
		bool is_open = span_starts_with(open, path) && (open.len == end || open.ptr[end] == '.');

		if (!is_open) {
			const char *help = schema_group_help(path);

			if (depth_of(path) == 0)
				buf_append_byte(out, '\n');
			indent(out, depth_of(path));
			buf_append(out, span_drop(path, at));
			buf_printf(out, help ? ": # %s\n" : ":\n", help);
		}
		at = end + 1;
	}
}

/* As YAML. */
static void print_preset(const struct setting_row *row, struct buf *out)
{
	if (row->type == SETTING_NETWORKS)
		buf_append_str(out, "[]");
	else if (!row->preset)
		buf_append_str(out, "...");
	else if (!*row->preset || row->type == SETTING_PREFIX)
		buf_printf(out, "'%s'", row->preset);
	else
		buf_append_str(out, row->preset);
}

static void print_item_sample(const struct setting_row *row, unsigned depth, struct buf *out)
{
	for (size_t i = 0; i < row->items->count; i++) {
		const struct setting_row *item = &row->items->rows[i];

		indent(out, depth);
		buf_printf(out, "# %s%s: ", i ? "    " : "  - ", item->path);
		print_preset(item, out);
		buf_printf(out, " # %s\n", item->help);
	}
}

static void print_default(const struct setting_row *row, unsigned depth, struct buf *out)
{
	indent(out, depth);
	buf_printf(out, "# %s\n", row->help);
	indent(out, depth);
	if (row->type == SETTING_SECTIONS) {
		buf_printf(out, "%s:\n", last_of(row->path));
		print_item_sample(row, depth, out);
		return;
	}
	/* What is not set would be an error if it were there without a value. */
	if (row->type != SETTING_NETWORKS && !*row->preset)
		buf_append_str(out, "# ");
	buf_printf(out, "%s: ", last_of(row->path));
	print_preset(row, out);
	buf_append_byte(out, '\n');
}

void print_defaults(struct buf *out)
{
	struct span open = { 0 };

	buf_append_str(out, "# Settings of skeind " SKEIN_VERSION
			    " with their defaults. Only what differs needs to be in your file;\n"
			    "# listeners and route.next_hops have no default.\n");
	for (size_t i = 0; i < schema.count; i++) {
		const struct setting_row *row = &schema.rows[i];
		struct span group = group_of(row->path);

		open_groups(open, group, out);
		if (!group.len)
			buf_append_byte(out, '\n');
		print_default(row, group.len ? depth_of(group) + 1 : 0, out);
		open = group;
	}
}

static const char *const type_names[] = {
	[SETTING_STRING] = "text",
	[SETTING_NAME] = "name",
	[SETTING_PREFIX] = "text",
	[SETTING_DOMAIN] = "domain",
	[SETTING_HOST] = "host",
	[SETTING_PATH] = "path",
	[SETTING_BOOL] = "bool",
	[SETTING_INTEGER] = "integer",
	[SETTING_SIZE] = "size",
	[SETTING_DURATION] = "duration",
	[SETTING_ENUM] = "",
	[SETTING_LISTEN] = "address:port",
	[SETTING_ENDPOINT] = "host:port",
	[SETTING_NETWORKS] = "list of networks",
	[SETTING_SECTIONS] = "list of sections",
};

static void print_type(const struct setting_row *row, struct buf *out)
{
	buf_append_str(out, type_names[row->type]);
	for (size_t i = 0; i < row->name_count; i++)
		buf_printf(out, "%s`%s`", i ? ", " : "", row->names[i]);
	if (row->type == SETTING_INTEGER || row->type == SETTING_SIZE || row->type == SETTING_DURATION) {
		buf_append_byte(out, ' ');
		value_print_number(row->type, row->min, out);
		buf_append_str(out, "..");
		value_print_number(row->type, row->max, out);
	}
}

static void print_row(const char *list, const struct setting_row *row, bool is_reloadable, struct buf *out)
{
	buf_printf(out, "| `%s%s%s` | ", list, *list ? "[]." : "", row->path);
	print_type(row, out);
	if (!row->preset)
		buf_append_str(out, " | required");
	else
		buf_printf(out, *row->preset ? " | `%s`" : " | %s", row->preset);
	buf_printf(out, " | %s | %s |\n", is_reloadable ? "yes" : "no", row->help);
	for (size_t i = 0; row->items && i < row->items->count; i++)
		print_row(row->path, &row->items->rows[i], is_reloadable, out);
}

/* Top-level group, or the setting itself where it has none. */
static struct span chapter_of(const struct setting_row *row)
{
	return span_of(row->path, span_find(span_of_str(row->path), '.'));
}

static void print_chapter(struct span chapter, struct buf *out)
{
	const char *help = schema_group_help(chapter);

	buf_printf(out, "\n## %.*s\n\n", SPAN_ARGS(chapter));
	if (help)
		buf_printf(out, "%s\n\n", help);
	buf_append_str(out, "| setting | type | default | reload | meaning |\n|---|---|---|---|---|\n");
}

static const char docs_head[] =
	"# Settings of a node\n"
	"\n"
	"<!-- Printed from node/config/schema.c by tests/unit/node/config/test_print.c: run it with "
	"SKEIN_UPDATE_DOCS=1. -->\n"
	"\n"
	"`skeind --config FILE` reads YAML: `route.timeout.dot` below is `dot` in the section `timeout` in "
	"the section "
	"`route`.\n"
	"`--set PATH=VALUE` sets one on the command line, and wins over the file. `skeind --check` tells "
	"everything that "
	"is wrong\n"
	"with the settings and the files they name; `skeind --print-defaults` prints a file to start from.\n"
	"\n"
	"- A size is `512B`, `64KiB`, `20MiB`, `1GiB` or `2TiB`; a duration is `500ms`, `5s`, `3m`, `2h` or "
	"`1d`.\n"
	"- An address with a port is `127.0.0.1:25` or, in quotes, `'[::1]:25'`. A host may be a name too.\n"
	"- A network is `10.0.0.0/8`, `2001:db8::/32` or a single address. `::/0` does not include IPv4.\n"
	"- YAML's anchors, aliases, tags and several documents in one file are not supported.\n"
	"- `reload`: SIGHUP is enough. What says `no` takes a restart; a reload keeps the old value and logs "
	"it.\n";

void print_docs(struct buf *out)
{
	struct span chapter = { 0 };

	buf_append_str(out, docs_head);
	for (size_t i = 0; i < schema.count; i++) {
		const struct setting_row *row = &schema.rows[i];

		if (!span_eq(chapter, chapter_of(row))) {
			chapter = chapter_of(row);
			print_chapter(chapter, out);
		}
		print_row("", row, row->is_reloadable, out);
	}
}
