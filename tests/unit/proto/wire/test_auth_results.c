#include "cmocka_all.h"

#include "skein/proto/wire/auth_results.h"

#include <stdio.h>

#define HOST SPAN_LIT("mx.example.org")

static bool is_ours(struct span field)
{
	size_t colon = span_find(field, ':');

	return auth_results_is_of(
		span_take(field, colon), span_drop(field, colon < field.len ? colon + 1 : colon), HOST);
}

static void assert_written(const struct auth_resinfo *results, size_t count, const char *wanted)
{
	struct buf out = { 0 };

	auth_results_append(&out, HOST, results, count);
	assert_span_equal(buf_span(&out), wanted);
	assert_true(is_ours(buf_span(&out)));
	buf_fini(&out);
}

static void a_field_is_written_and_folded(void **state)
{
	static const struct auth_property spf[] = { { "smtp.mailfrom", SPAN_LIT("alice@example.com") } };
	static const struct auth_property dkim[] = { { "header.d", SPAN_LIT("example.com") },
		{ "header.i", SPAN_LIT("@example.com") }, { "header.s", SPAN_LIT("s1") },
		{ "header.b", SPAN_LIT("Ab/dE+gh") } };
	static const struct auth_property dmarc[] = { { "header.from", SPAN_LIT("example.com") },
		{ "policy.dmarc", SPAN_LIT("") } };
	static const struct auth_resinfo results[] = {
		{ "spf", "pass", { 0 }, { 0 }, spf, 1 },
		{ "dkim", "fail", { 0 }, SPAN_LIT("the body is not what was signed"), dkim, 4 },
		{ "dmarc", "pass", SPAN_LIT("p=reject"), { 0 }, dmarc, 2 },
	};

	(void)state;
	assert_written(NULL, 0, "Authentication-Results: mx.example.org; none\r\n");
	assert_written(results, 1,
		"Authentication-Results: mx.example.org;\r\n"
		" spf=pass smtp.mailfrom=alice@example.com\r\n");
	assert_written(results, 3,
		"Authentication-Results: mx.example.org;\r\n"
		" spf=pass smtp.mailfrom=alice@example.com;\r\n"
		" dkim=fail reason=\"the body is not what was signed\" header.d=example.com\r\n"
		" header.i=@example.com header.s=s1 header.b=\"Ab/dE+gh\";\r\n"
		" dmarc=pass (p=reject) header.from=example.com\r\n");
}

static void values_cannot_break_out(void **state)
{
	static const struct {
		const char *value, *wanted;
	} rows[] = {
		{ "a.b+c=d@sub-1.example.com", "a.b+c=d@sub-1.example.com" },
		{ "@example.com", "@example.com" },
		{ "plain", "plain" },
		{ "a b@example.com", "\"a b@example.com\"" },
		{ "a@example.com; dkim=pass", "\"a@example.com; dkim=pass\"" },
		{ "a\"; dkim=pass header.d=b", "\"a\\\"; dkim=pass header.d=b\"" },
		{ "a\\", "\"a\\\\\"" },
		{ "a\r\nX: y", "\"a??X: y\"" },
		{ "(a", "\"(a\"" },
		{ "a@b@c", "\"a@b@c\"" },
		{ "a@", "\"a@\"" },
		{ "a@[192.0.2.1]", "\"a@[192.0.2.1]\"" },
		{ "\"a b\"@example.com", "\"\\\"a b\\\"@example.com\"" },
		{ "\xc3\xa4@example.com", "\"??@example.com\"" },
		{ "a\tb\x7f", "\"a?b?\"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct auth_property property = { "smtp.mailfrom", span_of_str(rows[i].value) };
		struct auth_resinfo result = { "spf", "none", { 0 }, { 0 }, &property, 1 };
		char wanted[200];

		snprintf(wanted, sizeof(wanted),
			"Authentication-Results: mx.example.org;\r\n spf=none smtp.mailfrom=%s\r\n",
			rows[i].wanted);
		assert_written(&result, 1, wanted);
	}
}

static void comments_and_reasons_are_closed(void **state)
{
	static const struct auth_resinfo result = { "spf", "permerror", SPAN_LIT("a) \"(b\\\xff"),
		SPAN_LIT("\"x\"\n  y;"), NULL, 0 };

	(void)state;
	assert_written(&result, 1,
		"Authentication-Results: mx.example.org;\r\n"
		" spf=permerror (a\\) \\\"\\(b\\\\?) reason=\"\\\"x\\\"?  y;\"\r\n");
}

/* Unfolded it is one line again, and no line is too long but for a long word: what stands in quotes is one.
 */
static void lines_are_folded_at_spaces(void **state)
{
	char comment[300], wide[AUTH_RESULTS_VALUE_MAX + 1] = { 0 };
	struct auth_property properties[] = { { "a.long", span_of(wide, AUTH_RESULTS_VALUE_MAX) },
		{ "a.longer", span_of(wide, AUTH_RESULTS_VALUE_MAX + 1) },
		{ "a.quoted",
			SPAN_LIT("a b; \\\" c=d e f g h i j k l m n o p q r s t u v w x y z 1 2 3 4 5") } };
	struct auth_resinfo result = { "spf", "none", span_of(comment, sizeof(comment)),
		span_of(wide, sizeof(wide)), properties, 3 };
	struct buf out = { 0 };
	size_t lines = 0;

	(void)state;
	memset(wide, 'w', sizeof(wide));
	for (size_t i = 0; i < sizeof(comment); i++)
		comment[i] = i % 7 < 2 ? ' ' : 'c';
	auth_results_append(&out, HOST, &result, 1);
	for (struct span rest = buf_span(&out); rest.len; lines++) {
		struct span line = span_take(rest, span_find(rest, '\r'));

		assert_true(line.len <= AUTH_RESULTS_WIDTH || span_starts_with(line, SPAN_LIT(" a.long=")) ||
			    span_starts_with(line, SPAN_LIT(" a.quoted=\"a b")) ||
			    span_starts_with(line, SPAN_LIT(" reason=")));
		assert_true(span_trim(line).len > 0);
		rest = span_drop(rest, line.len + 2);
		assert_true(!rest.len || rest.ptr[0] == ' ');
	}
	assert_true(lines > 6);
	assert_true(buf_len(&out) < 800 + AUTH_RESULTS_VALUE_MAX);
	buf_fini(&out);
}

static void fields_in_our_name_are_recognised(void **state)
{
	static const struct {
		const char *field;
		bool is_ours;
	} rows[] = {
		{ "Authentication-Results: mx.example.org; none\r\n", true },
		{ "AUTHENTICATION-results:MX.EXAMPLE.ORG;spf=pass\r\n", true },
		{ "Authentication-Results : mx.example.org\r\n", true },
		{ "Authentication-Results:\r\n\tmx.example.org 1;\r\n\tspf=pass\r\n", true },
		{ "Authentication-Results: mx.example.org 99; spf=pass\r\n", true },
		{ "Authentication-Results: mx.example.org. ; spf=pass\r\n", true },
		{ "Authentication-Results: (a (nested\\)) comment)\r\n (b)mx.example.org(c); none\r\n",
			true },
		{ "Authentication-Results: \"mx.example.org\"; none\r\n", true },
		{ "Authentication-Results: \"\\mx.exampl\\e.org.\"; none\r\n", true },
		{ "Authentication-Results: \" mx.example.org \"; none\r\n", true },
		{ "Authentication-Results: \"mx.example.org", true },
		{ "Authentication-Results: mx.example.org", true },
		{ "Authentication-Results: mx.example.org, other.example; none\r\n", true },
		{ "Authentication-Results: mx.example.org/2; none\r\n", true },
		{ "Authentication-Results: mx.example.org.evil.example; none\r\n", false },
		{ "Authentication-Results: mx.example.orgy; none\r\n", false },
		{ "Authentication-Results: \"mx.example.orgy\"; none\r\n", false },
		{ "Authentication-Results: a.mx.example.org; none\r\n", false },
		{ "Authentication-Results: other.example (mx.example.org); none\r\n", false },
		{ "Authentication-Results: (mx.example.org); none\r\n", false },
		{ "Authentication-Results: (open mx.example.org\\", false },
		{ "Authentication-Results: ; none\r\n", false },
		{ "Authentication-Results:", false },
		{ "Authentication-Results", false },
		{ "ARC-Authentication-Results: mx.example.org; none\r\n", false },
		{ "X-Authentication-Results: mx.example.org; none\r\n", false },
		{ "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (is_ours(span_of_str(rows[i].field)) != rows[i].is_ours)
			fail_msg("row %zu: %s", i, rows[i].field);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_field_is_written_and_folded),
		cmocka_unit_test(values_cannot_break_out),
		cmocka_unit_test(comments_and_reasons_are_closed),
		cmocka_unit_test(lines_are_folded_at_spaces),
		cmocka_unit_test(fields_in_our_name_are_recognised),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
