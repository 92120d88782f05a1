#include "cmocka_all.h"

#include <time.h>

#include "skein/proto/mail/date.h"

static void dates_are_those_of_rfc_5322(void **state)
{
	static const struct {
		int64_t unix_s;
		int offset_min;
		const char *text;
	} rows[] = {
		{ 0, 0, "Thu, 1 Jan 1970 00:00:00 +0000" },
		{ -1, 0, "Wed, 31 Dec 1969 23:59:59 +0000" },
		{ 1590048000, 120, "Thu, 21 May 2020 10:00:00 +0200" },
		{ 1590048000, -210, "Thu, 21 May 2020 04:30:00 -0330" },
		{ 951782400, 0, "Tue, 29 Feb 2000 00:00:00 +0000" },
		{ 4107542400, 0, "Mon, 1 Mar 2100 00:00:00 +0000" },
		{ 1709251199, 60, "Fri, 1 Mar 2024 00:59:59 +0100" },
		{ -2208988800, 0, "Mon, 1 Jan 1900 00:00:00 +0000" },
		{ INT64_MIN, 0, "Mon, 1 Jan 1900 00:00:00 +0000" },
		{ INT64_MAX, 0, "Fri, 31 Dec 9999 23:59:59 +0000" },
		{ INT64_MAX, 60, "Fri, 31 Dec 9999 23:59:59 +0100" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };

		mail_date_append(&text, rows[i].unix_s, rows[i].offset_min);
		assert_span_equal(buf_span(&text), rows[i].text);
		buf_fini(&text);
	}
}

static void dates_agree_with_libc_over_four_centuries(void **state)
{
	(void)state;
	for (int64_t unix_s = -2208988800; unix_s < 11000000000; unix_s += 86400 * 13 + 4567) {
		time_t when = (time_t)unix_s;
		struct buf text = { 0 };
		struct tm tm;
		char wanted[64];

		assert_non_null(gmtime_r(&when, &tm));
		assert_true(strftime(wanted, sizeof(wanted), "%a, %e %b %Y %H:%M:%S +0000", &tm));
		if (wanted[5] == ' ')
			memmove(wanted + 5, wanted + 6, strlen(wanted + 5));
		mail_date_append(&text, unix_s, 0);
		assert_span_equal(buf_span(&text), wanted);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_those_of_rfc_5322),
		cmocka_unit_test(dates_agree_with_libc_over_four_centuries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
