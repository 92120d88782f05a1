#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/check.h"
#include "spf/record_internal.h"

static void the_version_makes_a_record(void **state)
{
	static const struct {
		const char *text;
		bool is_one;
	} rows[] = {
		{ "v=spf1", true },
		{ "v=spf1 ", true },
		{ "V=sPf1 -all", true },
		{ "v=spf1 \x80", true },
		{ "v=spf10", false },
		{ "v=spf1\t-all", false },
		{ " v=spf1", false },
		{ "v=spf", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (spf_record_is_one(span_of_str(rows[i].text)) != rows[i].is_one)
			fail_msg("row %zu", i);
	}
}

/* Each with the term that is wrong; NULL: none. */
static void a_wrong_term_is_named(void **state)
{
	static const struct {
		const char *text, *term;
		unsigned number;
	} rows[] = {
		{ "v=spf1", NULL, 0 },
		{ "v=spf1   a  -all  ", NULL, 0 },
		{ "v=spf1 A:Example.COM/24//64 MX/0 ~iNcLuDe:a.b ?PTR -ALL", NULL, 0 },
		{ "v=spf1 ip4:192.0.2.1/0 ip6:2001:db8::/128 exists:%{i}.x.y all", NULL, 0 },
		{ "v=spf1 x=  _y", "_y", 2 },
		{ "v=spf1 a.b-c_1=%{d} REDIRECT=a.b EXP=%{d}", NULL, 0 },
		{ "v=spf1 redirect=a.b Redirect=a.b", "Redirect=a.b", 2 },
		{ "v=spf1 exp=a.b -all exp=a.b", "exp=a.b", 3 },
		{ "v=spf1 redirect= -all", "redirect=", 1 },
		{ "v=spf1 redirect:a.b", "redirect:a.b", 1 },
		{ "v=spf1 x=%x", "x=%x", 1 },
		{ "v=spf1 1up=x", "1up=x", 1 },
		{ "v=spf1 -x=y", "-x=y", 1 },
		{ "v=spf1 --all", "--all", 1 },
		{ "v=spf1 -", "-", 1 },
		{ "v=spf1 -all moo", "moo", 2 },
		{ "v=spf1 all:", "all:", 1 },
		{ "v=spf1 all/8", "all/8", 1 },
		{ "v=spf1 include", "include", 1 },
		{ "v=spf1 include:", "include:", 1 },
		{ "v=spf1 include:a.b/24", "include:a.b/24", 1 },
		{ "v=spf1 exists", "exists", 1 },
		{ "v=spf1 ptr/24", "ptr/24", 1 },
		{ "v=spf1 ptr:", "ptr:", 1 },
		{ "v=spf1 a:", "a:", 1 },
		{ "v=spf1 a:/24", "a:/24", 1 },
		{ "v=spf1 a/33", "a/33", 1 },
		{ "v=spf1 a/", "a/", 1 },
		{ "v=spf1 a/08", "a/08", 1 },
		{ "v=spf1 a//129", "a//129", 1 },
		{ "v=spf1 a/24/64", "a/24/64", 1 },
		{ "v=spf1 mx///24", "mx///24", 1 },
		{ "v=spf1 ip4", "ip4", 1 },
		{ "v=spf1 ip4:", "ip4:", 1 },
		{ "v=spf1 ip4:1.2.3", "ip4:1.2.3", 1 },
		{ "v=spf1 ip4:1.2.3.4.5", "ip4:1.2.3.4.5", 1 },
		{ "v=spf1 ip4:01.2.3.4", "ip4:01.2.3.4", 1 },
		{ "v=spf1 ip4:1.2.3.256", "ip4:1.2.3.256", 1 },
		{ "v=spf1 ip4:1.2.3.4/", "ip4:1.2.3.4/", 1 },
		{ "v=spf1 ip4:1.2.3.4/33", "ip4:1.2.3.4/33", 1 },
		{ "v=spf1 ip4:1.2.3.4//32", "ip4:1.2.3.4//32", 1 },
		{ "v=spf1 ip4:::1", "ip4:::1", 1 },
		{ "v=spf1 ip6:1.2.3.4", "ip6:1.2.3.4", 1 },
		{ "v=spf1 ip6:::1/129", "ip6:::1/129", 1 },
		{ "v=spf1 ip6:::1//64", "ip6:::1//64", 1 },
		{ "v=spf1 a\t-all", "a\t-all", 1 },
		{ "v=spf1 -all \xc3\xa9", "\xc3\xa9", 2 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct arena arena = { 0 };
		struct spf_record record;
		struct spf_record_problem problem = { 0 };
		/* From memory of exactly that length, so that a read past it shows. */
		size_t len = strlen(rows[i].text);
		char *copy = mem_dup(rows[i].text, len);

		if (spf_record_parse(span_of(copy, len), &arena, &record, &problem) == (rows[i].term != NULL))
			fail_msg("row %zu: %s", i, rows[i].text);
		if (rows[i].term) {
			assert_span_equal(problem.term, rows[i].term);
			assert_int_equal(problem.number, rows[i].number);
			assert_non_null(problem.what);
		}
		mem_free(copy);
		arena_fini(&arena);
	}
}

static void terms_are_understood(void **state)
{
	struct arena arena = { 0 };
	struct spf_record record;
	struct spf_record_problem problem;

	(void)state;
	assert_true(spf_record_parse(SPAN_LIT("v=spf1 exp=e.%{d} ~MX:a/b.example/24//96 ip6:2001:db8::/32 "
					      "redirect=r.example -ip4:192.0.2.0 ?all"),
		&arena, &record, &problem));
	assert_int_equal(record.count, 4);
	assert_int_equal(record.terms[0].mechanism, SPF_MECHANISM_MX);
	assert_int_equal(record.terms[0].qualifier, SPF_SOFTFAIL);
	assert_span_equal(record.terms[0].domain, "a/b.example");
	assert_int_equal(record.terms[0].prefix4, 24);
	assert_int_equal(record.terms[0].prefix6, 96);
	assert_int_equal(record.terms[0].number, 2);
	assert_int_equal(record.terms[1].mechanism, SPF_MECHANISM_IP6);
	assert_int_equal(record.terms[1].qualifier, SPF_PASS);
	assert_int_equal(record.terms[1].prefix6, 32);
	assert_memory_equal(record.terms[1].address, "\x20\x01\x0d\xb8", 4);
	assert_int_equal(record.terms[2].qualifier, SPF_FAIL);
	assert_int_equal(record.terms[2].prefix4, 32);
	assert_memory_equal(record.terms[2].address, "\xc0\x00\x02\x00", 4);
	assert_int_equal(record.terms[3].qualifier, SPF_NEUTRAL);
	assert_int_equal(record.terms[3].number, 6);
	assert_span_equal(record.redirect.domain, "r.example");
	assert_int_equal(record.redirect.number, 4);
	assert_span_equal(record.exp.text, "exp=e.%{d}");
	assert_false(spf_term_asks_dns(&record.terms[1]));
	assert_true(spf_term_asks_dns(&record.terms[0]));
	arena_fini(&arena);
}

static void assert_problem(struct span text, const char *what)
{
	struct arena arena = { 0 };
	struct spf_record record;
	struct spf_record_problem problem = { 0 };

	assert_int_equal(spf_record_parse(text, &arena, &record, &problem), what == NULL);
	if (what)
		assert_string_equal(problem.what, what);
	assert_int_equal(problem.number, 0);
	arena_fini(&arena);
}

static void a_record_is_bounded(void **state)
{
	struct buf text = { 0 };

	(void)state;
	buf_append_str(&text, "v=spf1");
	for (unsigned i = 0; i < SPF_TERM_COUNT_MAX; i++)
		buf_append_str(&text, " a");
	assert_problem(buf_span(&text), NULL);
	buf_append_str(&text, " a");
	assert_problem(buf_span(&text), "the record has too many terms");
	buf_truncate(&text, 6);
	while (buf_len(&text) < SPF_RECORD_LEN_MAX)
		buf_append_byte(&text, ' ');
	assert_problem(buf_span(&text), NULL);
	buf_append_byte(&text, ' ');
	assert_problem(buf_span(&text), "the record is too long");
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_version_makes_a_record),
		cmocka_unit_test(a_wrong_term_is_named),
		cmocka_unit_test(terms_are_understood),
		cmocka_unit_test(a_record_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
