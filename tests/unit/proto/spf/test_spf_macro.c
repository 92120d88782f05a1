#include "cmocka_all.h"

#include "skein/proto/base/check.h"
#include "skein/proto/spf/spf.h"
#include "spf/macro_internal.h"

/* The example of RFC 7208 7.4. */
static struct macro_values make_values(bool is_ipv6)
{
	static const uint8_t ipv6[16] = { 0x20, 0x01, 0x0d, 0xb8, [14] = 0xcb, [15] = 0x01 };
	static const uint8_t ipv4[4] = { 192, 0, 2, 3 };
	struct macro_values values = {
		.local = SPAN_LIT("strong-bad"),
		.sender_domain = SPAN_LIT("email.example.com"),
		.domain = SPAN_LIT("email.example.com"),
		.helo = SPAN_LIT("mx-a.example.org"),
		.validated = SPAN_LIT("mx.example.org"),
		.receiver = SPAN_LIT("mx.receiver.example"),
		.client_len = is_ipv6 ? 16 : 4,
		.now = 1700000000,
	};

	memcpy(values.client, is_ipv6 ? ipv6 : ipv4, values.client_len);
	return values;
}

static void macros_expand_as_the_examples_of_the_rfc(void **state)
{
	static const struct {
		const char *text, *wanted;
		bool is_ipv6;
	} rows[] = {
		{ "%{s}", "strong-bad@email.example.com", false },
		{ "%{o}", "email.example.com", false },
		{ "%{d}", "email.example.com", false },
		{ "%{d4}", "email.example.com", false },
		{ "%{d3}", "email.example.com", false },
		{ "%{d2}", "example.com", false },
		{ "%{d1}", "com", false },
		{ "%{dr}", "com.example.email", false },
		{ "%{d2r}", "example.email", false },
		{ "%{D2R}", "example.email", false },
		{ "%{l}", "strong-bad", false },
		{ "%{l-}", "strong.bad", false },
		{ "%{lr}", "strong-bad", false },
		{ "%{lr-}", "bad.strong", false },
		{ "%{l1r-}", "strong", false },
		{ "%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com", false },
		{ "%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com", false },
		{ "%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com",
			false },
		{ "%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net", false },
		{ "%{ir}.%{v}._spf.%{d2}",
			"1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example."
			"com",
			true },
		{ "%{h}.", "mx-a.example.org", false },
		{ "%{p}", "mx.example.org", false },
		{ "%{S}", "strong-bad%40email.example.com", false },
		{ "a%%b%_c%-d", "a%b c%20d", false },
		{ "%{d99999999999999999999}", "email.example.com", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct macro_values values = make_values(rows[i].is_ipv6);
		struct buf name = { 0 };

		macro_expand_name(span_of_str(rows[i].text), &values, &name);
		assert_span_equal(buf_span(&name), rows[i].wanted);
		buf_fini(&name);
	}
}

static void explanations_know_more_letters(void **state)
{
	struct macro_values values = make_values(true);
	struct buf text = { 0 };

	(void)state;
	macro_expand_text(SPAN_LIT("%{c} by %{r} at %{t}."), &values, 400, &text);
	assert_span_equal(buf_span(&text), "2001:db8::cb01 by mx.receiver.example at 1700000000.");
	buf_fini(&text);
}

static void an_explanation_is_cut_and_printable(void **state)
{
	struct macro_values values = make_values(false);
	struct buf text = { 0 };

	(void)state;
	values.local = SPAN_LIT("a\r\n\xc3\xa9");
	macro_expand_text(SPAN_LIT("<%{l}>"), &values, 400, &text);
	assert_span_equal(buf_span(&text), "<a\?\?\?\?>");
	buf_clear(&text);
	macro_expand_text(SPAN_LIT("%{d}%{d}%{d} and more"), &values, 20, &text);
	assert_span_equal(buf_span(&text), "email.example.comema");
	buf_fini(&text);
}

static void a_name_loses_labels_on_the_left(void **state)
{
	struct macro_values values = make_values(false);
	struct buf text = { 0 }, name = { 0 };

	(void)state;
	for (unsigned i = 0; i < 40; i++)
		buf_append_str(&text, "%{d}.");
	buf_append_str(&text, "example.net.");
	macro_expand_name(buf_span(&text), &values, &name);
	/* 13 times email.example.com and dots is 234, of the one before only "com." has room. */
	assert_int_equal(buf_len(&name), 13 * 18 + 11 + 4);
	assert_true(span_starts_with(buf_span(&name), SPAN_LIT("com.email.example.com.")));
	buf_fini(&name);
	buf_fini(&text);
}

static void syntax_is_checked_by_use(void **state)
{
	static const struct {
		const char *text;
		bool in_domain, in_modifier, in_explanation;
	} rows[] = {
		{ "example.com", true, true, true },
		{ "example.com.", true, true, true },
		{ "a.b.%{d}", true, true, true },
		{ "%{d}", true, true, true },
		{ "%{l1r+-}", true, true, true },
		{ "a.xn--zckzah", true, true, true },
		{ "", false, true, true },
		{ "com", false, true, true },
		{ "com.", false, true, true },
		{ ".com", true, true, true },
		{ "a.123", false, true, true },
		{ "a.-b", false, true, true },
		{ "a.b-", false, true, true },
		{ "a..", false, true, true },
		{ "%{d}.b_c", false, true, true },
		{ "%{c}.a.com", false, true, true },
		{ "%{R}.a.com", false, true, true },
		{ "%{t}.a.com", false, true, true },
		{ "see a.com", false, false, true },
		{ "a\tb.com", false, false, false },
		{ "\xc3\xa9.com", false, false, false },
		{ "%", false, false, false },
		{ "%a.com", false, false, false },
		{ "%{", false, false, false },
		{ "%{}", false, false, false },
		{ "%{x}", false, false, false },
		{ "%{d", false, false, false },
		{ "%{d0}", false, false, false },
		{ "%{d00}", false, false, false },
		{ "%{dr2}", false, false, false },
		{ "%{d!}", false, false, false },
		{ "%{d.r}", false, false, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span text = span_of_str(rows[i].text);

		if ((macro_check(text, MACRO_DOMAIN) == NULL) != rows[i].in_domain ||
			(macro_check(text, MACRO_MODIFIER) == NULL) != rows[i].in_modifier ||
			(macro_check(text, MACRO_EXPLANATION) == NULL) != rows[i].in_explanation)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
}

static void letters_are_found(void **state)
{
	(void)state;
	assert_true(macro_uses(SPAN_LIT("a.%{P2}.b"), 'p'));
	assert_false(macro_uses(SPAN_LIT("p.%{d}%%{p}"), 'p'));
	assert_false(macro_uses(SPAN_LIT(""), 'p'));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(macros_expand_as_the_examples_of_the_rfc),
		cmocka_unit_test(explanations_know_more_letters),
		cmocka_unit_test(an_explanation_is_cut_and_printable),
		cmocka_unit_test(a_name_loses_labels_on_the_left),
		cmocka_unit_test(syntax_is_checked_by_use),
		cmocka_unit_test(letters_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
