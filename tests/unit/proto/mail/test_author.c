#include "cmocka_all.h"

#include "skein/proto/mail/author.h"
#include "skein/proto/base/check.h"

#include <stdio.h>

struct row {
	const char *value, *domains; /* separated by a space */
};

static void join(const struct author_domains *domains, char *out, size_t size)
{
	size_t len = 0;

	out[0] = '\0';
	for (size_t i = 0; i < domains->count; i++)
		len += (size_t)snprintf(
			out + len, size - len, "%s%.*s", i ? " " : "", SPAN_ARGS(author_domain(domains, i)));
}

static void the_domains_of_a_from_field_are_those_that_readers_see(void **state)
{
	static const struct row rows[] = {
		{ " a@example.com\r\n", "example.com" },
		{ " A <a@Example.COM>", "example.com" },
		{ "\r\n \"Boss, The\" <a@example.com>\r\n", "example.com" },
		{ "\"x@evil.example\" <a@example.com>", "example.com" },
		{ "x@evil.example <a@example.com>", "example.com" },
		{ "<a@example.com> x@evil.example", "example.com" },
		{ "a@example.com (work (nested \\) x@y.z))", "example.com" },
		{ "(x@evil.example) a@example.com", "example.com" },
		{ "a@example.com, B <b@other.org>, c@EXAMPLE.com", "example.com other.org" },
		{ "team: a@example.com, b@other.org;", "example.com other.org" },
		{ "undisclosed:;", "" },
		{ "\"a@b\"@example.com", "example.com" },
		{ "\"a\\\"@evil.example\"@example.com", "example.com" },
		{ "a @ example . com", "example.com" },
		{ "a@example.com.", "example.com" },
		{ "a@example.com text", "" },
		{ "a@example.\r\n com", "example.com" },
		{ "<@hop.example,@hop2.example:a@example.com>", "example.com" },
		{ "a@[192.0.2.1]", "" },
		{ "a", "" },
		{ "", "" },
		{ "a@", "" },
		{ "<>", "" },
		{ "\"open a@example.com", "" },
		{ "(open a@example.com", "" },
		{ "a@\"example.com\"", "" },
		{ "a@b@example.com", "example.com" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct author_domains domains = { .count = 0 };
		char joined[600];

		author_domains_add(&domains, span_of_str(rows[i].value));
		join(&domains, joined, sizeof(joined));
		if (strcmp(joined, rows[i].domains) != 0)
			fail_msg("%s: \"%s\", not \"%s\"", rows[i].value, joined, rows[i].domains);
	}
}

static void more_than_fits_is_left_out(void **state)
{
	struct author_domains domains = { .count = 0 };
	char value[400];
	size_t len = 0;

	(void)state;
	for (int i = 0; i < 20; i++)
		len += (size_t)snprintf(value + len, sizeof(value) - len, "a@d%d.example,", i);
	author_domains_add(&domains, span_of_str(value));
	assert_int_equal(domains.count, AUTHOR_DOMAINS_MAX);
	memset(value, 'x', sizeof(value));
	value[0] = '@';
	domains.count = 0;
	author_domains_add(&domains, span_of(value, 1 + AUTHOR_DOMAIN_MAX + 1));
	assert_int_equal(domains.count, 0);
	author_domains_add(&domains, span_of(value, 1 + AUTHOR_DOMAIN_MAX));
	assert_int_equal(domains.count, 1);
}

static void an_address_has_one_domain_and_the_null_sender_none(void **state)
{
	static const struct row rows[] = {
		{ "a@Example.com", "example.com" },
		{ "\"a@b\"@example.com", "example.com" },
		{ "a@[192.0.2.1]", "" },
		{ "", "" },
		{ "postmaster", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct author_domains domains = { .count = 0 };
		char joined[600];

		author_domains_add_address(&domains, span_of_str(rows[i].value));
		join(&domains, joined, sizeof(joined));
		assert_string_equal(joined, rows[i].domains);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_domains_of_a_from_field_are_those_that_readers_see),
		cmocka_unit_test(more_than_fits_is_left_out),
		cmocka_unit_test(an_address_has_one_domain_and_the_null_sender_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
