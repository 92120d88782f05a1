#include "cmocka_all.h"

#include "skein/cluster/schema/suggest.h"

static void the_nearest_word_within_two_slips_is_meant(void **state)
{
	static const struct {
		const char *typed, *words[3], *meant; /* NULL: none */
	} rows[] = {
		{ "status", { "status", "statue" }, "status" },
		{ "staus", { "nodes", "status" }, "status" },
		{ "sstatus", { "status" }, "status" },
		{ "stotus", { "status" }, "status" },
		{ "sttaus", { "status" }, "status" },
		{ "SATTUS", { "status" }, "status" },
		{ "statsu", { "statue", "status" }, "status" },
		{ "sttu", { "status" }, "status" },
		{ "stu", { "status" }, NULL },
		{ "hold", { "show" }, NULL },
		{ "x", { "y" }, "y" },
		{ "", { "abc" }, NULL },
		{ "0123456789012345678901234567890123456789x", { "0123456789012345678901234567890123456789" },
			NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct suggestion suggestion = suggest_begin(span_of_str(rows[i].typed));

		for (size_t k = 0; k < ARRAY_LEN(rows[i].words) && rows[i].words[k]; k++)
			suggest_offer(&suggestion, span_of_str(rows[i].words[k]));
		if (!span_eq(suggestion.best, span_of_str(rows[i].meant)))
			fail_msg("\"%s\" suggests \"%.*s\"", rows[i].typed, SPAN_ARGS(suggestion.best));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_word_within_two_slips_is_meant),
	};

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
