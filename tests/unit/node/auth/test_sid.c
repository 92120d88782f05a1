/* SIDs between bytes and text, and the groups that have one. */
#include "cmocka_all.h"

#include "auth/group_list.h"

static void a_sid_is_the_same_in_bytes_and_in_text(void **state)
{
	static const char *const texts[] = { "S-1-5-32-544", "S-1-5-21-1-2-4294967295-1104",
		"S-1-281474976710655-1", "S-1-1-0" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct sid sid, again;
		char text[SID_TEXT_SIZE];

		assert_true(sid_from_text(span_of_str(texts[i]), &sid));
		sid_format(&sid, text);
		assert_string_equal(text, texts[i]);
		assert_true(sid_from_bytes(span_of((const char *)sid.bytes, sid.len), &again));
		assert_true(sid_is(&again, span_of((const char *)sid.bytes, sid.len)));
	}
}

static void what_is_no_sid_is_refused(void **state)
{
	static const char *const texts[] = { "", "S", "S-1", "S-1-5", "S-2-5-32", "S-1-5-4294967296",
		"S-1-5-", "S-1-5-32-", "S-1-5-a", "X-1-5-32", "S-1-281474976710656-1",
		"S-1-5-1-2-3-4-5-6-7-8-9-10-11-12-13-14-15-16", "group" };
	static const char bytes[] = "\1\1\0\0\0\0\0\5\x20\0\0\0";
	struct sid sid;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		assert_false(sid_from_text(span_of_str(texts[i]), &sid));
	for (size_t len = 0; len < 12; len++)
		assert_false(sid_from_bytes(span_of(bytes, len), &sid));
	assert_true(sid_from_bytes(span_of(bytes, 12), &sid));
	assert_false(sid_from_bytes(span_of(bytes, 13), &sid));
	assert_false(sid_from_bytes(span_of("\2\1\0\0\0\0\0\5\x20\0\0\0", 12), &sid));
	assert_false(sid_from_bytes(span_of("\1\x10\0\0\0\0\0\5\x20\0\0\0", 12), &sid));
}

static void groups_match_by_sid_in_their_order(void **state)
{
	static const char *const names[] = { "one", "S-1-5-32-544", "three" };
	struct group_list *list = group_list_new((struct text_list){ names, 3 }), *copy;
	struct sid one, builtin;
	struct span sids[2];
	const char *found[3];

	(void)state;
	assert_int_equal(list->missing, 2);
	assert_true(sid_from_text(SPAN_LIT("S-1-5-21-7"), &one));
	assert_true(sid_from_text(SPAN_LIT("S-1-5-32-544"), &builtin));
	sids[0] = span_of((const char *)builtin.bytes, builtin.len);
	sids[1] = span_of((const char *)one.bytes, one.len);
	assert_int_equal(group_list_match(list, sids, 2, found), 1);
	copy = group_list_copy(list);
	group_list_found(copy, 0, &one);
	group_list_unref(&list);
	assert_int_equal(copy->missing, 1);
	assert_int_equal(group_list_match(copy, sids, 2, found), 2);
	assert_string_equal(found[0], "one");
	assert_string_equal(found[1], "S-1-5-32-544");
	/* A group that was not found is nobody's, not even that of an empty SID. */
	sids[0] = span_of("", 0);
	assert_int_equal(group_list_match(copy, sids, 1, found), 0);
	group_list_unref(&copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sid_is_the_same_in_bytes_and_in_text),
		cmocka_unit_test(what_is_no_sid_is_refused),
		cmocka_unit_test(groups_match_by_sid_in_their_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
