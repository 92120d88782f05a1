#include "outbound/sts_store.h"

#include "cmocka_all.h"

#include <stdio.h>
#include <string.h>

static const uint64_t seed[2] = { 1, 2 };

static void put(struct sts_store *store, const char *domain, const char *text, uint64_t at_s, uint32_t age_s)
{
	const struct sts_kept_policy policy = { span_of_str(text), { at_s, age_s, span_of_str("id1") } };

	sts_store_put(store, span_of_str(domain), &policy);
}

static void a_policy_is_kept_until_its_age_is_over(void **state)
{
	struct sts_store *store = sts_store_new(seed);
	struct sts_kept_policy kept;
	struct arena arena = { 0 };

	(void)state;
	put(store, "one.example", "first", 1000, 100);
	put(store, "two.example", "other", 1000, 100);
	put(store, "one.example", "second", 1050, 100);
	assert_true(sts_store_get(store, span_of_str("one.example"), 1149, &arena, &kept));
	assert_true(span_eq(kept.text, span_of_str("second")));
	assert_true(span_eq(kept.kept.id, span_of_str("id1")));
	assert_int_equal(kept.kept.fetched_at_s, 1050);
	assert_false(sts_store_get(store, span_of_str("one.example"), 1150, &arena, &kept));
	assert_false(sts_store_get(store, span_of_str("two.example"), 1149, &arena, &kept));
	assert_false(sts_store_get(store, span_of_str("none.example"), 1000, &arena, &kept));
	arena_fini(&arena);
	sts_store_free(&store);
	assert_null(store);
}

static void a_try_that_failed_is_not_repeated_soon(void **state)
{
	struct sts_store *store = sts_store_new(seed);
	struct span domain = span_of_str("one.example");

	(void)state;
	assert_true(sts_store_may_fetch(store, domain, 1000));
	sts_store_tried(store, domain, 1000);
	assert_false(sts_store_may_fetch(store, domain, 1000 + STS_AGAIN_S - 1));
	assert_true(sts_store_may_fetch(store, domain, 1000 + STS_AGAIN_S));
	assert_true(sts_store_may_fetch(store, domain, 999)); /* the clock was set back */
	assert_true(sts_store_may_fetch(store, span_of_str("two.example"), 1000));
	sts_store_free(&store);
}

static void what_was_not_asked_for_the_longest_goes_first(void **state)
{
	struct sts_store *store = sts_store_new(seed);
	struct sts_kept_policy kept;
	struct arena arena = { 0 };
	char domain[32];

	(void)state;
	put(store, "used.example", "text", 1000, 100);
	put(store, "unused.example", "text", 1000, 100);
	for (int i = 0; i < STS_DOMAINS_MAX - 1; i++) {
		assert_true(sts_store_get(store, span_of_str("used.example"), 1000, &arena, &kept));
		snprintf(domain, sizeof(domain), "%d.example", i);
		put(store, domain, "text", 1000, 100);
		arena_reset(&arena);
	}
	assert_true(sts_store_get(store, span_of_str("used.example"), 1000, &arena, &kept));
	assert_false(sts_store_get(store, span_of_str("unused.example"), 1000, &arena, &kept));
	arena_fini(&arena);
	sts_store_free(&store);
}

static void long_policies_take_no_more_room_than_they_may(void **state)
{
	static char text[MTA_STS_POLICY_LEN_MAX + 1];
	struct sts_store *store = sts_store_new(seed);
	struct sts_kept_policy kept;
	struct arena arena = { 0 };
	char domain[32];
	int most = STS_BYTES_MAX / MTA_STS_POLICY_LEN_MAX, left = 0;

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	for (int i = 0; i < most + 10; i++) {
		snprintf(domain, sizeof(domain), "%d.example", i);
		put(store, domain, text, 1000, 100);
	}
	for (int i = 0; i < most + 10; i++) {
		snprintf(domain, sizeof(domain), "%d.example", i);
		left += sts_store_get(store, span_of_str(domain), 1000, &arena, &kept);
		arena_reset(&arena);
	}
	assert_int_equal(left, most);
	arena_fini(&arena);
	sts_store_free(&store);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_policy_is_kept_until_its_age_is_over),
		cmocka_unit_test(a_try_that_failed_is_not_repeated_soon),
		cmocka_unit_test(what_was_not_asked_for_the_longest_goes_first),
		cmocka_unit_test(long_policies_take_no_more_room_than_they_may),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
