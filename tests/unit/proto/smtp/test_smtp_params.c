#include "cmocka_all.h"

#include <stdio.h>

#include "skein/proto/base/check.h"
#include "skein/proto/smtp/params.h"
#include "skein/proto/smtp/server.h"

enum { ALL = SMTP_EXT_8BITMIME | SMTP_EXT_SMTPUTF8 | SMTP_EXT_DSN };

static void mail_parameters_are_understood(void **state)
{
	static const struct {
		const char *text;
		struct smtp_mail_params wanted;
		const char *envid, *auth;
	} rows[] = {
		{ "", { 0 }, "", "" },
		{ "  ", { 0 }, "", "" },
		{ " SIZE=0", { .size = 0 }, "", "" },
		{ " size=12345", { .size = 12345 }, "", "" },
		{ " SIZE=99999999999999999999", { .size = UINT64_MAX }, "", "" },
		{ " BODY=7bit", { .body = SMTP_BODY_7BIT }, "", "" },
		{ " BODY=8BITMIME  SMTPUTF8", { .body = SMTP_BODY_8BITMIME, .smtputf8 = true }, "", "" },
		{ " RET=FULL ENVID=QQ+2B314159", { .ret = DSN_RET_FULL }, "QQ+2B314159", "" },
		{ " RET=hdrs", { .ret = DSN_RET_HDRS }, "", "" },
		{ " AUTH=<>", { 0 }, "", "<>" },
		{ " AUTH=e+3Dmc2@example.com", { 0 }, "", "e+3Dmc2@example.com" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_mail_params params;

		assert_int_equal(
			smtp_mail_params_parse(span_of_str(rows[i].text), ALL, &params), SMTP_REPLY_NONE);
		assert_true(params.size == rows[i].wanted.size);
		assert_int_equal(params.body, rows[i].wanted.body);
		assert_int_equal(params.ret, rows[i].wanted.ret);
		assert_int_equal(params.smtputf8, rows[i].wanted.smtputf8);
		assert_span_equal(params.envid, rows[i].envid);
		assert_span_equal(params.auth, rows[i].auth);
	}
}

static void bad_mail_parameters_are_told_from_unknown_ones(void **state)
{
	static const struct {
		const char *text;
		unsigned extensions;
		enum smtp_reply_id wanted;
	} rows[] = {
		{ "SIZE=1", ALL, SMTP_REPLY_BAD_PARAMETER }, /* no space before */
		{ " SIZE", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " SIZE=", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " SIZE=1k", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " SIZE=-1", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " SIZE=000000000000000000001", ALL, SMTP_REPLY_BAD_PARAMETER }, /* 21 digits */
		{ " SIZE=1 SIZE=1", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " BODY=BINARYMIME", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " SMTPUTF8=1", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " RET=ALL", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " ENVID=a=b", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " ENVID=a+4", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " ENVID=a+4g", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " ENVID=a+2b", ALL, SMTP_REPLY_BAD_PARAMETER },     /* lower case */
		{ " ENVID=a+0D+0Ab", ALL, SMTP_REPLY_BAD_PARAMETER }, /* would begin a header field */
		{ " ENVID=\xc3\xa4", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " AUTH=", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " AUTH=a+", ALL, SMTP_REPLY_BAD_PARAMETER },
		{ " =", ALL, SMTP_REPLY_UNKNOWN_PARAMETER },
		{ " NOTIFY=NEVER", ALL, SMTP_REPLY_UNKNOWN_PARAMETER },
		{ " XFOO", ALL, SMTP_REPLY_UNKNOWN_PARAMETER },
		{ " a@b", ALL, SMTP_REPLY_UNKNOWN_PARAMETER },
		{ " SIZE=1 XFOO=bar", ALL, SMTP_REPLY_UNKNOWN_PARAMETER },
		{ " BODY=7BIT", SMTP_EXT_DSN, SMTP_REPLY_UNKNOWN_PARAMETER },
		{ " SMTPUTF8", SMTP_EXT_DSN, SMTP_REPLY_UNKNOWN_PARAMETER },
		{ " RET=FULL", SMTP_EXT_SMTPUTF8, SMTP_REPLY_UNKNOWN_PARAMETER },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_mail_params params;
		enum smtp_reply_id got =
			smtp_mail_params_parse(span_of_str(rows[i].text), rows[i].extensions, &params);

		if (got != rows[i].wanted)
			fail_msg("%s: %d", rows[i].text, got);
	}
}

enum { HANDLING = SMTP_EXT_REQUIRETLS | SMTP_EXT_MT_PRIORITY | SMTP_EXT_DELIVERBY | SMTP_EXT_FUTURERELEASE };

static void how_to_handle_it_is_understood(void **state)
{
	static const struct {
		const char *text;
		struct smtp_mail_params wanted;
	} rows[] = {
		{ " requiretls", { .requiretls = true } },
		{ " MT-PRIORITY=0", { .priority = 0 } },
		{ " mt-priority=9", { .priority = 9 } },
		{ " MT-PRIORITY=-9", { .priority = -9 } },
		{ " BY=120;R", { .deliver_by = { DELIVER_BY_RETURN, false, 120 } } },
		{ " BY=+120;rt", { .deliver_by = { DELIVER_BY_RETURN, true, 120 } } },
		{ " BY=-999999999;NT", { .deliver_by = { DELIVER_BY_NOTIFY, true, -999999999 } } },
		{ " BY=0;n", { .deliver_by = { DELIVER_BY_NOTIFY, false, 0 } } },
		{ " HOLDFOR=999999999", { .hold_for_s = 999999999 } },
		{ " HOLDFOR=0", { 0 } },
		{ " HOLDUNTIL=2020-05-21T08:00:00Z", { .hold_until_s = 1590048000 } },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_mail_params params;

		if (smtp_mail_params_parse(span_of_str(rows[i].text), HANDLING, &params) != SMTP_REPLY_NONE)
			fail_msg("%s", rows[i].text);
		assert_int_equal(params.requiretls, rows[i].wanted.requiretls);
		assert_int_equal(params.priority, rows[i].wanted.priority);
		assert_int_equal(params.deliver_by.mode, rows[i].wanted.deliver_by.mode);
		assert_int_equal(params.deliver_by.trace, rows[i].wanted.deliver_by.trace);
		assert_int_equal(params.deliver_by.seconds, rows[i].wanted.deliver_by.seconds);
		assert_int_equal(params.hold_for_s, rows[i].wanted.hold_for_s);
		assert_int_equal(params.hold_until_s, rows[i].wanted.hold_until_s);
		assert_int_equal(smtp_mail_params_parse(span_of_str(rows[i].text), ALL, &params),
			SMTP_REPLY_UNKNOWN_PARAMETER);
	}
}

static void bad_ways_to_handle_it_are_refused(void **state)
{
	static const char *const rows[] = { " REQUIRETLS=", " REQUIRETLS=1", " REQUIRETLS REQUIRETLS",
		" MT-PRIORITY", " MT-PRIORITY=", " MT-PRIORITY=10", " MT-PRIORITY=+1", " MT-PRIORITY=-0",
		" MT-PRIORITY=--1", " MT-PRIORITY=-", " MT-PRIORITY=x", " BY", " BY=", " BY=120", " BY=120;",
		" BY=;R", " BY=120;X", " BY=120;RX", " BY=120;RTT", " BY=120R", " BY=--1;N",
		" BY=1000000000;R", " BY=0;R", " BY=-1;R", " BY=0;RT", " BY=120;T", " HOLDFOR", " HOLDFOR=-1",
		" HOLDFOR=1000000000", " HOLDFOR=0000000001", " HOLDFOR=1 HOLDUNTIL=2020-05-21T08:00:00Z",
		" HOLDUNTIL=2020-05-21T08:00:00Z HOLDFOR=1", " HOLDUNTIL=2020-05-21",
		" HOLDUNTIL=1590048000" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_mail_params params;

		if (smtp_mail_params_parse(span_of_str(rows[i]), HANDLING, &params) !=
			SMTP_REPLY_BAD_PARAMETER)
			fail_msg("%s", rows[i]);
	}
}

static void rcpt_parameters_are_checked(void **state)
{
	static const struct {
		const char *text;
		bool smtputf8;
		enum smtp_reply_id wanted;
		unsigned notify;
		const char *orcpt;
	} rows[] = {
		{ "", false, SMTP_REPLY_NONE, 0, "" },
		{ " NOTIFY=NEVER", false, SMTP_REPLY_NONE, DSN_NOTIFY_NEVER, "" },
		{ " notify=success,Failure,DELAY", false, SMTP_REPLY_NONE,
			DSN_NOTIFY_SUCCESS | DSN_NOTIFY_FAILURE | DSN_NOTIFY_DELAY, "" },
		{ " ORCPT=rfc822;a+40b@c NOTIFY=DELAY", false, SMTP_REPLY_NONE, DSN_NOTIFY_DELAY,
			"rfc822;a+40b@c" },
		{ " ORCPT=utf-8;j\xc3\xbc@b", true, SMTP_REPLY_NONE, 0, "utf-8;j\xc3\xbc@b" },
		{ " ORCPT=utf-8;\\x{FC}@b", false, SMTP_REPLY_NONE, 0, "utf-8;\\x{FC}@b" },
		{ " ORCPT=utf-8;j\xc3\xbc@b", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " ORCPT=rfc822;j\xc3\xbc@b", true, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " ORCPT=utf-8;j\xc3", true, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " NOTIFY=NEVER,DELAY", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " NOTIFY=DELAY,", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " NOTIFY=,", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " NOTIFY=LATER", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " ORCPT=a@b", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " ORCPT=;a@b", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " ORCPT=rfc822;", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " ORCPT=rfc(822;a@b", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " ORCPT=rfc822;a+0A@b", false, SMTP_REPLY_BAD_PARAMETER, 0, NULL },
		{ " SIZE=1", false, SMTP_REPLY_UNKNOWN_PARAMETER, 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct smtp_rcpt_params params;
		enum smtp_reply_id got =
			smtp_rcpt_params_parse(span_of_str(rows[i].text), ALL, rows[i].smtputf8, &params);

		if (got != rows[i].wanted)
			fail_msg("%s: %d", rows[i].text, got);
		if (got != SMTP_REPLY_NONE)
			continue;
		assert_int_equal(params.notify, rows[i].notify);
		assert_span_equal(params.orcpt, rows[i].orcpt);
	}
	assert_int_equal(
		smtp_rcpt_params_parse(SPAN_LIT(" NOTIFY=DELAY"), 0, false, &(struct smtp_rcpt_params){ 0 }),
		SMTP_REPLY_UNKNOWN_PARAMETER);
}

static void long_identifiers_are_bounded(void **state)
{
	char text[600];
	struct smtp_mail_params mail;
	struct smtp_rcpt_params rcpt;

	(void)state;
	memset(text, 'a', sizeof(text));
	memcpy(text, " ENVID=", 7);
	assert_int_equal(
		smtp_mail_params_parse(span_of(text, 7 + DSN_ENVID_MAX), ALL, &mail), SMTP_REPLY_NONE);
	assert_int_equal(smtp_mail_params_parse(span_of(text, 8 + DSN_ENVID_MAX), ALL, &mail),
		SMTP_REPLY_BAD_PARAMETER);
	memcpy(text, " ORCPT=rfc822;", 14);
	assert_int_equal(
		smtp_rcpt_params_parse(span_of(text, 7 + DSN_ORCPT_MAX), ALL, false, &rcpt), SMTP_REPLY_NONE);
	assert_int_equal(smtp_rcpt_params_parse(span_of(text, 8 + DSN_ORCPT_MAX), ALL, false, &rcpt),
		SMTP_REPLY_BAD_PARAMETER);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(mail_parameters_are_understood),
		cmocka_unit_test(bad_mail_parameters_are_told_from_unknown_ones),
		cmocka_unit_test(how_to_handle_it_is_understood),
		cmocka_unit_test(bad_ways_to_handle_it_are_refused),
		cmocka_unit_test(rcpt_parameters_are_checked),
		cmocka_unit_test(long_identifiers_are_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
