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

static void dates_of_rfc_3339_are_read(void **state)
{
	static const struct {
		const char *text;
		int64_t unix_s;
	} rows[] = {
		{ "1970-01-01T00:00:00Z", 0 },
		{ "2020-05-21t08:00:00z", 1590048000 },
		{ "2020-05-21T08:00:00.25Z", 1590048000 },
		{ "2024-02-29T23:59:59Z", 1709251199 },
		{ "2016-12-31T23:59:60Z", 1483228800 },
		{ "1900-01-01T00:00:00Z", -2208988800 },
		{ "9999-12-31T23:59:59Z", 253402300799 },
	};
	static const char *const bad[] = { "", "2020-05-21", "2020-05-21T08:00:00",
		"2020-05-21T08:00:00+00:00", "2020-05-21 08:00:00Z", "2020-5-21T08:00:00Z",
		"2023-02-29T00:00:00Z", "2020-00-01T00:00:00Z", "2020-13-01T00:00:00Z",
		"2020-01-00T00:00:00Z", "2020-04-31T00:00:00Z", "2020-01-01T24:00:00Z",
		"2020-01-01T00:60:00Z", "2020-01-01T00:00:61Z", "1899-12-31T23:59:59Z",
		"2020-01-01T00:00:00.Z", "2020-01-01T00:00:00.xZ", "2020-01-01T00:00:00.5",
		"2020-01-01T00:00:00ZZ" };
	int64_t unix_s;

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (!mail_date_parse_utc(span_of_str(rows[i].text), &unix_s))
			fail_msg("%s", rows[i].text);
		assert_true(unix_s == rows[i].unix_s);
	}
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		if (mail_date_parse_utc(span_of_str(bad[i]), &unix_s))
			fail_msg("%s", bad[i]);
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
		int64_t again;

		assert_non_null(gmtime_r(&when, &tm));
		assert_true(strftime(wanted, sizeof(wanted), "%a, %e %b %Y %H:%M:%S +0000", &tm));
		if (wanted[5] == ' ')
			memmove(wanted + 5, wanted + 6, strlen(wanted + 5));
		mail_date_append(&text, unix_s, 0);
		assert_span_equal(buf_span(&text), wanted);
		buf_clear(&text);
		assert_true(strftime(wanted, sizeof(wanted), "%Y-%m-%dT%H:%M:%SZ", &tm));
		mail_date_append_utc(&text, unix_s);
		assert_span_equal(buf_span(&text), wanted);
		assert_true(mail_date_parse_utc(buf_span(&text), &again) && again == unix_s);
		buf_fini(&text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(dates_are_those_of_rfc_5322),
		cmocka_unit_test(dates_of_rfc_3339_are_read),
		cmocka_unit_test(dates_agree_with_libc_over_four_centuries),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
