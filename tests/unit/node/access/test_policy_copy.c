#include "cmocka_all.h"

#include "access/policy_copy.h"
#include "scratch_dir.h"

static const char text[] = "clients: []\n# the end\n";

static struct policy_copy make_copy(uint64_t number, const char *comment)
{
	const struct policy_note note = { { number, 1800000060000 }, SPAN_LIT("ann@host"),
		span_of_str(comment), 0 };
	struct policy_copy copy = { .text = { 0 } };

	policy_copy_set(&copy, &note, span_of_str(text));
	return copy;
}

static void what_is_written_reads_back(void **state)
{
	struct scratch_dir dir = scratch_make();
	struct policy_copy one = make_copy(7, "first"), two = make_copy(8, "two\nlines"),
			   read = { .text = { 0 } };

	(void)state;
	assert_int_equal(policy_copy_read(dir.path, &read), ERR_NOT_FOUND);
	assert_int_equal(policy_copy_write(dir.path, &one), ERR_OK);
	assert_int_equal(policy_copy_write(dir.path, &two), ERR_OK);
	assert_int_equal(policy_copy_read(dir.path, &read), ERR_OK);
	assert_int_equal(read.version.number, 8);
	assert_int_equal(read.version.at_ms, 1800000060000);
	assert_true(span_eq(buf_span(&read.author), SPAN_LIT("ann@host")));
	assert_true(span_eq(buf_span(&read.comment), SPAN_LIT("two lines")));
	assert_true(span_eq(buf_span(&read.text), span_of_str(text)));
	policy_copy_fini(&one);
	policy_copy_fini(&two);
	policy_copy_fini(&read);
	scratch_remove(&dir);
}

static void a_folder_that_is_not_there_is_an_error(void **state)
{
	struct policy_copy copy = make_copy(7, "first");

	(void)state;
	assert_int_equal(policy_copy_write("/nowhere/at/all", &copy), ERR_IO);
	policy_copy_fini(&copy);
}

static void a_damaged_file_is_told_apart_from_none(void **state)
{
	static const char *const texts[] = {
		"",
		"clients: []\n",
		"# version 1\n# author a\n# comment b\n",
		"# version 0 1\n# author a\n# comment b\n",
		"# version x 1\n# author a\n# comment b\n",
		"# version 1 1\n# author a\n",
		"# version 1 1\n# author a\n# comment b",
	};
	struct scratch_dir dir = scratch_make(), file = scratch_path(&dir, "policy");
	struct policy_copy read = { .text = { 0 } };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		scratch_write(file.path, texts[i], strlen(texts[i]));
		assert_int_equal(policy_copy_read(dir.path, &read), ERR_CORRUPT);
	}
	policy_copy_fini(&read);
	scratch_remove(&dir);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_reads_back),
		cmocka_unit_test(a_folder_that_is_not_there_is_an_error),
		cmocka_unit_test(a_damaged_file_is_told_apart_from_none),
	};

	return cmocka_run_group_tests_name("policy_copy", tests, NULL, NULL);
}
