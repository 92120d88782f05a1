#include "cmocka_all.h"

#include "skein/proto/mail/status.h"

static void a_reply_delivers_defers_or_fails(void **state)
{
	static const struct {
		struct mail_status status;
		enum mail_outcome outcome;
	} rows[] = {
		{ { .code = 250 }, MAIL_DELIVERED },
		{ { .code = 251 }, MAIL_DELIVERED },
		{ { .code = 354 }, MAIL_TEMPORARY },
		{ { .code = 421 }, MAIL_TEMPORARY },
		{ { .code = 450 }, MAIL_TEMPORARY },
		{ { .code = 550 }, MAIL_PERMANENT },
		{ { .code = 554, .enhanced = { 5, 7, 1 } }, MAIL_PERMANENT },
		{ { .code = 552 }, MAIL_TEMPORARY },
		{ { .code = 552, .enhanced = { 5, 5, 3 } }, MAIL_TEMPORARY },
		{ { .code = 552, .enhanced = { 5, 2, 2 } }, MAIL_PERMANENT },
		{ { .code = 552, .enhanced = { 5, 3, 4 } }, MAIL_PERMANENT },
		{ { 0 }, MAIL_TEMPORARY },
		{ { .enhanced = { 4, 4, 1 } }, MAIL_TEMPORARY },
		{ { .enhanced = { 5, 1, 10 } }, MAIL_PERMANENT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_int_equal(mail_status_classify(rows[i].status), rows[i].outcome);
}

static void a_missing_enhanced_code_is_made_of_the_class(void **state)
{
	static const struct {
		struct mail_status status;
		const char *text;
	} rows[] = {
		{ { .code = 250 }, "2.0.0" },
		{ { .code = 450 }, "4.0.0" },
		{ { .code = 550 }, "5.0.0" },
		{ { .code = 550, .enhanced = { 5, 7, 26 } }, "5.7.26" },
		{ { .code = 354 }, "4.0.0" },
		{ { 0 }, "4.0.0" },
		{ { .enhanced = { 4, 4, 7 } }, "4.4.7" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };

		enhanced_code_append(&text, mail_status_enhanced(rows[i].status));
		assert_span_equal(buf_span(&text), rows[i].text);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_reply_delivers_defers_or_fails),
		cmocka_unit_test(a_missing_enhanced_code_is_made_of_the_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
