#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/wire/mta_sts.h"

/* `id` NULL: it is wrong. */
static void records_are_read(void **state)
{
	static const struct {
		const char *text, *id;
		bool is_one;
	} rows[] = {
		{ "v=STSv1; id=20160831085700Z;", "20160831085700Z", true },
		{ "v=STSv1;id=1", "1", true },
		{ "v = STSv1 ; x=y; id = a1 ; ", "a1", true },
		{ "v=STSv1; id=12345678901234567890123456789012", "12345678901234567890123456789012", true },
		{ "v=STSv1; id=123456789012345678901234567890123", NULL, true },
		{ "v=STSv1; id=", NULL, true },
		{ "v=STSv1; id=2016-08", NULL, true },
		{ "v=STSv1; id=1; id=2", NULL, true },
		{ "v=STSv1; ID=1", NULL, true },
		{ "v=STSv1", NULL, true },
		{ "v=STSv1; id", NULL, true },
		{ "v=STSv2; id=1", NULL, false },
		{ "v=stsv1; id=1", NULL, false },
		{ "id=1; v=STSv1", NULL, false },
		{ "", NULL, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span text = span_of_str(rows[i].text), id = { 0 };
		const char *wrong = mta_sts_record_parse(text, &id);

		if (mta_sts_record_is_one(text) != rows[i].is_one || (wrong == NULL) != (rows[i].id != NULL))
			fail_msg("row %zu: %s: %s", i, rows[i].text, wrong ? wrong : "good");
		if (rows[i].id)
			assert_span_equal(id, rows[i].id);
	}
}

static void a_policy_is_read(void **state)
{
	struct arena arena = { 0 };
	struct mta_sts_policy policy;
	struct mta_sts_problem problem;

	(void)state;
	assert_true(
		mta_sts_policy_parse(SPAN_LIT("version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\n"
					      "mx:*.Example.net\r\nnew: thing\r\n\r\nmax_age: 604800"),
			&arena, &policy, &problem));
	assert_int_equal(policy.mode, MTA_STS_ENFORCE);
	assert_int_equal(policy.max_age_s, 604800);
	assert_int_equal(policy.pattern_count, 2);
	assert_span_equal(policy.patterns[0], "mail.example.com");
	assert_span_equal(policy.patterns[1], "*.Example.net");
	assert_true(mta_sts_policy_parse(
		SPAN_LIT("max_age: 99999999\nmode: none\nmode: enforce\nversion: STSv1\n"), &arena, &policy,
		&problem));
	assert_int_equal(policy.mode, MTA_STS_NONE);
	assert_int_equal(policy.max_age_s, MTA_STS_AGE_MAX_S);
	assert_int_equal(policy.pattern_count, 0);
	arena_fini(&arena);
}

static void a_wrong_line_is_named(void **state)
{
	static const struct {
		const char *text;
		unsigned line;
	} rows[] = {
		{ "", 0 },
		{ "version: STSv1\nmode: enforce\nmax_age: 1\n", 0 },
		{ "version: STSv1\nmode: enforce\nmx: a.b\n", 0 },
		{ "version: STSv1\nmx: a.b\nmax_age: 1\n", 0 },
		{ "mode: enforce\nmx: a.b\nmax_age: 1\n", 0 },
		{ "version: STSv2\n", 1 },
		{ "version: STSv1\nmode: Enforce\n", 2 },
		{ "version: STSv1\nmode\n", 2 },
		{ "version: STSv1\n: x\n", 2 },
		{ "version: STSv1\nmax_age: 1d\n", 2 },
		{ "version: STSv1\nmax_age: -1\n", 2 },
		{ "version: STSv1\nmax_age: 99999999999\n", 2 },
		{ "version: STSv1\nmode: none\nmx: *\n", 3 },
		{ "version: STSv1\nmode: none\nmx: *.*.b\n", 3 },
		{ "version: STSv1\nmode: none\nmx: a.*.b\n", 3 },
		{ "version: STSv1\nmode: none\nmx: a..b\n", 3 },
		{ "version: STSv1\nmode: none\nmx: a.b.\n", 3 },
		{ "version: STSv1\nmode: none\nmx:\n", 3 },
		{ "<html>\n", 1 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct mta_sts_policy policy;
		struct mta_sts_problem problem;
		/* From memory of exactly that length, so that a read past it shows. */
		size_t len = strlen(rows[i].text);
		char *copy = mem_dup(rows[i].text, len);

		if (mta_sts_policy_parse(span_of(copy, len), &arena, &policy, &problem) || !problem.what ||
			problem.line != rows[i].line)
			fail_msg("row %zu: line %u: %s", i, problem.line, problem.what);
		mem_free(copy);
		arena_fini(&arena);
	}
}

static void a_policy_has_bounds(void **state)
{
	struct buf text = { 0 };
	struct arena arena = { 0 };
	struct mta_sts_policy policy;
	struct mta_sts_problem problem;

	(void)state;
	buf_append_str(&text, "version: STSv1\nmode: enforce\nmax_age: 1\n");
	for (int i = 0; i < MTA_STS_PATTERNS_MAX; i++)
		buf_printf(&text, "mx: m%d.example\n", i);
	assert_true(mta_sts_policy_parse(buf_span(&text), &arena, &policy, &problem));
	assert_int_equal(policy.pattern_count, MTA_STS_PATTERNS_MAX);
	buf_append_str(&text, "mx: a.example\n");
	assert_false(mta_sts_policy_parse(buf_span(&text), &arena, &policy, &problem));
	buf_clear(&text);
	while (buf_len(&text) <= MTA_STS_POLICY_LEN_MAX)
		buf_append_str(&text, "version: STSv1\n");
	assert_false(mta_sts_policy_parse(buf_span(&text), &arena, &policy, &problem));
	assert_int_equal(problem.line, 0);
	arena_fini(&arena);
	buf_fini(&text);
}

static void a_star_is_one_label(void **state)
{
	static const struct {
		const char *pattern, *host;
		bool matches;
	} rows[] = {
		{ "mail.example.org", "MAIL.example.org.", true },
		{ "mail.example.org", "mail2.example.org", false },
		{ "mail.example.org", "a.mail.example.org", false },
		{ "*.example.org", "a.example.org", true },
		{ "*.Example.org", "a.example.ORG.", true },
		{ "*.example.org", "a.b.example.org", false },
		{ "*.example.org", "example.org", false },
		{ "*.example.org", ".example.org", false },
		{ "*.example.org", "aexample.org", false },
		{ "example.org", "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span pattern = span_of_str(rows[i].pattern);
		struct mta_sts_policy policy = { MTA_STS_ENFORCE, 1, &pattern, 1 };

		if (mta_sts_policy_has(&policy, span_of_str(rows[i].host)) != rows[i].matches)
			fail_msg("row %zu", i);
	}
}

static void a_policy_is_fetched_again_in_time(void **state)
{
	static const struct {
		uint64_t now_s;
		const char *id;
		enum mta_sts_freshness freshness;
	} rows[] = {
		{ 1000, "a", MTA_STS_FRESH },
		{ 900, "a", MTA_STS_FRESH },
		{ 1049, "a", MTA_STS_FRESH },
		{ 1050, "a", MTA_STS_REFRESH },
		{ 1000, "b", MTA_STS_REFRESH },
		{ 1000, "", MTA_STS_FRESH },
		{ 1099, "", MTA_STS_REFRESH },
		{ 1100, "a", MTA_STS_EXPIRED },
		{ UINT64_MAX, "b", MTA_STS_EXPIRED },
	};
	struct mta_sts_kept kept = { 1000, 100, SPAN_LIT("a") };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (mta_sts_freshness(&kept, span_of_str(rows[i].id), rows[i].now_s) != rows[i].freshness)
			fail_msg("row %zu", i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(records_are_read),
		cmocka_unit_test(a_policy_is_read),
		cmocka_unit_test(a_wrong_line_is_named),
		cmocka_unit_test(a_policy_has_bounds),
		cmocka_unit_test(a_star_is_one_label),
		cmocka_unit_test(a_policy_is_fetched_again_in_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
