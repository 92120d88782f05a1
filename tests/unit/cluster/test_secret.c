#include "cmocka_all.h"

#include "skein/cluster/secret.h"

#include <string.h>

static const unsigned char nonce[SECRET_NONCE_LEN] = "abcdefghijkl";

static struct cluster_key key_of(unsigned char first)
{
	struct cluster_key key;

	for (size_t i = 0; i < CLUSTER_KEY_LEN; i++)
		key.bytes[i] = (unsigned char)(first + i);
	return key;
}

static void a_key_is_64_hexadecimal_digits(void **state)
{
	static const struct {
		const char *text;
		bool is_key;
	} rows[] = {
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f", true },
		{ "000102030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F", true },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1", false },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f0", false },
		{ "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1g", false },
		{ "", false },
	};
	struct cluster_key wanted = key_of(0);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct cluster_key key;

		assert_int_equal(cluster_key_parse(span_of_str(rows[i].text), &key), rows[i].is_key);
		if (rows[i].is_key)
			assert_memory_equal(&key, &wanted, sizeof(key));
	}
}

static void what_is_sealed_opens_with_its_key_and_purpose_only(void **state)
{
	struct cluster_key key = key_of(0), other = key_of(1);
	struct buf sealed = { 0 }, text = { 0 };

	(void)state;
	for (size_t len = 0; len < 300; len += 37) {
		char plain[300];

		memset(plain, 'p', sizeof(plain));
		buf_clear(&sealed);
		buf_clear(&text);
		secret_seal(&key, nonce, SPAN_LIT("one"), span_of(plain, len), &sealed);
		assert_int_equal(buf_len(&sealed), len + SECRET_OVERHEAD);
		assert_false(secret_open(&other, SPAN_LIT("one"), buf_span(&sealed), &text));
		assert_false(secret_open(&key, SPAN_LIT("two"), buf_span(&sealed), &text));
		assert_int_equal(buf_len(&text), 0);
		assert_true(secret_open(&key, SPAN_LIT("one"), buf_span(&sealed), &text));
		assert_int_equal(buf_len(&text), len);
		assert_memory_equal(text.base + text.head, plain, len);
	}
	buf_fini(&sealed);
	buf_fini(&text);
}

static void no_byte_of_it_may_change_or_be_missing(void **state)
{
	struct cluster_key key = key_of(0);
	struct buf sealed = { 0 }, text = { 0 };

	(void)state;
	secret_seal(&key, nonce, SPAN_LIT("p"), SPAN_LIT("secret"), &sealed);
	for (size_t i = 0; i < buf_len(&sealed); i++) {
		assert_false(secret_open(&key, SPAN_LIT("p"), span_of(sealed.base + sealed.head, i), &text));
		sealed.base[sealed.head + i] ^= 1;
		assert_false(secret_open(&key, SPAN_LIT("p"), buf_span(&sealed), &text));
		sealed.base[sealed.head + i] ^= 1;
	}
	assert_true(secret_open(&key, SPAN_LIT("p"), buf_span(&sealed), &text));
	assert_span_equal(buf_span(&text), "secret");
	buf_fini(&sealed);
	buf_fini(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_key_is_64_hexadecimal_digits),
		cmocka_unit_test(what_is_sealed_opens_with_its_key_and_purpose_only),
		cmocka_unit_test(no_byte_of_it_may_change_or_be_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
