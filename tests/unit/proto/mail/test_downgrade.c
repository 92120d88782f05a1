#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/base/check.h"
#include "skein/proto/mail/downgrade.h"

#define MULTI  "MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n"
#define EIGHT  "Content-Transfer-Encoding: 8bit\r\n"
#define SEVEN  "Content-Transfer-Encoding: 7bit\r\n"
#define QP     "Content-Transfer-Encoding: quoted-printable\r\n"
#define BASE64 "Content-Transfer-Encoding: base64\r\n"

static void check(
	const char *message, enum downgrade_verdict wanted, const char *wanted_out, size_t piece_len)
{
	struct downgrade *writer = downgrade_new(), *looker = downgrade_new();
	struct buf out = { 0 };
	enum downgrade_verdict verdict;

	for (struct span rest = span_of_str(message); rest.len;) {
		size_t len = rest.len < piece_len ? rest.len : piece_len;
		bool goes_on = downgrade_feed(writer, span_take(rest, len), &out);

		assert_int_equal(downgrade_feed(looker, span_take(rest, len), NULL), goes_on);
		rest = span_drop(rest, len);
	}
	verdict = downgrade_end(writer, &out);
	if (verdict != wanted)
		fail_msg("%s: %s", message, downgrade_verdict_text(verdict));
	assert_int_equal(downgrade_end(looker, NULL), wanted);
	if (wanted_out) {
		assert_span_equal(buf_span(&out), wanted_out);
		assert_int_equal(downgrade_size(writer), buf_len(&out));
		assert_int_equal(downgrade_size(looker), buf_len(&out));
	}
	downgrade_free(&writer);
	downgrade_free(&looker);
	assert_null(looker);
	buf_fini(&out);
}

static void check_all(const char *message, enum downgrade_verdict wanted, const char *wanted_out)
{
	check(message, wanted, wanted_out, SIZE_MAX);
	check(message, wanted, wanted_out, 1);
	check(message, wanted, wanted_out, 7);
}

static void what_can_be_encoded_is(void **state)
{
	static const struct {
		const char *message, *wanted;
	} rows[] = {
		/* One part, declared. */
		{ "MIME-Version: 1.0\r\nContent-type: text/plain;\r\n "
		  "charset=utf-8\r\nContent-transfer-encoding:"
		  "\r\n 8BIT\r\nSubject: x\r\n\r\n\xc3\xa4 \r\n",
			"MIME-Version: 1.0\r\nContent-type: text/plain;\r\n charset=utf-8\r\nSubject: "
			"x\r\n" QP "\r\n=C3=A4=20\r\n" },
		/* One part, whose declaration is wrong, or missing. */
		{ "Mime-version: 1.0\r\n" SEVEN "Content-Type: text/html\r\n\r\n\xe4",
			"Mime-version: 1.0\r\nContent-Type: text/html\r\n" QP "\r\n=E4" },
		{ "Subject: x\r\n y\r\n\r\n\xe4\r\n--b\r\n",
			"Subject: x\r\n y\r\n" QP
			"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=unknown-8bit\r\n"
			"\r\n=E4\r\n=2D-b\r\n" },
		{ "\r\n\xe4\r\n", QP "MIME-Version: 1.0\r\nContent-Type: text/plain; "
				     "charset=unknown-8bit\r\n\r\n=E4\r\n" },
		{ "Content-Type: application/x\r\nMIME-Version: 1.0\r\n\r\n\xe4\r\n",
			"Content-Type: application/x\r\nMIME-Version: 1.0\r\n" BASE64 "\r\n5A0K\r\n" },
		/* Several: those that are declared, and nothing else. */
		{ MULTI EIGHT "\r\npreamble\r\n--b\r\n\r\nhi \r\n--b \t\r\n" EIGHT
			      "Content-Type: text/plain\r\n\r\n"
			      "\xe4\r\n--b\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: "
			      "binary\r\n\r\n\xe4"
			      "\r\n\r\n--b\r\n" BASE64 "\r\n5A==\r\n--b\r\n" SEVEN "\r\n--b--\r\nepilogue",
			MULTI SEVEN
			"\r\npreamble\r\n--b\r\n\r\nhi \r\n--b \t\r\nContent-Type: text/plain\r\n" QP
			"\r\n=E4\r\n--b\r\nContent-Type: image/x\r\n" BASE64 "\r\n5A0K\r\n--b\r\n" BASE64
			"\r\n5A==\r\n--b\r\n" SEVEN "\r\n--b--\r\nepilogue" },
		/* An inner multipart, ended by its own delimiter or by the outer one. */
		{ MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=bb\r\n\r\n--bb\r\n" EIGHT
			"\r\n\xe4\r\n--b2\r\n--bb--\r\n\r\n--b\r\n" EIGHT "\r\n\xe4\r\n--b--",
			MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=bb\r\n\r\n--bb\r\n" QP
			      "\r\n=E4\r\n=2D-b2\r\n--bb--\r\n\r\n--b\r\n" QP "\r\n=E4\r\n--b--" },
		{ MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n" EIGHT
			"\r\n\xe4\r\n--b\r\n" EIGHT "\r\n--c\xe4\r\n--b--",
			MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=c\r\n\r\n--c\r\n" QP
			      "\r\n=E4\r\n--b\r\n" QP "\r\n=2D-c=E4\r\n--b--" },
		/* A message in the message, and in a digest. */
		{ MULTI "\r\n--b\r\nContent-Type: message/rfc822\r\n" EIGHT "\r\nFrom: x\r\n" EIGHT
			"\r\n\xe4\r\n--b--\r\n",
			MULTI "\r\n--b\r\nContent-Type: message/rfc822\r\n" SEVEN "\r\nFrom: x\r\n" QP
			      "\r\n=E4\r\n--b--\r\n" },
		{ "MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\nFrom: "
		  "x\r\n" EIGHT "\r\n\xe4\r\n--b--\r\n",
			"MIME-Version: 1.0\r\nContent-Type: multipart/digest; boundary=b\r\n\r\n--b\r\n\r\n"
			"From: x\r\n" QP "\r\n=E4\r\n--b--\r\n" },
		/* What is signed stays as it is, what is around it need not. */
		{ MULTI "\r\n--b\r\n" EIGHT
			"\r\n\xe4\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n" EIGHT
			"\r\nonly seven\r\n--s--\r\n--b--\r\n",
			MULTI
			"\r\n--b\r\n" QP
			"\r\n=E4\r\n--b\r\nContent-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n" EIGHT
			"\r\nonly seven\r\n--s--\r\n--b--\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_all(rows[i].message, DOWNGRADE_OK, rows[i].wanted);
}

static void what_cannot_is_told(void **state)
{
	static const struct {
		const char *message;
		enum downgrade_verdict wanted;
	} rows[] = {
		{ "", DOWNGRADE_NEEDLESS },
		{ "Subject: x\r\n\r\nx\r\n", DOWNGRADE_NEEDLESS },
		{ "no field\r\nbare\rcr\r\n", DOWNGRADE_NEEDLESS },
		{ MULTI EIGHT "\r\n--b\r\n" EIGHT "\r\nx\r\n--b--\r\n", DOWNGRADE_NEEDLESS },
		{ "Subject: \xc3\xa4\r\n\r\nx\r\n", DOWNGRADE_HEADER },
		{ "\xc3\xa4: x\r\n\r\nx\r\n", DOWNGRADE_HEADER },
		{ "Content-Type: text/plain; x=\xc3\xa4\r\n\r\nx\r\n", DOWNGRADE_HEADER },
		{ MULTI "\r\n--b\r\nContent-Description: \xc3\xa4\r\n\r\nx\r\n--b--\r\n", DOWNGRADE_HEADER },
		{ "Content-Type: message/rfc822\r\n\r\nSubject: \xc3\xa4\r\n\r\n", DOWNGRADE_HEADER },
		{ "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n" EIGHT "\r\n\xe4\r\n--b--\r\n",
			DOWNGRADE_SIGNED },
		{ "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: multipart/x; "
		  "boundary=c\r\n\r\n--c\r\n" EIGHT "\r\n\xe4\r\n--c--\r\n--b--\r\n",
			DOWNGRADE_SIGNED },
		{ MULTI "\r\n--b\r\n\r\n\xe4\r\n--b--\r\n", DOWNGRADE_UNDECLARED },
		{ MULTI "\r\n--b\r\n" SEVEN "\r\n\xe4\r\n--b--\r\n", DOWNGRADE_UNDECLARED },
		{ MULTI "\r\n--b\r\n" BASE64 "\r\n\xe4\r\n--b--\r\n", DOWNGRADE_UNDECLARED },
		{ MULTI "\r\n--b\r\nContent-Transfer-Encoding: x-odd\r\n\r\n\xe4\r\n--b--\r\n",
			DOWNGRADE_UNDECLARED },
		{ MULTI "\r\n--b\r\nContent-Type: message/partial\r\n" EIGHT "\r\n\xe4\r\n--b--\r\n",
			DOWNGRADE_UNDECLARED },
		{ MULTI "\r\n\xe4\r\n--b\r\n\r\nx\r\n--b--\r\n", DOWNGRADE_UNDECLARED },
		{ MULTI "\r\n--b\r\n\r\nx\r\n--b--\r\n\xe4\r\n", DOWNGRADE_UNDECLARED },
		{ MULTI BASE64 "\r\n--b\r\n" EIGHT "\r\n\xe4\r\n--b--\r\n", DOWNGRADE_MALFORMED },
		{ "Content-Type: multipart/mixed\r\n\r\n\xe4\r\n", DOWNGRADE_MALFORMED },
		{ "Content-Type: text\r\n\r\n\xe4\r\n", DOWNGRADE_MALFORMED },
		{ EIGHT EIGHT "\r\n\xe4\r\n", DOWNGRADE_MALFORMED },
		{ "no field\r\n\r\n\xe4\r\n", DOWNGRADE_MALFORMED },
		{ " x: y\r\n\r\n\xe4\r\n", DOWNGRADE_MALFORMED },
		{ "\r\n\xe4 bare\rcr\r\n", DOWNGRADE_MALFORMED },
		{ "\r\n\xe4 bare\nlf\r\n", DOWNGRADE_MALFORMED },
		{ MULTI "\r\n--b\r\n" EIGHT "\r\n\xe4\r\n--b\r\n--b: x\r\n\r\nx\r\n--b--\r\n",
			DOWNGRADE_MALFORMED },
		{ MULTI "\r\n--b\r\n" EIGHT "\r\n\xe4\r\n--b\r\n" EIGHT, DOWNGRADE_MALFORMED },
		/* An inner delimiter that may be an outer one. */
		{ MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=b\r\n\r\n--b\r\n" EIGHT
			"\r\n\xe4\r\n",
			DOWNGRADE_MALFORMED },
		{ MULTI "\r\n--b\r\nContent-Type: multipart/x; boundary=b--\r\n\r\n--b\r\n" EIGHT
			"\r\n\xe4\r\n",
			DOWNGRADE_MALFORMED },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		check_all(rows[i].message, rows[i].wanted, NULL);
}

static void no_message_is_too_deep_or_too_long_in_a_field(void **state)
{
	struct buf message = { 0 };

	(void)state;
	for (unsigned i = 0; i < 1000; i++)
		buf_printf(&message, "Content-Type: multipart/mixed; boundary=b%u\r\n\r\n--b%u\r\n", i, i);
	buf_append_str(&message, EIGHT "\r\n\xe4\r\n");
	buf_append_byte(&message, '\0');
	check_all(message.base, DOWNGRADE_MALFORMED, NULL);
	buf_clear(&message);
	buf_append_str(&message, "Content-Type: text/plain");
	for (unsigned i = 0; i < 1000; i++)
		buf_append_str(&message, "; x=y");
	buf_append_str(&message, "\r\n\r\n\xe4\r\n");
	buf_append_byte(&message, '\0');
	check_all(message.base, DOWNGRADE_MALFORMED, NULL);
	buf_fini(&message);
}

static void eight_bit_headers_are_told_from_bodies(void **state)
{
	static const struct {
		const char *message;
		bool wanted;
	} rows[] = {
		{ "Subject: x\r\n\r\n\xc3\xa4\r\n", false },
		{ "Subject: \xc3\xa4\r\n\r\n", true },
		{ "Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\n\r\n\xe4\r\n--b--\r\n", false },
		/* What stands in the way of the body does not end the look at headers. */
		{ MULTI "\r\n\xe4\r\n--b\r\nSubject: x\r\n\r\n--b\r\nContent-Description: \xc3\xa4\r\n\r\n",
			true },
		{ "no field\r\n\r\n\xc3\xa4\r\n", true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct downgrade *downgrade = downgrade_new();

		(void)downgrade_feed(downgrade, span_of_str(rows[i].message), NULL);
		(void)downgrade_end(downgrade, NULL);
		if (downgrade_has_8bit_header(downgrade) != rows[i].wanted)
			fail_msg("%s", rows[i].message);
		downgrade_free(&downgrade);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_can_be_encoded_is),
		cmocka_unit_test(what_cannot_is_told),
		cmocka_unit_test(no_message_is_too_deep_or_too_long_in_a_field),
		cmocka_unit_test(eight_bit_headers_are_told_from_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
