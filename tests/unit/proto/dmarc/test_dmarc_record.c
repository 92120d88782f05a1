#include "cmocka_all.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/dmarc/record.h"

#include <stdio.h>

/* Of memory of exactly that length, so that a read past it shows. */
static bool parse(const char *text, struct dmarc_record *record, char **copy)
{
	size_t len = strlen(text);

	*copy = mem_dup(text, len);
	return dmarc_record_parse(span_of(*copy, len), record);
}

static void every_tag_is_read(void **state)
{
	struct dmarc_record record;
	char *copy;

	(void)state;
	assert_true(parse("v=DMARC1; p=reject; sp=quarantine; adkim=s; aspf=S; pct=25; ri=3600; fo=1:d:s; "
			  "rf=afrf; rua=mailto:a@example.org!10m, mailto:b@example.net; ruf=mailto:c@d",
		&record, &copy));
	assert_int_equal(record.problem_count, 0);
	assert_int_equal(record.policy, DMARC_POLICY_REJECT);
	assert_int_equal(record.subdomain_policy, DMARC_POLICY_QUARANTINE);
	assert_int_equal(record.dkim_alignment, DMARC_STRICT);
	assert_int_equal(record.spf_alignment, DMARC_STRICT);
	assert_int_equal(record.percent, 25);
	assert_int_equal(record.report_interval_s, 3600);
	assert_int_equal(record.failures, DMARC_FAILURE_ANY | DMARC_FAILURE_DKIM | DMARC_FAILURE_SPF);
	assert_span_equal(record.reports, "mailto:a@example.org!10m, mailto:b@example.net");
	assert_span_equal(record.failure_reports, "mailto:c@d");
	mem_free(copy);
}

static void what_is_not_said_has_its_default(void **state)
{
	struct dmarc_record record;
	char *copy;

	(void)state;
	assert_true(parse("v=DMARC1;p=quarantine", &record, &copy));
	assert_int_equal(record.problem_count, 0);
	assert_int_equal(record.subdomain_policy, DMARC_POLICY_QUARANTINE);
	assert_int_equal(record.dkim_alignment, DMARC_RELAXED);
	assert_int_equal(record.spf_alignment, DMARC_RELAXED);
	assert_int_equal(record.percent, 100);
	assert_int_equal(record.report_interval_s, 86400);
	assert_int_equal(record.failures, DMARC_FAILURE_ALL);
	assert_int_equal(record.reports.len, 0);
	mem_free(copy);
}

/* `tag`: of the first problem; NULL: there is none. */
static void a_wrong_tag_is_named(void **state)
{
	static const struct {
		const char *text;
		bool is_policy;
		const char *tag;
	} rows[] = {
		{ "v=DMARC1; p=none", true, NULL },
		{ "v=DMARC1; p=none;", true, NULL },
		{ " v = DMARC1 ; p = None ; ", true, NULL },
		{ "V=DMARC1; P=reject; ADKIM=R", true, NULL },
		{ "v=DMARC1", false, "" },
		{ "v=DMARC1;", false, "" },
		{ "", false, "" },
		{ "p=none; v=DMARC1", false, "" },
		{ "v=dmarc1; p=none", false, "" },
		{ "v=DMARC1; p", false, "p" },
		{ "v=DMARC1; ; p=none", false, "" },
		{ "v=DMARC1; =x; p=none", false, "=x" },
		{ "v=DMARC1; p=none; p=reject", false, "p=reject" },
		{ "v=DMARC1; p=none; v=DMARC1", false, "v=DMARC1" },
		{ "v=DMARC1; p=monitor", false, "p=monitor" },
		{ "v=DMARC1; p=monitor; rua=mailto:a@b", true, "p=monitor" },
		{ "v=DMARC1; p=monitor; rua=b", false, "p=monitor" },
		{ "v=DMARC1; rua=mailto:a@b", true, "" },
		{ "v=DMARC1; p=reject; sp=all", false, "sp=all" },
		{ "v=DMARC1; p=reject; sp=all; rua=mailto:a@b", true, "sp=all" },
		{ "v=DMARC1; adkim=s; p=reject", true, "p=reject" },
		{ "v=DMARC1; p=reject; adkim=strict", true, "adkim=strict" },
		{ "v=DMARC1; p=reject; aspf=", true, "aspf=" },
		{ "v=DMARC1; p=reject; pct=101", true, "pct=101" },
		{ "v=DMARC1; p=reject; pct=-1", true, "pct=-1" },
		{ "v=DMARC1; p=reject; pct=0100", true, "pct=0100" },
		{ "v=DMARC1; p=reject; ri=1d", true, "ri=1d" },
		{ "v=DMARC1; p=reject; ri=4294967296", true, "ri=4294967296" },
		{ "v=DMARC1; p=reject; fo=", true, "fo=" },
		{ "v=DMARC1; p=reject; fo=2", true, "fo=2" },
		{ "v=DMARC1; p=reject; fo=1::d", true, "fo=1::d" },
		{ "v=DMARC1; p=reject; rf=iodef", true, "rf=iodef" },
		{ "v=DMARC1; p=reject; rua=", true, "rua=" },
		{ "v=DMARC1; p=reject; rua=postmaster@a.b", true, "rua=postmaster@a.b" },
		{ "v=DMARC1; p=reject; rua=mailto:a@b!10x", true, "rua=mailto:a@b!10x" },
		{ "v=DMARC1; p=reject; ruf=mailto:a@b,", true, NULL },
		{ "v=DMARC1; p=reject; ruf=mailto:a@b,,mailto:c@d", true, "ruf=mailto:a@b,,mailto:c@d" },
		{ "v=DMARC1; p=reject; policy=x", true, "policy=x" },
		{ "v=DMARC1; p=reject; \xff=\x01", true, "\xff=\x01" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dmarc_record record;
		char *copy;

		if (parse(rows[i].text, &record, &copy) != rows[i].is_policy)
			fail_msg("row %zu: %s", i, rows[i].text);
		if ((record.problem_count > 0) != (rows[i].tag != NULL))
			fail_msg("row %zu: %s: %zu problems", i, rows[i].text, record.problem_count);
		if (rows[i].tag) {
			assert_span_equal(record.problems[0].tag, rows[i].tag);
			assert_true(record.problems[0].what[0]);
		}
		mem_free(copy);
	}
}

/* RFC 7489 6.6.3: who cannot be understood and wants to hear of it is treated as p=none. */
static void a_bad_policy_with_reports_is_none(void **state)
{
	struct dmarc_record record;
	char *copy;

	(void)state;
	assert_true(parse("v=DMARC1; p=reject; sp=all; rua=mailto:a@b", &record, &copy));
	assert_int_equal(record.policy, DMARC_POLICY_NONE);
	assert_int_equal(record.subdomain_policy, DMARC_POLICY_NONE);
	mem_free(copy);
}

static void bounds_are_kept(void **state)
{
	static char text[DMARC_RECORD_LEN_MAX + 2];
	struct dmarc_record record;
	size_t len = 0;

	(void)state;
	memset(text, ' ', sizeof(text));
	memcpy(text, "v=DMARC1;p=none", 15);
	assert_true(dmarc_record_parse(span_of(text, DMARC_RECORD_LEN_MAX), &record));
	assert_false(dmarc_record_parse(span_of(text, DMARC_RECORD_LEN_MAX + 1), &record));
	len = 15;
	for (int i = 0; i < DMARC_TAGS_MAX - 1; i++)
		len += (size_t)snprintf(text + len, sizeof(text) - len, ";x%d=y", i);
	assert_false(dmarc_record_parse(span_of(text, len), &record));
	assert_int_equal(record.problem_count, DMARC_PROBLEMS_MAX);
}

static void addresses_of_reports_are_cut(void **state)
{
	struct span list =
		SPAN_LIT(" mailto:a@b.example!2k , https://x.example/y,mailto:nobody,mailto:c@d?s=e");
	struct dmarc_uri uri;

	(void)state;
	assert_true(dmarc_uri_next(&list, &uri));
	assert_true(uri.is_valid);
	assert_span_equal(uri.text, "mailto:a@b.example");
	assert_span_equal(uri.host, "b.example");
	assert_int_equal(uri.size_max, 2048);
	assert_true(dmarc_uri_next(&list, &uri));
	assert_true(uri.is_valid);
	assert_span_equal(uri.host, "");
	assert_int_equal(uri.size_max, 0);
	assert_true(dmarc_uri_next(&list, &uri));
	assert_false(uri.is_valid);
	assert_true(dmarc_uri_next(&list, &uri));
	assert_true(uri.is_valid);
	assert_span_equal(uri.host, "d");
	assert_false(dmarc_uri_next(&list, &uri));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_tag_is_read),
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(a_wrong_tag_is_named),
		cmocka_unit_test(a_bad_policy_with_reports_is_none),
		cmocka_unit_test(bounds_are_kept),
		cmocka_unit_test(addresses_of_reports_are_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
