/* Whole reports are compared with dsn_*.eml beside this file, which hold them with LF for CRLF. */
#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/mail/dsn.h"

#define HEADER  "From: <s@a.example>\r\nSubject: hello\r\n\r\n"
#define MESSAGE HEADER "--boundary like line\r\nbody\r\n"

static struct envelope_recipient recipients[] = {
	{ .addr = SPAN_LIT("r1@b.example"),
		.state = RECIPIENT_FAILED,
		.last_attempt_ms = 1590048060000,
		.status = { 550, { 5, 1, 1 } },
		.diagnostic =
			SPAN_LIT("5.1.1 no such user here, and this is said at such length that\n5.1.1 it "
				 "needs two lines "
				 "and a fold"),
		.remote = SPAN_LIT("mx.b.example") },
	{ .addr = SPAN_LIT("r2@c.example"),
		.orcpt = SPAN_LIT("rfc822;old+2Bname@c.example"),
		.notify = DSN_NOTIFY_FAILURE,
		.state = RECIPIENT_EXPIRED,
		.last_attempt_ms = 1590480000000,
		.diagnostic = SPAN_LIT("cannot connect to mx.c.example: timed out") },
	{ .addr = SPAN_LIT("r3@b.example"),
		.notify = DSN_NOTIFY_SUCCESS,
		.state = RECIPIENT_DELIVERED,
		.last_attempt_ms = 1590048060000,
		.status = { .code = 250 },
		.diagnostic = SPAN_LIT("caf\xc3\xa9\r\nBcc: x"),
		.remote = SPAN_LIT("mx.b.example") },
};

static struct envelope sample(void)
{
	return (struct envelope){
		.sender = SPAN_LIT("s@a.example"),
		.recipients = recipients,
		.recipient_count = ARRAY_LEN(recipients),
		.envid = SPAN_LIT("Q+2B1"),
		.origin_id = SPAN_LIT("01ABC"),
		.arrival_ms = 1590048000000,
		.expires_ms = 1590480000000,
	};
}

static const size_t first_two[] = { 0, 1 };
static const size_t only_first[] = { 0 };
static const size_t only_third[] = { 2 };

static struct dsn_options options_for(enum dsn_kind kind)
{
	return (struct dsn_options){
		.kind = kind,
		.reporting_mta = "mx.example",
		.boundary = "0123456789abcdef",
		.message_id = SPAN_LIT("01DSN"),
		.now_unix_s = 1590480001,
		.offset_min = 120,
		.rcpt_idx = only_first,
		.rcpt_count = 1,
		.original = SPAN_LIT(MESSAGE),
		.original_is_whole = true,
		.full_max = 1000,
	};
}

static void read_expected(const char *name, struct buf *out)
{
	const char *source = getenv("SKEIN_SOURCE");
	char path[512], line[1200];
	FILE *file;

	snprintf(path, sizeof(path), "%s/tests/unit/proto/mail/%s", source ? source : ".", name);
	file = fopen(path, "r");
	if (!file)
		fail_msg("cannot read %s", path);
	while (fgets(line, sizeof(line), file)) {
		line[strcspn(line, "\n")] = '\0';
		buf_append_str(out, line);
		buf_append_str(out, "\r\n");
	}
	fclose(file);
}

static void assert_report(const char *name, const struct envelope *envelope,
	const struct dsn_options *options, struct dsn_needs wanted)
{
	struct buf seen = { 0 }, expected = { 0 };
	struct dsn_needs needs = dsn_build(envelope, options, &seen);

	read_expected(name, &expected);
	if (!span_eq(buf_span(&seen), buf_span(&expected)))
		fail_msg("%s differs:\n%.*s", name, SPAN_ARGS(buf_span(&seen)));
	assert_int_equal(needs.needs_8bit, wanted.needs_8bit);
	assert_int_equal(needs.needs_smtputf8, wanted.needs_smtputf8);
	buf_fini(&seen);
	buf_fini(&expected);
}

static void a_failure_report_says_why_and_returns_the_message(void **state)
{
	struct envelope envelope = sample();
	struct dsn_options options = options_for(DSN_FAILED);

	(void)state;
	options.rcpt_idx = first_two;
	options.rcpt_count = 2;
	assert_report("dsn_failed.eml", &envelope, &options, (struct dsn_needs){ false, false });
}

static void a_delay_report_says_until_when_and_returns_the_header(void **state)
{
	struct envelope envelope = sample();
	struct dsn_options options = options_for(DSN_DELAYED);
	struct envelope_recipient waiting = { .addr = SPAN_LIT("r1@b.example"),
		.last_attempt_ms = 1590048060000,
		.status = { 451, { 4, 3, 0 } },
		.diagnostic = SPAN_LIT("4.3.0 later"),
		.remote = SPAN_LIT("mx.b.example") };

	(void)state;
	envelope.recipients = &waiting;
	envelope.recipient_count = 1;
	envelope.ret = DSN_RET_FULL;
	assert_report("dsn_delayed.eml", &envelope, &options, (struct dsn_needs){ false, false });
}

static void a_relay_report_cannot_be_forged_by_a_reply(void **state)
{
	struct envelope envelope = sample();
	struct dsn_options options = options_for(DSN_RELAYED);

	(void)state;
	options.rcpt_idx = only_third;
	assert_report("dsn_relayed.eml", &envelope, &options, (struct dsn_needs){ false, false });
}

static void an_internationalized_report_keeps_its_letters(void **state)
{
	struct envelope envelope = sample();
	struct dsn_options options = options_for(DSN_FAILED);
	struct envelope_recipient failed = { .addr = SPAN_LIT("\xc3\xa4@b.example"),
		.state = RECIPIENT_FAILED,
		.status = { 550, { 5, 6, 7 } },
		.diagnostic = SPAN_LIT("5.6.7 caf\xc3\xa9") };

	(void)state;
	envelope.smtputf8 = true;
	envelope.sender = span_of_str("\xc3\xb6@a.example");
	envelope.recipients = &failed;
	envelope.recipient_count = 1;
	assert_report("dsn_utf8.eml", &envelope, &options, (struct dsn_needs){ true, true });
}

static bool contains(struct span text, const char *wanted)
{
	struct span needle = span_of_str(wanted);

	for (; text.len >= needle.len; text = span_drop(text, 1)) {
		if (span_starts_with(text, needle))
			return true;
	}
	return false;
}

static void what_is_returned_follows_ret_kind_and_size(void **state)
{
	static const struct {
		enum dsn_kind kind;
		enum dsn_ret ret;
		const char *original;
		bool is_whole;
		size_t full_max;
		const char *type, *returned; /* with what comes before and behind */
		bool needs_8bit;
	} rows[] = {
		{ DSN_FAILED, DSN_RET_NONE, MESSAGE, true, 1000, "message/rfc822",
			"7bit\r\n\r\n" MESSAGE "\r\n--", false },
		{ DSN_FAILED, DSN_RET_FULL, MESSAGE, true, 1000, "message/rfc822", MESSAGE "\r\n--", false },
		{ DSN_FAILED, DSN_RET_HDRS, MESSAGE, true, 1000, "text/rfc822-headers", HEADER "\r\n--",
			false },
		{ DSN_FAILED, DSN_RET_FULL, MESSAGE, true, 10, "text/rfc822-headers", HEADER "\r\n--",
			false },
		{ DSN_FAILED, DSN_RET_FULL, HEADER, false, 1000, "text/rfc822-headers", HEADER "\r\n--",
			false },
		{ DSN_DELAYED, DSN_RET_FULL, MESSAGE, true, 1000, "text/rfc822-headers", HEADER "\r\n--",
			false },
		{ DSN_RELAYED, DSN_RET_FULL, MESSAGE, true, 1000, "text/rfc822-headers", HEADER "\r\n--",
			false },
		{ DSN_FAILED, DSN_RET_FULL, HEADER "\xe4\r\n", true, 1000, "message/rfc822",
			"8bit\r\n\r\n" HEADER "\xe4\r\n\r\n--", true },
		{ DSN_FAILED, DSN_RET_FULL, "X: \xe4\r\n" HEADER "Hi\r\n", true, 1000, "text/rfc822-headers",
			"8bit\r\n\r\nX: \xe4\r\n" HEADER "\r\n--", true },
		{ DSN_FAILED, DSN_RET_HDRS, HEADER "\xe4\r\n", true, 1000, "text/rfc822-headers",
			HEADER "\r\n--", false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct envelope envelope = sample();
		struct dsn_options options = options_for(rows[i].kind);
		struct buf seen = { 0 };
		struct dsn_needs needs;

		envelope.ret = rows[i].ret;
		options.original = span_of_str(rows[i].original);
		options.original_is_whole = rows[i].is_whole;
		options.full_max = rows[i].full_max;
		needs = dsn_build(&envelope, &options, &seen);
		if (!contains(buf_span(&seen), rows[i].type) || !contains(buf_span(&seen), rows[i].returned))
			fail_msg("row %zu:\n%.*s", i, SPAN_ARGS(buf_span(&seen)));
		assert_int_equal(needs.needs_8bit, rows[i].needs_8bit);
		assert_int_equal(
			contains(buf_span(&seen), "MIME-Version: 1.0\r\nContent-Type: multipart/report;"),
			true);
		buf_fini(&seen);
	}
}

/* RFC 8689 5 */
static void what_must_have_tls_is_not_returned(void **state)
{
	struct envelope envelope = sample();
	struct dsn_options options = options_for(DSN_FAILED);
	struct buf seen = { 0 };

	(void)state;
	envelope.ret = DSN_RET_FULL;
	envelope.requiretls = true;
	options.original = span_of_str(MESSAGE);
	options.original_is_whole = true;
	options.full_max = 1000;
	(void)dsn_build(&envelope, &options, &seen);
	assert_true(contains(buf_span(&seen), "text/rfc822-headers"));
	assert_true(contains(buf_span(&seen), HEADER "\r\n--"));
	assert_false(contains(buf_span(&seen), "body"));
	buf_fini(&seen);
}

static void a_message_that_is_gone_is_reported_without_it(void **state)
{
	static const char *const rows[] = { "", "no header at all\r\n" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct envelope envelope = sample();
		struct dsn_options options = options_for(DSN_FAILED);
		struct buf seen = { 0 };

		options.original = span_of_str(rows[i]);
		options.original_is_whole = false;
		dsn_build(&envelope, &options, &seen);
		assert_false(contains(buf_span(&seen), "rfc822-headers"));
		assert_true(contains(buf_span(&seen), "\r\n--0123456789abcdef--\r\n"));
		buf_fini(&seen);
	}
}

/* RFC 5322 2.1.1, RFC 2822: no line past 998, none that is blank inside the status fields, no bare CR or LF.
 */
static void hostile_texts_keep_the_report_well_formed(void **state)
{
	char spaces[512], letters[512], controls[512];
	const struct span texts[] = { span_of(spaces, 512), span_of(letters, 512), span_of(controls, 512),
		SPAN_LIT("\r\n\r\nFinal-Recipient: rfc822; x"), SPAN_LIT("   lead and trail   ") };

	(void)state;
	memset(spaces, ' ', sizeof(spaces));
	memset(letters, 'x', sizeof(letters));
	for (size_t i = 0; i < sizeof(controls); i++)
		controls[i] = (char)(i % 32);
	for (size_t i = 0; i < ARRAY_LEN(texts); i++) {
		struct envelope_recipient recipient = recipients[0];
		struct envelope envelope = sample();
		struct dsn_options options = options_for(DSN_FAILED);
		struct buf seen = { 0 };
		struct span rest;
		size_t recipient_fields = 0;

		recipient.diagnostic = texts[i];
		recipient.remote = span_take(texts[i], texts[i].len < 255 ? texts[i].len : 255);
		envelope.recipients = &recipient;
		envelope.recipient_count = 1;
		envelope.envid = SPAN_LIT("a+0D+0AX-Evil:+20b+0D+0A+0D+0Ac+");
		dsn_build(&envelope, &options, &seen);
		for (rest = buf_span(&seen); rest.len;) {
			size_t len = span_find(rest, '\n');

			assert_in_range(len, 1, 998);
			assert_int_equal(rest.ptr[len - 1], '\r');
			assert_int_equal(span_find(rest, '\r'), len - 1);
			if (len > 1)
				assert_true(span_trim(span_take(rest, len - 1)).len);
			assert_false(span_starts_with(rest, SPAN_LIT("X-Evil")));
			recipient_fields += span_starts_with(rest, SPAN_LIT("Final-Recipient:"));
			rest = span_drop(rest, len + 1);
		}
		assert_int_equal(recipient_fields, 1);
		buf_fini(&seen);
	}
}

static void a_report_is_wanted_by_the_rules_of_notify(void **state)
{
	enum { N = DSN_NOTIFY_NEVER, S = DSN_NOTIFY_SUCCESS, F = DSN_NOTIFY_FAILURE, D = DSN_NOTIFY_DELAY };
	static const struct {
		uint8_t notify;
		bool delay_told, failed, delayed, relayed;
	} rows[] = {
		{ 0, false, true, true, false },
		{ 0, true, true, false, false },
		{ N, false, false, false, false },
		{ S, false, false, false, true },
		{ F, false, true, false, false },
		{ D, false, false, true, false },
		{ D, true, false, false, false },
		{ S | F | D, false, true, true, true },
	};
	struct envelope envelope = sample(), null_sender = sample();

	(void)state;
	null_sender.sender = span_of(NULL, 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct envelope_recipient recipient = {
			.notify = rows[i].notify, .delay_told = rows[i].delay_told, .is_unreported = true
		};

		assert_int_equal(dsn_is_wanted(&envelope, &recipient, DSN_FAILED), rows[i].failed);
		assert_int_equal(dsn_is_wanted(&envelope, &recipient, DSN_DELAYED), rows[i].delayed);
		assert_int_equal(dsn_is_wanted(&envelope, &recipient, DSN_RELAYED), rows[i].relayed);
		for (enum dsn_kind kind = DSN_FAILED; kind <= DSN_RELAYED; kind++)
			assert_false(dsn_is_wanted(&null_sender, &recipient, kind));
	}
}

/* RFC 2852 4.2 */
static void who_gave_a_time_hears_that_it_is_out_of_our_hands(void **state)
{
	enum { N = DSN_NOTIFY_NEVER, S = DSN_NOTIFY_SUCCESS, F = DSN_NOTIFY_FAILURE };
	static const struct {
		uint8_t notify;
		bool is_unreported, is_untimed, wanted;
	} rows[] = {
		{ 0, true, false, false },
		{ 0, true, true, true },
		{ 0, false, true, true },
		{ N, false, true, false },
		{ F, false, true, true },
		{ S, false, false, false },
		{ S, true, false, true },
	};
	struct envelope envelope = sample();
	struct dsn_options options = options_for(DSN_RELAYED);
	struct buf seen = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct envelope_recipient recipient = { .notify = rows[i].notify,
			.is_unreported = rows[i].is_unreported,
			.is_untimed = rows[i].is_untimed };

		assert_int_equal(dsn_is_wanted(&envelope, &recipient, DSN_RELAYED), rows[i].wanted);
	}
	options.rcpt_idx = only_third;
	options.rcpt_count = 1;
	envelope.deliver_by = DELIVER_BY_NOTIFY;
	envelope.deliver_by_ms = 1590048120000;
	(void)dsn_build(&envelope, &options, &seen);
	assert_true(contains(buf_span(&seen), "You gave a time to deliver by."));
	assert_true(contains(buf_span(&seen), "\r\nDeliver-By-Date: Thu, 21 May 2020 "));
	buf_fini(&seen);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_failure_report_says_why_and_returns_the_message),
		cmocka_unit_test(a_delay_report_says_until_when_and_returns_the_header),
		cmocka_unit_test(a_relay_report_cannot_be_forged_by_a_reply),
		cmocka_unit_test(an_internationalized_report_keeps_its_letters),
		cmocka_unit_test(what_is_returned_follows_ret_kind_and_size),
		cmocka_unit_test(what_must_have_tls_is_not_returned),
		cmocka_unit_test(a_message_that_is_gone_is_reported_without_it),
		cmocka_unit_test(hostile_texts_keep_the_report_well_formed),
		cmocka_unit_test(a_report_is_wanted_by_the_rules_of_notify),
		cmocka_unit_test(who_gave_a_time_hears_that_it_is_out_of_our_hands),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
