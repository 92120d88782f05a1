/*
 * Settings: any bytes as the file, and its first line, when it begins with '=', as a --set option. Whatever
 * loads must print, and a reload of itself must change nothing.
 */
#include "config/load.h"
#include "config/schema.h"
#include "skein/cluster/schema/value.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must_not_change(void *arg, const char *path, bool is_applied)
{
	(void)arg;
	(void)path;
	(void)is_applied;
	CHECK(false);
}

static void use(struct settings *settings, const struct load_input *input)
{
	struct report report = { 0 };
	struct settings *again = settings_load(input, &report);
	struct buf text = { 0 };

	CHECK(again);
	settings_reload(again, settings, must_not_change, NULL);
	for (size_t i = 0; i < schema.count; i++)
		value_print(&schema.rows[i], (const char *)again + schema.rows[i].offset, &text);
	buf_fini(&text);
	settings_free(&again);
	report_fini(&report);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span rest = span_of((const char *)data, size);
	struct setting_override override = { OVERRIDE_TEXT, "--set", "", "" };
	struct load_input input = { .file = "fuzz.yaml", .text = rest, .overrides = &override };
	struct report report = { 0 };
	struct arena arena = { 0 };
	struct settings *settings;

	if (rest.len && rest.ptr[0] == '=') {
		struct span line = span_drop(span_take(rest, span_find(rest, '\n')), 1);
		size_t equals = span_find(line, '=');

		override.path = arena_strdup(&arena, span_take(line, equals));
		override.text = equals < line.len ? arena_strdup(&arena, span_drop(line, equals + 1)) : "";
		input.override_count = 1;
		input.text = span_drop(rest, line.len + 1);
	}
	settings = settings_load(&input, &report);
	CHECK(!settings == (report.errors > 0));
	if (settings)
		use(settings, &input);
	settings_free(&settings);
	report_fini(&report);
	arena_fini(&arena);
	return 0;
}
