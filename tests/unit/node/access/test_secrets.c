#include "cmocka_all.h"

#include "access/secrets.h"

#include <stdio.h>
#include <sys/mman.h>

static void assert_text(struct secrets *secrets, const char *name, const char *text)
{
	const struct secret_value *value = secrets_get(secrets, name);

	if (!text) {
		assert_null(value);
		return;
	}
	assert_non_null(value);
	assert_span_equal(secret_value_text(value), text);
	secret_value_unref(&value);
	assert_null(value);
}

static void put_two(struct secrets *secrets, const char *a, const char *b)
{
	const struct secret_value *values[] = { secret_value_new(SPAN_LIT("a"), span_of_str(a)),
		secret_value_new(SPAN_LIT("b"), span_of_str(b)) };

	secrets_replace(secrets, values, ARRAY_LEN(values));
}

static void values_are_found_by_their_whole_name(void **state)
{
	struct secrets *secrets = secrets_new(SECRETS_AWAITED);

	(void)state;
	assert_text(secrets, "a", NULL);
	put_two(secrets, "one", "");
	assert_text(secrets, "a", "one");
	assert_text(secrets, "b", "");
	assert_text(secrets, "ao", NULL);
	assert_text(secrets, "", NULL);
	secrets_free(&secrets);
}

static void who_holds_a_value_keeps_it_when_another_is_set(void **state)
{
	struct secrets *secrets = secrets_new(SECRETS_AWAITED);
	const struct secret_value *held;

	(void)state;
	put_two(secrets, "one", "two");
	held = secrets_get(secrets, "a");
	put_two(secrets, "three", "four");
	assert_text(secrets, "a", "three");
	assert_span_equal(secret_value_text(held), "one");
	secrets_free(&secrets);
	assert_span_equal(secret_value_text(held), "one");
	secret_value_unref(&held);
}

static void on_change(void *arg)
{
	(*(unsigned *)arg)++;
}

static void a_change_is_told_and_all_can_be_had(void **state)
{
	struct secrets *secrets = secrets_new(SECRETS_AWAITED);
	const struct secret_value *values[2] = { NULL, NULL };
	unsigned changes = 0;

	(void)state;
	secrets_on_change(secrets, on_change, &changes);
	assert_int_equal(secrets_state(secrets), SECRETS_AWAITED);
	assert_int_equal(secrets_get_all(secrets, values), 0);
	put_two(secrets, "one", "two");
	assert_int_equal(changes, 1);
	assert_int_equal(secrets_state(secrets), SECRETS_LOADED);
	assert_int_equal(secrets_get_all(secrets, values), 2);
	secrets_free(&secrets);
	assert_int_equal(changes, 1);
	assert_span_equal(secret_value_name(values[0]), "a");
	assert_span_equal(secret_value_text(values[1]), "two");
	secret_value_unref(&values[0]);
	secret_value_unref(&values[1]);
}

/* What the kernel says of the page that the text is in. */
static bool page_has_flag(const void *address, const char *flag)
{
	FILE *maps = fopen("/proc/self/smaps", "re");
	unsigned long from, to, at = (unsigned long)address;
	bool is_inside = false, has_flag = false;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx ", &from, &to) == 2)
			is_inside = from <= at && at < to;
		else if (is_inside && strncmp(line, "VmFlags:", 8) == 0)
			has_flag = strstr(line, flag) != NULL;
	}
	fclose(maps);
	return has_flag;
}

/* Sanitizers make mlock() do nothing, and a host may forbid it. */
static bool can_lock(void)
{
	void *page = mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool is_locked;

	assert_ptr_not_equal(page, MAP_FAILED);
	is_locked = mlock(page, 1) == 0 && page_has_flag(page, " lo");
	munmap(page, 1);
	return is_locked;
}

static void texts_stay_out_of_core_dumps_and_swap(void **state)
{
	const struct secret_value *value = secret_value_new(SPAN_LIT("a"), SPAN_LIT("one"));

	(void)state;
	assert_true(page_has_flag(secret_value_text(value).ptr, " dd"));
	if (can_lock())
		assert_true(page_has_flag(secret_value_text(value).ptr, " lo"));
	assert_false(page_has_flag(&value, " dd"));
	secret_value_unref(&value);
}

static void a_name_that_is_not_there_is_answered_with_the_cure(void **state)
{
	static const struct {
		enum secrets_state state;
		const char *cure;
	} rows[] = {
		{ SECRETS_STANDALONE, "redis.address" },
		{ SECRETS_NO_KEY, "cluster.key_file" },
		{ SECRETS_AWAITED, "not read from Redis yet" },
		{ SECRETS_LOADED, "skeinctl secret set hop" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secrets *secrets = secrets_new(rows[i].state);
		struct buf why = { 0 };

		secrets_explain(secrets, "hop", &why);
		buf_append_byte(&why, '\0');
		assert_non_null(strstr(buf_span(&why).ptr, "\"hop\""));
		assert_non_null(strstr(buf_span(&why).ptr, rows[i].cure));
		buf_fini(&why);
		secrets_free(&secrets);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(values_are_found_by_their_whole_name),
		cmocka_unit_test(a_change_is_told_and_all_can_be_had),
		cmocka_unit_test(who_holds_a_value_keeps_it_when_another_is_set),
		cmocka_unit_test(texts_stay_out_of_core_dumps_and_swap),
		cmocka_unit_test(a_name_that_is_not_there_is_answered_with_the_cure),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
