/* What a client calls itself becomes a filter that means one user and nothing else. */
#include "cmocka_all.h"

#include "auth/login_name.h"
#include "skein/proto/base/alloc.h"

static const struct login_domain domain = { "ADLAB", "adlab.test" };

#define USER(rest)        "(&(sAMAccountType=805306368)" rest ")"
#define EITHER(upn, name) USER("(|(userPrincipalName=" upn ")(sAMAccountName=" name "))")
#define ACCOUNT(name)     USER("(sAMAccountName=" name ")")

static void each_way_to_write_a_name_has_its_filter(void **state)
{
	static const struct {
		const char *login, *filter; /* NULL: refused */
	} rows[] = {
		{ "alice", EITHER("alice", "alice") },
		{ "ADLAB\\alice", ACCOUNT("alice") },
		{ "adlab.TEST\\alice", ACCOUNT("alice") },
		{ "alice@adlab.test", EITHER("alice@adlab.test", "alice") },
		{ "alice@ADLAB.TEST", EITHER("alice@ADLAB.TEST", "alice") },
		{ "b@corp.example", EITHER("b@corp.example", "b@corp.example") },
		{ "a@b@adlab.test", EITHER("a@b@adlab.test", "a@b") },
		{ "j\xc3\xbcrgen", EITHER("j\xc3\xbcrgen", "j\xc3\xbcrgen") },
		{ "@adlab.test", EITHER("@adlab.test", "@adlab.test") },
		{ "a*(b)", EITHER("a\\2a\\28b\\29", "a\\2a\\28b\\29") },
		{ "ADLAB\\a\\b", ACCOUNT("a\\5cb") },
		{ "a\x01\x7f", EITHER("a\\01\\7f", "a\\01\\7f") },
		{ "", NULL },
		{ "ADLAB\\", NULL },
		{ "\\alice", NULL },
		{ "OTHER\\alice", NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf filter = { 0 };

		assert_int_equal(
			login_filter(span_of_str(rows[i].login), &domain, &filter), rows[i].filter != NULL);
		if (rows[i].filter)
			assert_span_equal(buf_span(&filter), rows[i].filter);
		buf_fini(&filter);
	}
}

static void a_zero_byte_is_escaped_and_a_long_name_refused(void **state)
{
	struct buf filter = { 0 };
	char *name = mem_zalloc(513);

	(void)state;
	memset(name, 'a', 513);
	assert_false(login_filter(span_of(name, 513), &domain, &filter));
	login_append_escaped(&filter, span_of("a\0b", 3));
	assert_span_equal(buf_span(&filter), "a\\00b");
	buf_fini(&filter);
	mem_free(name);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_way_to_write_a_name_has_its_filter),
		cmocka_unit_test(a_zero_byte_is_escaped_and_a_long_name_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
