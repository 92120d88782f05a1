#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/base/check.h"
#include "skein/proto/base/utf8.h"
#include "skein/proto/smtp/address.h"

static void paths_give_their_parts(void **state)
{
	static const struct {
		const char *path, *text, *local, *domain, *rest;
		enum smtp_address_kind kind;
		enum smtp_domain_kind domain_kind;
		bool has_utf8;
	} rows[] = {
		{ "<a@b.example>", "a@b.example", "a", "b.example", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<a@b> SIZE=1", "a@b", "a", "b", " SIZE=1", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<a@b>SIZE=1", "a@b", "a", "b", "SIZE=1", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<>", "", "", "", "", .kind = SMTP_ADDRESS_NULL },
		{ "<PostMaster>", "PostMaster", "PostMaster", "", "", .kind = SMTP_ADDRESS_POSTMASTER },
		{ "<postmaster@b>", "postmaster@b", "postmaster", "b", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<@one,@two.example:a@b>", "a@b", "a", "b", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<@[10.0.0.1]:a@b>", "a@b", "a", "b", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "a@b.example SIZE=1", "a@b.example", "a", "b.example", " SIZE=1",
			.kind = SMTP_ADDRESS_MAILBOX },
		{ "<!#$%&'*+-/=?^_`{|}~.x@b>", "!#$%&'*+-/=?^_`{|}~.x@b", "!#$%&'*+-/=?^_`{|}~.x", "b", "",
			.kind = SMTP_ADDRESS_MAILBOX },
		{ "<\"a b\"@c>", "\"a b\"@c", "\"a b\"", "c", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<\"a>b\\\"@\\\\\"@c>", "\"a>b\\\"@\\\\\"@c", "\"a>b\\\"@\\\\\"", "c", "",
			.kind = SMTP_ADDRESS_MAILBOX },
		{ "<\"\"@c>", "\"\"@c", "\"\"", "c", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<a@my_host>", "a@my_host", "a", "my_host", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<a@1.2.3.4>", "a@1.2.3.4", "a", "1.2.3.4", "", .kind = SMTP_ADDRESS_MAILBOX },
		{ "<a@[192.0.2.1]>", "a@[192.0.2.1]", "a", "[192.0.2.1]", "", .kind = SMTP_ADDRESS_MAILBOX,
			.domain_kind = SMTP_DOMAIN_IPV4 },
		{ "<a@[IPv6:2001:db8::1]>", "a@[IPv6:2001:db8::1]", "a", "[IPv6:2001:db8::1]", "",
			.kind = SMTP_ADDRESS_MAILBOX, .domain_kind = SMTP_DOMAIN_IPV6 },
		{ "<a@[ipv6:::ffff:192.0.2.1]>", "a@[ipv6:::ffff:192.0.2.1]", "a", "[ipv6:::ffff:192.0.2.1]",
			"", .kind = SMTP_ADDRESS_MAILBOX, .domain_kind = SMTP_DOMAIN_IPV6 },
		{ "<j\xc3\xbcrgen@b\xc3\xbc.example>", "j\xc3\xbcrgen@b\xc3\xbc.example", "j\xc3\xbcrgen",
			"b\xc3\xbc.example", "", .kind = SMTP_ADDRESS_MAILBOX,
			.domain_kind = SMTP_DOMAIN_NAME, .has_utf8 = true },
		{ "<\"\xe2\x82\xac x\"@b>", "\"\xe2\x82\xac x\"@b", "\"\xe2\x82\xac x\"", "b", "",
			.kind = SMTP_ADDRESS_MAILBOX, .domain_kind = SMTP_DOMAIN_NAME, .has_utf8 = true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span rest = span_of_str(rows[i].path);
		struct smtp_address address;

		if (!smtp_path_take(&rest, &address))
			fail_msg("%s was refused", rows[i].path);
		assert_span_equal(address.text, rows[i].text);
		assert_span_equal(address.local, rows[i].local);
		assert_span_equal(address.domain, rows[i].domain);
		assert_span_equal(rest, rows[i].rest);
		assert_int_equal(address.kind, rows[i].kind);
		assert_int_equal(address.domain_kind, rows[i].domain_kind);
		assert_int_equal(address.has_utf8, rows[i].has_utf8);
	}
}

static void what_is_no_path_is_refused(void **state)
{
	static const char *const rows[] = {
		"",
		" ",
		"<",
		"<a@b",
		"a@b>",
		"<a>",
		"a",
		"postmaster",
		"<@b>",
		"<a@>",
		"<a@@b>",
		"<a@b@c>",
		"< a@b>",
		"<a@b >",
		"<a b@c>",
		"<.a@b>",
		"<a.@b>",
		"<a..b@c>",
		"<a@.b>",
		"<a@b.>",
		"<a@b..c>",
		"<a@-b>",
		"<a@b->",
		"<a@b-.c>",
		"<a@b c>",
		"<a@b\t>",
		"<a\\@b>",
		"<\"a@b>",
		"<\"a\"b@c>",
		"<\"a\x01\"@c>",
		"<\"a\\\x7f\"@c>",
		"<\"a\\",
		"<a@[192.0.2.1>",
		"<a@[192.0.2.256]>",
		"<a@[192.0.2]>",
		"<a@[192.0.2.1.1]>",
		"<a@[]>",
		"<a@[2001:db8::1]>",
		"<a@[IPv6:2001:db8::g]>",
		"<a@[IPv6:192.0.2.1]>",
		"<a@[IPv6:2001:db8::1%eth0]>",
		"<a@[x:192.0.2.1]>",
		"<a@[192.0.2.1]x>",
		"<@one:>",
		"<@one,two:a@b>",
		"<@one:postmaster>",
		"<@one a@b>",
		"<\xff@b>",
		"<a@b\xc3>",
		"<\xc0\x80@b>",
		"<postmaster",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span rest = span_of_str(rows[i]);
		struct smtp_address address;

		if (smtp_path_take(&rest, &address))
			fail_msg("%s was taken", rows[i]);
	}
}

/* A mailbox of `local` times 'a', and labels of up to `label` times 'b' that make `domain` bytes. */
static bool is_taken(size_t local, size_t domain, size_t label)
{
	char text[1024];
	size_t len = 0;
	struct span rest;
	struct smtp_address address;

	for (size_t i = 0; i < local; i++)
		text[len++] = 'a';
	text[len++] = '@';
	for (size_t i = 1; i <= domain; i++)
		text[len++] = i % (label + 1) == 0 && i < domain ? '.' : 'b';
	rest = span_of(text, len);
	return smtp_path_take(&rest, &address);
}

static void addresses_are_bounded(void **state)
{
	(void)state;
	assert_true(is_taken(64, 255, 49));
	assert_false(is_taken(65, 255, 49));
	assert_false(is_taken(1, 256, 49));
	assert_true(is_taken(200, 119, 49));
	assert_false(is_taken(200, 120, 49));
	assert_true(is_taken(1, 130, 63));
	assert_false(is_taken(1, 130, 64));
}

static void a_nul_is_part_of_no_address(void **state)
{
	static const struct span rows[] = {
		{ "<a\0@b>", 6 },
		{ "<a@b\0>", 6 },
		{ "<\"a\0\"@b>", 8 },
		{ "<a@[192.0.2.1\0]>", 16 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span rest = rows[i];
		struct smtp_address address;

		assert_false(smtp_path_take(&rest, &address));
	}
}

static void utf8_is_told_from_what_only_looks_like_it(void **state)
{
	static const struct {
		const char *text;
		bool valid;
	} rows[] = {
		{ "", true },
		{ "plain", true },
		{ "\xc2\x80", true },
		{ "\xdf\xbf", true },
		{ "\xe0\xa0\x80", true },
		{ "\xed\x9f\xbf", true },
		{ "\xee\x80\x80", true },
		{ "\xf0\x90\x80\x80", true },
		{ "\xf4\x8f\xbf\xbf", true },
		{ "\x80", false },
		{ "\xc0\xaf", false },
		{ "\xc1\xbf", false },
		{ "\xe0\x9f\xbf", false },     /* overlong */
		{ "\xed\xa0\x80", false },     /* surrogate */
		{ "\xf0\x8f\xbf\xbf", false }, /* overlong */
		{ "\xf4\x90\x80\x80", false }, /* above U+10FFFF */
		{ "\xf5\x80\x80\x80", false },
		{ "\xc2", false },
		{ "\xe2\x82", false },
		{ "\xf0\x9f\x98", false },
		{ "\xe2\x82x", false },
		{ "\xe2x\x82", false },
		{ "\xff", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (utf8_is_valid(span_of_str(rows[i].text)) != rows[i].valid)
			fail_msg("row %zu", i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(paths_give_their_parts),
		cmocka_unit_test(what_is_no_path_is_refused),
		cmocka_unit_test(addresses_are_bounded),
		cmocka_unit_test(a_nul_is_part_of_no_address),
		cmocka_unit_test(utf8_is_told_from_what_only_looks_like_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
