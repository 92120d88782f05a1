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

static void a_key_is_looked_for_where_it_stands_first(void **state)
{
	static const struct setting_row setting_rows[] = {
		{ .path = "auth.password" },
		{ .path = "redis.passwords" },
		{ .path = "redis.address_file" },
		{ .path = "redis.tls.address" },
		{ .path = "address" },
	};
	static const struct setting_table table = { .rows = setting_rows, .count = ARRAY_LEN(setting_rows) };
	static const struct {
		const char *prefix, *key, *meant;
	} rows[] = {
		{ "redis.", "password", "passwords" },
		{ "redis.", "address", "address_file" },
		{ "redis.", "add", NULL },
		{ "", "password", "auth.password" },
	};

	struct buf all = { 0 };

	(void)state;
	assert_true(suggest_all(&table, SPAN_LIT("redis."), &all));
	assert_true(span_eq(buf_span(&all), SPAN_LIT("passwords, address_file, tls")));
	buf_clear(&all);
	assert_true(suggest_all(&table, SPAN_LIT(""), &all));
	assert_true(span_eq(buf_span(&all), SPAN_LIT("auth, redis, address")));
	buf_fini(&all);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span best = suggest_key(&table, span_of_str(rows[i].prefix), span_of_str(rows[i].key));

		if (!span_eq(best, span_of_str(rows[i].meant)))
			fail_msg("\"%s%s\" suggests \"%.*s\"", rows[i].prefix, rows[i].key, SPAN_ARGS(best));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_word_within_two_slips_is_meant),
		cmocka_unit_test(a_key_is_looked_for_where_it_stands_first),
	};

	return cmocka_run_group_tests_name("suggest", tests, NULL, NULL);
}
