/* The users' file: what is read, what is refused and where, and that a change leaves all other lines alone.
 */
#include "cmocka_all.h"

#include "skein/proto/auth/user_file.h"
#include "skein/proto/base/alloc.h"

#define KEY_A "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
#define KEY_B "ICEiIyQlJicoKSorLC0uLzAxMjM0NTY3ODk6Ozw9Pj8="
#define SCRAM "SCRAM-SHA-256$4096:c2FsdA==$" KEY_A ":" KEY_B
#define HASH  "$y$j9T$abc$def"

static const uint64_t seed[2] = { 1, 2 };

static struct user_file *parse(const char *text, struct user_file_fault *fault)
{
	return user_file_parse(span_of_str(text), seed, fault);
}

static void a_user_has_what_its_line_says(void **state)
{
	struct user_file_fault fault;
	struct user_file *file =
		parse("# users\n\n"
		      "  Printer\tpassword=" HASH " groups=a,B addresses=p@x.example,q@x.example\r\n"
		      "m\xc3\xbcller scram=" SCRAM " disabled",
			&fault);
	const struct user_record *user;
	size_t cursor = 0;

	(void)state;
	assert_non_null(file);
	user = user_file_find(file, SPAN_LIT("pRINTER"));
	assert_string_equal(user->name, "Printer");
	assert_string_equal(user->hash, HASH);
	assert_false(user->has_scram || user->is_disabled);
	assert_int_equal(user->groups.count, 2);
	assert_string_equal(user->groups.items[1], "B");
	assert_int_equal(user->addresses.count, 2);
	assert_string_equal(user->addresses.items[0], "p@x.example");
	user = user_file_find(file, SPAN_LIT("m\xc3\xbcller"));
	assert_true(user->has_scram && user->is_disabled);
	assert_int_equal(user->scram.iterations, 4096);
	assert_span_equal(user->scram.salt, "salt");
	assert_int_equal(user->scram.stored_key[31], 31);
	assert_int_equal(user->scram.server_key[0], 32);
	assert_null(user_file_find(file, SPAN_LIT("# users")));
	assert_string_equal(user_file_next(file, &cursor)->name, "Printer");
	assert_non_null(user_file_next(file, &cursor));
	assert_null(user_file_next(file, &cursor));
	user_file_free(&file);
}

static void what_is_wrong_is_told_with_its_line(void **state)
{
	static const struct {
		const char *text;
		size_t line;
	} rows[] = {
		{ "\na", 2 },
		{ "a password=", 1 },
		{ "a password=plain", 1 },
		{ "a password=" HASH "\nb groups=x", 2 },
		{ "a password=" HASH " password=" HASH, 1 },
		{ "a password=" HASH " groups=a groups=b", 1 },
		{ "a password=" HASH " groups=a,,b", 1 },
		{ "a password=" HASH " groups=", 1 },
		{ "a password=" HASH " colour=red", 1 },
		{ "a password=" HASH " locked", 1 },
		{ "a password=" HASH " scram=" SCRAM " scram=" SCRAM, 1 },
		{ "a scram=SCRAM-SHA-1$4096:c2FsdA==$" KEY_A ":" KEY_B, 1 },
		{ "a scram=SCRAM-SHA-256$0:c2FsdA==$" KEY_A ":" KEY_B, 1 },
		{ "a scram=SCRAM-SHA-256$10000001:c2FsdA==$" KEY_A ":" KEY_B, 1 },
		{ "a scram=SCRAM-SHA-256$4096:$" KEY_A ":" KEY_B, 1 },
		{ "a scram=SCRAM-SHA-256$4096:c2FsdA==$" KEY_A, 1 },
		{ "a scram=SCRAM-SHA-256$4096:c2FsdA==$AAAA:" KEY_B, 1 },
		{ "a=b password=" HASH, 1 },
		{ "a\x01 password=" HASH, 1 },
		{ "a\xff password=" HASH, 1 },
		{ "a password=" HASH "\nA password=" HASH, 0 },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct user_file_fault fault;
		struct user_file *file = parse(rows[i].text, &fault);

		if (file || !fault.why || fault.line != rows[i].line)
			fail_msg("row %zu: line %zu, %s", i, fault.line, fault.why ? fault.why : "accepted");
	}
}

static void a_line_that_is_too_long_is_refused(void **state)
{
	char *text = mem_alloc(USER_FILE_LINE_MAX + 2);
	struct user_file_fault fault;

	(void)state;
	memset(text, '#', USER_FILE_LINE_MAX + 1);
	assert_null(user_file_parse(span_of(text, USER_FILE_LINE_MAX + 1), seed, &fault));
	assert_int_equal(fault.line, 1);
	mem_free(text);
}

static void a_change_leaves_all_other_lines_alone(void **state)
{
	static const char *const items[] = { "x", "y" };
	const struct user_record record = { .name = "b", .hash = HASH, .groups = { items, 2 } };
	static const char before[] = "# head\na password=" HASH "\n\nB scram=" SCRAM "\n# tail";
	struct buf text = { 0 };

	(void)state;
	assert_true(user_file_replace(span_of_str(before), SPAN_LIT("b"), &record, &text));
	assert_span_equal(
		buf_span(&text), "# head\na password=" HASH "\n\nb password=" HASH " groups=x,y\n# tail\n");
	buf_clear(&text);
	assert_true(user_file_replace(span_of_str(before), SPAN_LIT("a"), NULL, &text));
	assert_span_equal(buf_span(&text), "# head\n\nB scram=" SCRAM "\n# tail\n");
	buf_clear(&text);
	assert_false(user_file_replace(span_of_str("a scram=" SCRAM), SPAN_LIT("b"), &record, &text));
	assert_span_equal(buf_span(&text), "a scram=" SCRAM "\nb password=" HASH " groups=x,y\n");
	buf_clear(&text);
	assert_false(user_file_replace(span_of_str("# a"), SPAN_LIT("a"), NULL, &text));
	assert_span_equal(buf_span(&text), "# a\n");
	buf_fini(&text);
}

static void what_is_written_is_read_again(void **state)
{
	struct user_file_fault fault;
	struct user_file *file =
		parse("a password=" HASH " scram=" SCRAM " groups=g addresses=a@b disabled", &fault);
	struct buf text = { 0 };

	(void)state;
	assert_non_null(file);
	user_file_replace((struct span){ 0 }, SPAN_LIT("a"), user_file_find(file, SPAN_LIT("a")), &text);
	assert_span_equal(
		buf_span(&text), "a password=" HASH " scram=" SCRAM " groups=g addresses=a@b disabled\n");
	user_file_free(&file);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_has_what_its_line_says),
		cmocka_unit_test(what_is_wrong_is_told_with_its_line),
		cmocka_unit_test(a_line_that_is_too_long_is_refused),
		cmocka_unit_test(a_change_leaves_all_other_lines_alone),
		cmocka_unit_test(what_is_written_is_read_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
