#include "cmocka_all.h"

#include "config/load.h"
#include "config/print.h"
#include "config/schema.h"
#include "skein/cluster/schema/value.h"
#include "generated_file.h"

static void the_printed_defaults_are_a_file_that_changes_nothing(void **state)
{
	static const struct setting_override overrides[] = {
		{ OVERRIDE_TEXT, "--listen", "listeners", "[{address: '127.0.0.1:2525'}]" },
		{ OVERRIDE_TEXT, "--next-hop", "route.next_hops", "[{host: mail.example}]" },
	};
	struct load_input input = { "defaults.yaml", { 0 }, overrides, ARRAY_LEN(overrides) };
	struct settings *plain, *printed;
	struct report report = { 0 };
	struct buf text = { 0 };

	(void)state;
	plain = settings_load(&input, &report);
	print_defaults(&text);
	input.text = buf_span(&text);
	printed = settings_load(&input, &report);
	assert_span_equal(buf_span(&report.text), "");
	for (size_t i = 0; i < schema.count; i++) {
		struct buf a = { 0 }, b = { 0 };

		value_print(&schema.rows[i], (const char *)plain + schema.rows[i].offset, &a);
		value_print(&schema.rows[i], (const char *)printed + schema.rows[i].offset, &b);
		assert_true(span_eq(buf_span(&a), buf_span(&b)));
		buf_fini(&a);
		buf_fini(&b);
	}
	settings_free(&plain);
	settings_free(&printed);
	buf_fini(&text);
	report_fini(&report);
}

static void every_setting_is_in_the_printed_defaults(void **state)
{
	struct buf text = { 0 };
	const char *at;

	(void)state;
	print_defaults(&text);
	buf_append_byte(&text, '\0');
	at = buf_span(&text).ptr;
	for (size_t i = 0; i < schema.count; i++) {
		const char *path = schema.rows[i].path, *dot = strrchr(path, '.');
		char key[64];

		snprintf(key, sizeof(key), "%s:", dot ? dot + 1 : path);
		at = strstr(at, schema.rows[i].help);
		if (!at || !strstr(at, key))
			fail_msg("%s", path);
	}
	buf_fini(&text);
}

static void the_documentation_lists_every_setting_as_the_code_has_it(void **state)
{
	struct buf docs = { 0 };

	(void)state;
	print_docs(&docs);
	assert_file_is_up_to_date("docs/config.md", buf_span(&docs));
	buf_append_byte(&docs, '\0');
	for (size_t i = 0; i < schema.count; i++) {
		char cell[80];

		snprintf(cell, sizeof(cell), "| `%s` |", schema.rows[i].path);
		assert_non_null(strstr(buf_span(&docs).ptr, cell));
	}
	buf_fini(&docs);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_printed_defaults_are_a_file_that_changes_nothing),
		cmocka_unit_test(every_setting_is_in_the_printed_defaults),
		cmocka_unit_test(the_documentation_lists_every_setting_as_the_code_has_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
