#include "cmocka_all.h"

#include "skein/proto/base/check.h"
#include "skein/proto/wire/tls_report.h"

enum { DAY = 1764201600 }; /* 2025-11-27 */

static void expect(struct buf *out, const char *wanted)
{
	if (!span_eq(buf_span(out), span_of_str(wanted)))
		fail_msg("got:\n%.*s\nwanted:\n%s", SPAN_ARGS(buf_span(out)), wanted);
	buf_fini(out);
}

static void a_report_is_what_section_4_4_says(void **state)
{
	const struct span strings[] = { SPAN_LIT("version: STSv1"), SPAN_LIT("mode: enforce"),
		SPAN_LIT("mx: *.mail.example.net") };
	const struct span patterns[] = { SPAN_LIT("*.mail.example.net") },
				 host[] = { SPAN_LIT("mx.example.net") },
				 record[] = { SPAN_LIT("3 1 1 abcd") };
	const struct tls_report_failure failures[] = {
		{ SPAN_LIT("certificate-expired"), SPAN_LIT("2001:db8::1"), SPAN_LIT("mx1.mail.example.net"),
			SPAN_LIT("203.0.113.9"), 100 },
		{ SPAN_LIT("sts-policy-fetch-error"), SPAN_LIT(""), SPAN_LIT(""), SPAN_LIT(""), 3 },
	};
	const struct tls_report_policy policies[] = {
		{ SPAN_LIT("sts"), strings, ARRAY_LEN(strings), SPAN_LIT("example.net"), patterns, 1, 5326,
			103, failures, ARRAY_LEN(failures) },
		{ SPAN_LIT("tlsa"), record, 1, SPAN_LIT("example.net"), host, 1, 7, 0, NULL, 0 },
		{ SPAN_LIT("no-policy-found"), NULL, 0, SPAN_LIT("example.net"), NULL, 0, 0, 0, NULL, 0 },
	};
	const struct tls_report report = { SPAN_LIT("Company-X"), SPAN_LIT("tls@company-x.example"),
		SPAN_LIT("2025-11-27.example.net@company-x.example"), DAY, policies, ARRAY_LEN(policies) };
	struct buf out = { 0 };

	(void)state;
	tls_report_append(&report, &out);
	expect(&out,
		"{\"organization-name\":\"Company-X\",\"date-range\":{\"start-datetime\":"
		"\"2025-11-27T00:00:00Z\",\"end-datetime\":\"2025-11-27T23:59:59Z\"},"
		"\"contact-info\":\"tls@company-x.example\","
		"\"report-id\":\"2025-11-27.example.net@company-x.example\",\"policies\":["
		"{\"policy\":{\"policy-type\":\"sts\",\"policy-string\":[\"version: STSv1\",\"mode: "
		"enforce\","
		"\"mx: *.mail.example.net\"],\"policy-domain\":\"example.net\",\"mx-host\":"
		"[\"*.mail.example.net\"]},\"summary\":{\"total-successful-session-count\":5326,"
		"\"total-failure-session-count\":103},\"failure-details\":[{\"result-type\":"
		"\"certificate-expired\",\"sending-mta-ip\":\"2001:db8::1\",\"receiving-mx-hostname\":"
		"\"mx1.mail.example.net\",\"receiving-ip\":\"203.0.113.9\",\"failed-session-count\":100},"
		"{\"result-type\":\"sts-policy-fetch-error\",\"failed-session-count\":3}]},"
		"{\"policy\":{\"policy-type\":\"tlsa\",\"policy-string\":[\"3 1 1 abcd\"],\"policy-domain\":"
		"\"example.net\",\"mx-host\":[\"mx.example.net\"]},\"summary\":"
		"{\"total-successful-session-count\":7,\"total-failure-session-count\":0}},"
		"{\"policy\":{\"policy-type\":\"no-policy-found\",\"policy-domain\":\"example.net\"},"
		"\"summary\":{\"total-successful-session-count\":0,\"total-failure-session-count\":0}}]}");
}

static void text_of_any_kind_stays_within_its_quotes(void **state)
{
	static const struct {
		struct span text;
		const char *wanted;
	} rows[] = {
		{ { "a\"b\\c", 5 }, "a\\\"b\\\\c" },
		{ { "a\0b\nc\x7f", 6 }, "a\\u0000b\\u000ac\\u007f" },
		{ { "B\xc3\xa4r", 4 }, "B\xc3\xa4r" },
		{ { "B\xe4r", 3 }, "B?r" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct tls_report report = { .organization = rows[i].text, .day_s = DAY };
		struct buf out = { 0 }, wanted = { 0 };

		tls_report_append(&report, &out);
		buf_printf(&wanted, "{\"organization-name\":\"%s\",\"date-range\":", rows[i].wanted);
		assert_true(span_starts_with(buf_span(&out), buf_span(&wanted)));
		buf_fini(&out);
		buf_fini(&wanted);
	}
}

static void the_mail_is_what_section_5_3_says(void **state)
{
	char bytes[60];
	struct tls_report_mail mail = {
		.from = SPAN_LIT("tls@company-x.example"),
		.to = SPAN_LIT("reports@example.net"),
		.domain = SPAN_LIT("example.net"),
		.submitter = SPAN_LIT("company-x.example"),
		.report_id = SPAN_LIT("1@company-x.example"),
		.day_s = DAY,
		.message_id = SPAN_LIT("id@relay.company-x.example"),
		.now_s = DAY + 90000,
		.offset_min = 60,
		.boundary = "frontier",
		.content = { bytes, sizeof(bytes) },
		.is_gzip = true,
	};
	struct buf out = { 0 };

	(void)state;
	memset(bytes, 'a', sizeof(bytes));
	tls_report_append_mail(&mail, &out);
	expect(&out, "From: <tls@company-x.example>\r\n"
		     "To: <reports@example.net>\r\n"
		     "Date: Fri, 28 Nov 2025 02:00:00 +0100\r\n"
		     "Subject: Report Domain: example.net\r\n"
		     " Submitter: company-x.example\r\n"
		     " Report-ID: <1@company-x.example>\r\n"
		     "Message-ID: <id@relay.company-x.example>\r\n"
		     "TLS-Report-Domain: example.net\r\n"
		     "TLS-Report-Submitter: company-x.example\r\n"
		     "TLS-Required: No\r\n"
		     "Auto-Submitted: auto-generated\r\n"
		     "MIME-Version: 1.0\r\n"
		     "Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n"
		     " boundary=\"frontier\"\r\n"
		     "Content-Language: en-us\r\n"
		     "\r\n"
		     "--frontier\r\n"
		     "Content-Type: text/plain; charset=\"us-ascii\"\r\n"
		     "Content-Transfer-Encoding: 7bit\r\n"
		     "\r\n"
		     "This is an aggregate TLS report from company-x.example\r\n"
		     "about example.net.\r\n"
		     "\r\n"
		     "--frontier\r\n"
		     "Content-Type: application/tlsrpt+gzip\r\n"
		     "Content-Transfer-Encoding: base64\r\n"
		     "Content-Disposition: attachment;\r\n"
		     " filename=\"company-x.example!example.net!1764201600!1764287999.json.gz\"\r\n"
		     "\r\n"
		     "YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFh\r\n"
		     "YWFh\r\n"
		     "\r\n"
		     "--frontier--\r\n");
	mail.is_gzip = false;
	tls_report_append_name(&mail, &out);
	expect(&out, "company-x.example!example.net!1764201600!1764287999.json");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_report_is_what_section_4_4_says),
		cmocka_unit_test(text_of_any_kind_stays_within_its_quotes),
		cmocka_unit_test(the_mail_is_what_section_5_3_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
