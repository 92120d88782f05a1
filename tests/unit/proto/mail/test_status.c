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

static void a_reply_about_our_rate_is_told_from_others(void **state)
{
	static const struct {
		struct mail_status status;
		const char *text;
		bool wanted;
	} rows[] = {
		{ { 454, { 4, 7, 0 } }, "4.7.0 Throttling failure: Maximum sending rate exceeded", true },
		{ { 432, { 4, 3, 2 } }, "4.3.2 STOREDRV; sender thread limit exceeded", true },
		{ { 432, { 4, 3, 2 } }, "4.3.2 Concurrent connections", true },
		{ { 451, { 4, 7, 500 } }, "4.7.500 Server busy. Please try again later", true },
		{ { 450, { 4, 2, 1 } }, "4.2.1 receives mail too quickly", true },
		{ { 450, { 4, 7, 28 } }, "4.7.28 unusual", true },
		{ { 451, { 4, 4, 5 } }, "4.4.5 later", true },
		{ { 451, { 4, 7, 1 } }, "4.7.1 RATE", true },
		{ { 421, { 4, 7, 0 } }, "Too many messages", true },
		{ { 450, { 4, 7, 1 } }, "4.7.1 corporate policy, moderated", false },
		{ { 450, { 4, 7, 1 } }, "4.7.1 sender is rated badly", false },
		{ { 450, { 4, 2, 0 } }, "4.2.0 Greylisted", false },
		{ { 452, { 4, 3, 1 } }, "4.3.1 Out of room", false },
		{ { 550, { 5, 7, 28 } }, "5.7.28 rate", false },
		{ { 250, { 2, 0, 0 } }, "2.0.0 at this rate", false },
		{ { 0, { 4, 4, 5 } }, "rate", false },
		{ { 450, { 0, 0, 0 } }, "", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (mail_status_is_rate(rows[i].status, span_of_str(rows[i].text)) != rows[i].wanted)
			fail_msg("row %zu: %s", i, rows[i].text);
	}
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
		cmocka_unit_test(a_reply_about_our_rate_is_told_from_others),
		cmocka_unit_test(a_missing_enhanced_code_is_made_of_the_class),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
