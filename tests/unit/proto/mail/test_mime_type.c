#include "cmocka_all.h"

#include "skein/proto/base/check.h"
#include "skein/proto/mail/mime_type.h"

static void types_and_boundaries_are_found(void **state)
{
	static const struct {
		const char *value, *type, *subtype, *boundary;
	} rows[] = {
		{ "text/plain", "text", "plain", "" },
		{ " Text/HTML; charset=utf-8", "Text", "HTML", "" },
		{ "(a (nested \\) ) comment) multipart (b) / (c) mixed (d); (e) boundary (f) = (g) abc (h)",
			"multipart", "mixed", "abc" },
		{ "multipart/mixed;\r\n\tboundary=\"----=_Part (1)\"", "multipart", "mixed",
			"----=_Part (1)" },
		{ "multipart/mixed; boundary=\"a\\\"b\\\\c\"", "multipart", "mixed", "a\"b\\c" },
		{ "multipart/mixed; x=\"boundary=no\"; BOUNDARY=yes; y=z", "multipart", "mixed", "yes" },
		{ "multipart/mixed;; boundary=a;", "multipart", "mixed", "a" },
		{ "multipart/mixed; boundary=a; boundary=b", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary=a; boundary*=us-ascii''b", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary*0=a; boundary*1=b", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary=\"open", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary=\"\"", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary=\"a \"", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary=\"a\tb\"", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary=", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary", "multipart", "mixed", "" },
		{ "multipart/mixed boundary=a", "multipart", "mixed", "" },
		{ "multipart/mixed; boundary="
		  "0123456789012345678901234567890123456789012345678901234567890123456789",
			"multipart", "mixed",
			"0123456789012345678901234567890123456789012345678901234567890123456789" },
		{ "multipart/mixed; boundary="
		  "01234567890123456789012345678901234567890123456789012345678901234567890",
			"multipart", "mixed", "" },
		{ "multipart/mixed; boundary=\""
		  "01234567890123456789012345678901234567890123456789012345678901234567890\"",
			"multipart", "mixed", "" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mime_type type;

		if (!mime_type_parse(span_of_str(rows[i].value), &type))
			fail_msg("%s", rows[i].value);
		assert_span_equal(type.type, rows[i].type);
		assert_span_equal(type.subtype, rows[i].subtype);
		assert_span_equal(span_of(type.boundary, type.boundary_len), rows[i].boundary);
	}
}

static void what_is_no_type_is_told(void **state)
{
	static const char *const rows[] = { "", " ", "text", "text/", "/plain", "text plain", "text/;x=y",
		"(text/plain", "\"text\"/plain" };
	struct mime_type type;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (mime_type_parse(span_of_str(rows[i]), &type))
			fail_msg("%s", rows[i]);
	}
}

static void types_compare_without_case(void **state)
{
	struct mime_type type;

	(void)state;
	assert_true(mime_type_parse(SPAN_LIT("Multipart/SIGNED"), &type));
	assert_true(mime_type_is(&type, "multipart"));
	assert_true(mime_type_is_exactly(&type, "multipart", "signed"));
	assert_false(mime_type_is_exactly(&type, "multipart", "mixed"));
	assert_false(mime_type_is_exactly(&type, "text", "signed"));
}

static void encodings_are_told_apart(void **state)
{
	static const struct {
		const char *value;
		enum mime_encoding wanted;
	} rows[] = {
		{ "7bit", MIME_ENCODING_7BIT },
		{ " 8BIT\r\n", MIME_ENCODING_8BIT },
		{ " (so) Binary (it is)", MIME_ENCODING_BINARY },
		{ "base64", MIME_ENCODING_OTHER },
		{ "Quoted-Printable", MIME_ENCODING_OTHER },
		{ "8bit; x=y", MIME_ENCODING_OTHER },
		{ "8 bit", MIME_ENCODING_OTHER },
		{ "8bits", MIME_ENCODING_OTHER },
		{ "", MIME_ENCODING_OTHER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(mime_encoding_parse(span_of_str(rows[i].value)), rows[i].wanted);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(types_and_boundaries_are_found),
		cmocka_unit_test(what_is_no_type_is_told),
		cmocka_unit_test(types_compare_without_case),
		cmocka_unit_test(encodings_are_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
