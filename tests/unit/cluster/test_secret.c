#include "skein/cluster/secret.h"

#include "skein/proto/base/alloc.h"

#include "cmocka_all.h"

#include <stdio.h>

/* 32 bytes of 'A', 'B', 'C' as lines of a key file. */
#define KEY_A "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE="
#define HEX_A "4141414141414141414141414141414141414141414141414141414141414141"
#define KEY_B "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI="

static const unsigned char nonce[SECRET_NONCE_LEN] = "0123456789a";
static const struct secret_label label = { { "secret", 6 }, { "hop", 3 } };

static struct secret_keys keys_of(const char *text)
{
	struct secret_keys keys;
	const char *why;

	assert_int_equal(secret_key_parse(span_of_str(text), &keys, &why), ERR_OK);
	assert_null(why);
	return keys;
}

static struct buf sealed_with(const char *key_file, struct span text)
{
	struct secret_keys keys = keys_of(key_file);
	struct buf sealed = { 0 };

	secret_seal(&keys.current, nonce, label, text, &sealed);
	return sealed;
}

/* Opens, and gives the text only if it is as expected. */
static enum secret_opened opened_as(
	const char *key_file, struct secret_label as, struct span sealed, struct span expected)
{
	struct secret_keys keys = keys_of(key_file);
	struct buf text = { 0 };
	enum secret_opened opened = secret_open(&keys, as, sealed, &text);

	assert_true(span_eq(buf_span(&text), opened == SECRET_OPENED ? expected : SPAN_LIT("")));
	secret_text_wipe(&text);
	return opened;
}

static void what_is_sealed_can_be_opened(void **state)
{
	static const size_t lens[] = { 0, 1, 15, 16, 17, 1000, SECRET_TEXT_MAX };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(lens); i++) {
		char *bytes = mem_zalloc(lens[i]);
		struct span text = span_of(bytes, lens[i]);
		struct buf sealed = sealed_with(KEY_A "\n", text);

		assert_int_equal(buf_len(&sealed), lens[i] + SECRET_OVERHEAD);
		assert_int_equal(opened_as(KEY_A, label, buf_span(&sealed), text), SECRET_OPENED);
		buf_fini(&sealed);
		mem_free(bytes);
	}
}

static void each_byte_counts(void **state)
{
	struct buf sealed = sealed_with(KEY_A, SPAN_LIT("hunter2"));
	struct span whole = buf_span(&sealed);

	(void)state;
	for (size_t i = 0; i < whole.len; i++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			enum secret_opened opened;

			sealed.base[sealed.head + i] ^= (char)(1 << bit);
			opened = opened_as(KEY_A "\n" KEY_B, label, whole, SPAN_LIT(""));
			if (opened != (i == 0                          ? SECRET_BAD_FORMAT
					      : i <= SECRET_KEY_ID_LEN ? SECRET_UNKNOWN_KEY
								       : SECRET_TAMPERED))
				fail_msg("byte %zu bit %u: %d", i, bit, opened);
			sealed.base[sealed.head + i] ^= (char)(1 << bit);
		}
		assert_int_not_equal(
			opened_as(KEY_A, label, span_take(whole, i), SPAN_LIT("")), SECRET_OPENED);
	}
	buf_append_byte(&sealed, 0);
	assert_int_equal(opened_as(KEY_A, label, buf_span(&sealed), SPAN_LIT("")), SECRET_TAMPERED);
	buf_fini(&sealed);
}

/* Also the id of a key that is in the file, put in place of the one that sealed. */
static void an_envelope_of_one_key_does_not_open_as_the_other_s(void **state)
{
	struct buf sealed = sealed_with(KEY_A, SPAN_LIT("hunter2"));
	struct secret_keys keys = keys_of(KEY_B);

	(void)state;
	memcpy(sealed.base + sealed.head + 1, keys.current.id, SECRET_KEY_ID_LEN);
	assert_int_equal(
		opened_as(KEY_A "\n" KEY_B, label, buf_span(&sealed), SPAN_LIT("")), SECRET_TAMPERED);
	buf_fini(&sealed);
}

static void no_secret_takes_another_s_place(void **state)
{
	static const struct secret_label others[] = {
		{ { "secret", 6 }, { "hoq", 3 } },
		{ { "secret", 6 }, { "hop2", 4 } },
		{ { "secrets", 7 }, { "hop", 3 } },
	};
	struct buf sealed = sealed_with(KEY_A, SPAN_LIT("hunter2"));

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(others); i++)
		assert_int_equal(
			opened_as(KEY_A, others[i], buf_span(&sealed), SPAN_LIT("")), SECRET_TAMPERED);
	buf_fini(&sealed);
}

static void another_key_is_told_with_the_cure(void **state)
{
	struct buf sealed = sealed_with(KEY_A, SPAN_LIT("hunter2"));
	enum secret_opened opened = opened_as(KEY_B, label, buf_span(&sealed), SPAN_LIT(""));

	(void)state;
	assert_int_equal(opened, SECRET_UNKNOWN_KEY);
	assert_non_null(strstr(secret_opened_text(opened), "on line 2"));
	assert_non_null(strstr(secret_opened_text(opened), "skeinctl secret set"));
	buf_fini(&sealed);
}

static void the_previous_key_still_opens_during_a_rotation(void **state)
{
	struct buf sealed = sealed_with(KEY_A, SPAN_LIT("hunter2"));
	struct secret_keys keys = keys_of(KEY_B "\n" KEY_A "\n"), old = keys_of(KEY_A);
	unsigned char id[SECRET_KEY_ID_LEN];

	(void)state;
	assert_int_equal(opened_as(KEY_B "\n" KEY_A "\n", label, buf_span(&sealed), SPAN_LIT("hunter2")),
		SECRET_OPENED);
	assert_true(secret_sealed_by(buf_span(&sealed), id));
	assert_memory_equal(id, keys.previous.id, sizeof(id));
	assert_memory_equal(id, old.current.id, sizeof(id));
	assert_memory_not_equal(id, keys.current.id, sizeof(id));
	buf_fini(&sealed);
}

static void a_key_file_is_read_strictly(void **state)
{
	static const struct {
		const char *text;
		const char *why; /* NULL: good */
	} rows[] = {
		{ KEY_A, NULL },
		{ KEY_A "\n", NULL },
		{ KEY_A "\r\n", NULL },
		{ KEY_A "\n" KEY_B, NULL },
		{ HEX_A "\n", NULL },
		{ KEY_B "\r\n" HEX_A "\r\n", NULL },
		{ HEX_A "4\n", "line 1" },
		{ "g" HEX_A "\n", "line 1" },
		{ "414141414141414141414141414141414141414141414141414141414141414g", "line 1" },
		{ KEY_A "\r\n" KEY_B "\r\n", NULL },
		{ "", "empty" },
		{ "\n", "line 1" },
		{ " " KEY_A "\n", "line 1" },
		{ "QUFB\n", "line 1" },
		{ "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFB\n", "line 1" },
		{ "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQQ==\n", "line 1" },
		{ "-UFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n", "line 1" },
		{ KEY_A "\n\n", "line 2" },
		{ KEY_A "\nsecret\n", "line 2" },
		{ KEY_A "\n" KEY_B "\n\n", "two lines" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct secret_keys keys, zero = { 0 };
		const char *why;
		enum err err = secret_key_parse(span_of_str(rows[i].text), &keys, &why);

		assert_int_equal(err, rows[i].why ? ERR_INVALID : ERR_OK);
		if (!rows[i].why)
			continue;
		if (!strstr(why, rows[i].why))
			fail_msg("row %zu: %s", i, why);
		assert_memory_equal(&keys, &zero, sizeof(keys));
	}
}

static void both_ways_of_writing_it_are_the_same_key(void **state)
{
	struct secret_keys one = keys_of(KEY_A), two = keys_of(HEX_A);

	(void)state;
	assert_memory_equal(&one, &two, sizeof(one));
}

static void a_key_is_written_as_it_is_read(void **state)
{
	struct secret_keys keys = keys_of(KEY_A);
	struct buf line = { 0 };

	(void)state;
	secret_key_format(keys.current.bytes, &line);
	assert_span_equal(buf_span(&line), KEY_A "\n");
	buf_fini(&line);
}

/* They are kept in Redis and stay what they are. Computed by another implementation. */
static void ids_and_envelopes_do_not_change_with_versions(void **state)
{
	static const char envelope[] =
		"015c6e766026664bcf303132333435363738396100460418b7f03cfb584d379109fbbb62eaf6ef494f9068f9";
	struct secret_keys keys = keys_of(KEY_A);
	struct buf sealed = sealed_with(KEY_A, SPAN_LIT("hunter2"));
	char hex[2 * (SECRET_OVERHEAD + 7) + 1];

	(void)state;
	assert_string_equal(secret_key_id_text(keys.current.id).text, "5c6e766026664bcf");
	assert_int_equal(buf_len(&sealed), SECRET_OVERHEAD + 7);
	for (size_t i = 0; i < buf_len(&sealed); i++)
		snprintf(hex + 2 * i, 3, "%02x", (unsigned char)buf_span(&sealed).ptr[i]);
	assert_string_equal(hex, envelope);
	buf_fini(&sealed);
}

static void names_are_plain(void **state)
{
	static const char *good[] = { "a", "Hop.1", "ldap-bind", "0_x" };
	static const char *bad[] = { "", ".a", "-a", "_a", "a b", "a/b", "a\n", "\xc3\xa4" };
	char longest[SECRET_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(good); i++)
		assert_true(secret_name_is_valid(span_of_str(good[i])));
	for (size_t i = 0; i < ARRAY_LEN(bad); i++)
		assert_false(secret_name_is_valid(span_of_str(bad[i])));
	memset(longest, 'a', sizeof(longest));
	assert_true(secret_name_is_valid(span_of(longest, SECRET_NAME_MAX)));
	assert_false(secret_name_is_valid(span_of(longest, SECRET_NAME_MAX + 1)));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_sealed_can_be_opened),
		cmocka_unit_test(each_byte_counts),
		cmocka_unit_test(an_envelope_of_one_key_does_not_open_as_the_other_s),
		cmocka_unit_test(no_secret_takes_another_s_place),
		cmocka_unit_test(another_key_is_told_with_the_cure),
		cmocka_unit_test(the_previous_key_still_opens_during_a_rotation),
		cmocka_unit_test(a_key_file_is_read_strictly),
		cmocka_unit_test(both_ways_of_writing_it_are_the_same_key),
		cmocka_unit_test(a_key_is_written_as_it_is_read),
		cmocka_unit_test(ids_and_envelopes_do_not_change_with_versions),
		cmocka_unit_test(names_are_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
