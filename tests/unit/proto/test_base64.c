#include "cmocka_all.h"

#include <stdio.h>

#include "skein/proto/base/base64.h"

/* RFC 4648 10, and what a careless decoder would take. */
static const struct {
	const char *text;
	const char *bytes; /* NULL: not base64 */
	size_t len;
} rows[] = {
	{ "", "", 0 },
	{ "Zg==", "f", 1 },
	{ "Zm8=", "fo", 2 },
	{ "Zm9v", "foo", 3 },
	{ "Zm9vYg==", "foob", 4 },
	{ "Zm9vYmE=", "fooba", 5 },
	{ "Zm9vYmFy", "foobar", 6 },
	{ "+/+/", "\xfb\xff\xbf", 3 },
	{ "AGEAYg==", "\0a\0b", 4 },
	{ "Zh==", NULL, 0 }, /* a hidden bit is set */
	{ "Zm9=", NULL, 0 },
	{ "Zg=", NULL, 0 },
	{ "Zg", NULL, 0 },
	{ "Z", NULL, 0 },
	{ "=", NULL, 0 },
	{ "====", NULL, 0 },
	{ "Z===", NULL, 0 },
	{ "Zg==Zg==", NULL, 0 },
	{ "Zg=v", NULL, 0 },
	{ "Zm9v\n", NULL, 0 },
	{ "Zm 9", NULL, 0 },
	{ "Zm9-", NULL, 0 },
	{ "Zm9_", NULL, 0 },
	{ "Zm9\xe9", NULL, 0 },
};

static void only_the_one_text_of_the_bytes_decodes(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char out[32];
		size_t len;
		bool ok = base64_decode(span_of_str(rows[i].text), out, &len);

		if (ok != (rows[i].bytes != NULL))
			fail_msg("\"%s\" decodes: %d", rows[i].text, ok);
		if (ok)
			assert_true(span_eq(span_of(out, len), span_of(rows[i].bytes, rows[i].len)));
	}
}

static void bytes_come_back_in_place_whatever_they_are(void **state)
{
	char bytes[256];

	(void)state;
	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = (char)(unsigned char)(i * 7);
	for (size_t len = 0; len <= sizeof(bytes); len++) {
		struct buf text = { 0 };
		size_t decoded;

		base64_encode(&text, span_of(bytes, len));
		assert_int_equal(buf_len(&text), base64_encoded_len(len));
		assert_true(base64_decode(buf_span(&text), text.base, &decoded));
		assert_true(span_eq(span_of(text.base, decoded), span_of(bytes, len)));
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_the_one_text_of_the_bytes_decodes),
		cmocka_unit_test(bytes_come_back_in_place_whatever_they_are),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
