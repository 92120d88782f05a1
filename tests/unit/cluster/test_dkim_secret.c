#include "cmocka_all.h"

#include "skein/cluster/dkim_secret.h"

static void a_key_keeps_its_state_and_its_time(void **state)
{
	(void)state;
	for (int i = 0; i < DKIM_STATES; i++) {
		const struct dkim_secret secret = { (enum dkim_state)i, 1790000000123,
			SPAN_LIT("-----PEM\nx\n") };
		struct dkim_secret read;
		struct buf text = { 0 };

		dkim_secret_format(&secret, &text);
		assert_true(buf_len(&text) <= DKIM_SECRET_LINE_MAX + secret.pem.len);
		assert_true(dkim_secret_parse(buf_span(&text), &read));
		assert_int_equal(read.state, i);
		assert_int_equal(read.since_ms, 1790000000123);
		assert_true(span_eq(read.pem, secret.pem));
		buf_fini(&text);
	}
}

static void what_is_no_key_is_not_taken_for_one(void **state)
{
	static const char *const rows[] = { "", "\n", "password", "dkim 1 active 1", "dkim 2 active 1\nx",
		"dkim 1 activ 1\nx", "dkim 1 active\nx", "dkim 1 active -1\nx", "dkim 1 active 1 \nx",
		"dkim 1  1\nx" };
	struct dkim_secret secret;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		if (dkim_secret_parse(span_of_str(rows[i]), &secret))
			fail_msg("%s", rows[i]);
}

static void a_name_is_that_of_the_record(void **state)
{
	static const struct {
		const char *name, *selector, *domain; /* selector NULL: no key */
	} rows[] = {
		{ "s1._domainkey.example.com", "s1", "example.com" },
		{ "a.b._domainkey.x", "a.b", "x" },
		{ "ldap-password", NULL, NULL },
		{ "_domainkey.example.com", NULL, NULL },
		{ "s1._domainkey.", NULL, NULL },
		{ "", NULL, NULL },
	};
	struct dkim_secret_name name;
	struct buf text = { 0 };
	char longest[200];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_int_equal(
			dkim_secret_name_parse(span_of_str(rows[i].name), &name), rows[i].selector != NULL);
		if (!rows[i].selector)
			continue;
		assert_true(span_eq(name.selector, span_of_str(rows[i].selector)));
		assert_true(span_eq(name.domain, span_of_str(rows[i].domain)));
		assert_true(dkim_secret_name_format(&name, &text));
		assert_true(span_eq(buf_span(&text), span_of_str(rows[i].name)));
		buf_clear(&text);
	}
	name = (struct dkim_secret_name){ SPAN_LIT("S1"), SPAN_LIT("Example.COM") };
	assert_true(dkim_secret_name_format(&name, &text));
	assert_true(span_eq(buf_span(&text), SPAN_LIT("s1._domainkey.example.com")));
	memset(longest, 'x', sizeof(longest));
	name.domain = span_of(longest, sizeof(longest));
	assert_false(dkim_secret_name_format(&name, &text));
	assert_int_equal(buf_len(&text), strlen("s1._domainkey.example.com"));
	buf_fini(&text);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_keeps_its_state_and_its_time),
		cmocka_unit_test(what_is_no_key_is_not_taken_for_one),
		cmocka_unit_test(a_name_is_that_of_the_record),
	};

	return cmocka_run_group_tests_name("dkim_secret", tests, NULL, NULL);
}
