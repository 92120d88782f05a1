/* Every row of the table is tried here, so a new setting is tested by being there. */
#include "cmocka_all.h"

#include "config/load.h"
#include "config/schema.h"
#include "skein/cluster/schema/value.h"

#include <ctype.h>
#include <stdio.h>

/* Reads one value into a zeroed field; the arena keeps its text. */
static bool parse(const struct setting_row *row, const char *text, void *field, struct arena *arena)
{
	struct buf why = { 0 };
	bool is_good;

	memset(field, 0, 16);
	is_good = value_parse(row, span_of_str(text), arena, field, &why);
	assert_int_equal(is_good, buf_len(&why) == 0);
	buf_fini(&why);
	return is_good;
}

typedef void row_fn(const struct setting_table *table, const struct setting_row *row);

static void for_each_row_of(const struct setting_table *table, row_fn *fn)
{
	for (size_t i = 0; i < table->count; i++) {
		fn(table, &table->rows[i]);
		if (table->rows[i].items)
			for_each_row_of(table->rows[i].items, fn);
	}
}

static void check_help(const struct setting_table *table, const struct setting_row *row)
{
	size_t len = strlen(row->help);

	/* One sentence or more, fit for a table in Markdown and a comment in YAML. */
	if (len < 8 || row->help[len - 1] != '.' || strpbrk(row->help, "|\n\t") || len > 120)
		fail_msg("%s: help is \"%s\"", row->path, row->help);
	for (const char *at = row->path; *at; at++)
		assert_true(islower((unsigned char)*at) || *at == '_' || *at == '.' ||
			    isdigit((unsigned char)*at));
	for (const struct setting_row *other = table->rows; other < row; other++) {
		assert_string_not_equal(other->path, row->path);
		assert_int_not_equal(other->offset, row->offset);
	}
	assert_true(row->offset < table->item_size);
}

static void every_row_is_named_once_placed_once_and_explained(void **state)
{
	(void)state;
	for_each_row_of(&schema, check_help);
}

static void check_preset(const struct setting_table *table, const struct setting_row *row)
{
	struct arena arena = { 0 };
	struct buf shown = { 0 };
	uint64_t field[2];

	(void)table;
	if (schema_is_list(row)) {
		assert_string_equal(row->preset, "");
	} else if (row->preset) {
		if (!parse(row, row->preset, field, &arena))
			fail_msg("%s: the default %s is refused", row->path, row->preset);
		value_print(row, field, &shown);
		assert_span_equal(buf_span(&shown), row->preset);
	}
	buf_fini(&shown);
	arena_fini(&arena);
}

static void every_default_is_legal_and_printed_as_it_was_written(void **state)
{
	(void)state;
	for_each_row_of(&schema, check_preset);
}

static void expect_number(const struct setting_row *row, uint64_t number, bool is_legal)
{
	static const char *const units[] = {
		[SETTING_INTEGER] = "",
		[SETTING_SIZE] = "B",
		[SETTING_DURATION] = "ms",
	};
	struct arena arena = { 0 };
	char text[40];
	uint64_t field[2];

	snprintf(text, sizeof(text), "%llu%s", (unsigned long long)number, units[row->type]);
	if (parse(row, text, field, &arena) != is_legal)
		fail_msg("%s: %s", row->path, text);
	if (is_legal)
		assert_true(field[0] == number);
	arena_fini(&arena);
}

static void check_bounds(const struct setting_table *table, const struct setting_row *row)
{
	(void)table;
	if (row->type != SETTING_INTEGER && row->type != SETTING_SIZE && row->type != SETTING_DURATION)
		return;
	assert_true(row->min < row->max && row->max < UINT64_MAX / 2);
	expect_number(row, row->min, true);
	expect_number(row, row->max, true);
	expect_number(row, row->max + 1, false);
	expect_number(row, UINT64_MAX, false);
	if (row->min)
		expect_number(row, row->min - 1, false);
}

static void every_number_is_bounded_at_both_ends(void **state)
{
	(void)state;
	for_each_row_of(&schema, check_bounds);
}

static void check_text_bound(const struct setting_table *table, const struct setting_row *row)
{
	struct arena arena = { 0 };
	uint64_t field[2];
	char text[4096];

	(void)table;
	if (schema_is_list(row)) {
		assert_true(row->max > 0 && row->max <= 1024);
		return;
	}
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	assert_false(parse(row, text, field, &arena));
	assert_false(parse(row, "a\nb", field, &arena));
	assert_false(parse(row, "\x1b[2J", field, &arena));
	arena_fini(&arena);
}

static void no_text_is_unbounded_or_holds_control_characters(void **state)
{
	(void)state;
	for_each_row_of(&schema, check_text_bound);
}

/* A value other than the default. */
static const char *other_value(const struct setting_row *row, char out[40])
{
	struct buf text = { 0 };
	struct arena arena = { 0 };
	uint64_t field[2];

	switch (row->type) {
	case SETTING_BOOL:
		return strcmp(row->preset, "true") == 0 ? "false" : "true";
	case SETTING_ENUM:
		return row->names[strcmp(row->preset, row->names[0]) == 0 ? 1 : 0];
	case SETTING_LISTEN:
	case SETTING_ENDPOINT:
		return "127.0.0.1:4711";
	case SETTING_STRINGS:
		return strcmp(row->path, "dns.servers") == 0        ? "['192.0.2.1']"
		       : strcmp(row->path, "dns_watch.egress") == 0 ? "['192.0.2.1']"
		       : strcmp(row->path, "redis.sentinels") == 0  ? "['s.example:26379']"
		       : strcmp(row->path, "auth.backends") == 0    ? "['file']"
		       : strcmp(row->path, "auth.mechanisms") == 0  ? "['PLAIN']"
								    : "['other']";
	case SETTING_NETWORKS:
		return "['10.1.0.0/16', '2001:db8::/32']";
	case SETTING_DOMAIN:
	case SETTING_HOST:
		return "other.example";
	case SETTING_INTEGER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		assert_true(parse(row, row->preset, field, &arena));
		value_print_number(row->type, field[0] == row->max ? row->min : field[0] + 1, &text);
		snprintf(out, 40, "%.*s", SPAN_ARGS(buf_span(&text)));
		buf_fini(&text);
		arena_fini(&arena);
		return out;
	default:
		return strncmp(row->path, "tls_reports.", 12) == 0 && row->type == SETTING_STRING
			       ? "other@example.com"
			       : "other";
	}
}

/* `path: value` as nested YAML, flow style. */
static void append_nested(struct buf *out, const char *path, const char *value, bool is_quoted)
{
	unsigned depth = 0;

	for (; *path; path++) {
		if (*path == '.') {
			buf_append_str(out, ": {");
			depth++;
		} else {
			buf_append_byte(out, *path);
		}
	}
	buf_printf(out, is_quoted ? ": '%s'" : ": %s", value);
	while (depth--)
		buf_append_byte(out, '}');
	buf_append_byte(out, '\n');
}

struct companion {
	const char *path, *text;
};

/* What makes the other value of a row legal that a rule ties to others; up to two. */
static const struct companion *companions_of(const char *path)
{
	static const struct {
		const char *path;
		struct companion with[2];
	} rows[] = {
		{ "tls.certificate", { { "tls.key", "/k" } } },
		{ "tls.key", { { "tls.certificate", "/c" } } },
		{ "redis.tls.certificate", { { "redis.tls.key", "/k" } } },
		{ "redis.tls.key", { { "redis.tls.certificate", "/c" } } },
		{ "redis.user", { { "redis.password_file", "/p" } } },
		{ "redis.sentinel_user", { { "redis.sentinel_password_file", "/p" },
						 { "redis.sentinels", "['s.example:26379']" } } },
		{ "redis.sentinel_password_file", { { "redis.sentinels", "['s.example:26379']" } } },
		{ "redis.wait_replicas", { { "redis.address", "127.0.0.1:6379" } } },
		{ "tls_reports.from", { { "redis.address", "127.0.0.1:6379" } } },
		{ "redundancy", { { "redis.address", "127.0.0.1:6379" } } },
		{ "auth.backends", { { "auth.file.path", "/u" } } },
		{ "auth.mechanisms", { { "auth.backends", "[file]" }, { "auth.file.path", "/u" } } },
	};
	static const struct companion none[2];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (strcmp(rows[i].path, path) == 0)
			return rows[i].with;
	return none;
}

/* The base, the row, and what the row needs, as one file. */
static struct settings *load_row(const struct setting_row *row, const char *value, struct report *report)
{
	const struct companion *companions = companions_of(row->path);
	struct load_input input = { .file = "test.yaml" };
	struct setting_override overrides[4] = {
		{ OVERRIDE_TEXT, "--listen", "listeners", "[{address: '127.0.0.1:2525'}]" },
		{ OVERRIDE_TEXT, "--next-hop", "route.next_hops", "[{host: mail.example}]" },
	};
	struct buf text = { 0 };
	struct settings *settings;
	size_t count = 2;

	for (size_t i = 0; i < 2 && companions[i].path; i++)
		overrides[count++] = (struct setting_override){ OVERRIDE_TEXT, "--set", companions[i].path,
			companions[i].text };
	if (value)
		append_nested(&text, row->path, value, !schema_is_list(row));
	input.text = buf_span(&text);
	input.overrides = overrides;
	input.override_count = count;
	settings = settings_load(&input, report);
	buf_fini(&text);
	return settings;
}

static bool prints_as(const struct setting_row *row, const struct settings *settings, const char *text)
{
	struct buf shown = { 0 };
	bool is_same;

	value_print(row, (const char *)settings + row->offset, &shown);
	is_same = span_eq(buf_span(&shown), span_of_str(text));
	buf_fini(&shown);
	return is_same;
}

static void assert_only_this_row_differs(
	const struct setting_row *row, const struct settings *before, const struct settings *after)
{
	for (size_t i = 0; i < schema.count; i++) {
		const struct setting_row *other = &schema.rows[i];
		struct buf text = { 0 };

		value_print(other, (const char *)before + other->offset, &text);
		buf_append_byte(&text, '\0');
		if (prints_as(other, after, buf_span(&text).ptr) != (other != row))
			fail_msg("%s given, %s wrong", row->path, other->path);
		buf_fini(&text);
	}
}

static void every_setting_arrives_in_its_field_and_in_no_other(void **state)
{
	struct report report = { 0 };

	(void)state;
	for (size_t i = 0; i < schema.count; i++) {
		const struct setting_row *row = &schema.rows[i];
		struct settings *before, *after;
		char scratch[40];
		const char *value;

		if (row->type == SETTING_SECTIONS)
			continue;
		value = other_value(row, scratch);
		/* One of a pair is refused without the other, so there is no "before" for it. */
		before = load_row(row, NULL, &report);
		report_fini(&report);
		after = load_row(row, value, &report);
		if (!after)
			fail_msg("%s: %.*s", row->path, SPAN_ARGS(buf_span(&report.text)));
		if (!prints_as(row, after, value))
			fail_msg("%s is not %s", row->path, value);
		if (before)
			assert_only_this_row_differs(row, before, after);
		settings_free(&before);
		settings_free(&after);
	}
	report_fini(&report);
}

static void every_setting_refuses_what_is_no_value_of_its_kind(void **state)
{
	static const char *const wrong[] = { "{a: b}", "[[1]]", "''", "'\\x01'", "~" };

	(void)state;
	for (size_t i = 0; i < schema.count; i++) {
		const struct setting_row *row = &schema.rows[i];

		for (size_t k = 0; k < ARRAY_LEN(wrong); k++) {
			struct report report = { 0 };
			struct buf text = { 0 };
			struct load_input input = { .file = "test.yaml" };
			struct settings *settings;
			bool may_be_empty = !schema_is_list(row) && row->preset && !*row->preset && k == 2;
			bool may_be_anything =
				(row->type == SETTING_PATH || row->type == SETTING_STRING ||
					row->type == SETTING_TEXT || row->type == SETTING_STRINGS) &&
				k == 3;

			buf_append_str(&text, "# The second line is at fault.\n");
			append_nested(&text, row->path, wrong[k], false);
			input.text = buf_span(&text);
			settings = settings_load(&input, &report);
			assert_null(settings);
			/* Errors of the rules have no line: the row's own is there or not. */
			if (!may_be_empty && !may_be_anything && !(schema_is_list(row) && k == 4) &&
				!memmem(buf_span(&report.text).ptr, buf_len(&report.text),
					"test.yaml:2:", 12))
				fail_msg("%s takes %s: %.*s", row->path, wrong[k],
					SPAN_ARGS(buf_span(&report.text)));
			buf_fini(&text);
			report_fini(&report);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_is_named_once_placed_once_and_explained),
		cmocka_unit_test(every_default_is_legal_and_printed_as_it_was_written),
		cmocka_unit_test(every_number_is_bounded_at_both_ends),
		cmocka_unit_test(no_text_is_unbounded_or_holds_control_characters),
		cmocka_unit_test(every_setting_arrives_in_its_field_and_in_no_other),
		cmocka_unit_test(every_setting_refuses_what_is_no_value_of_its_kind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
