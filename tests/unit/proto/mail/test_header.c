#include "cmocka_all.h"

#include "skein/proto/mail/envelope.h"
#include "skein/proto/mail/header.h"

enum { ALL = HEADER_MESSAGE_ID | HEADER_DATE | HEADER_FROM, SIZE_LIMIT = 200 };

static const struct scan_row {
	const char *message;
	enum header_scan_state state; /* before the end of the message is told */
	unsigned received, fields, field_count;
	bool is_malformed;
	const char *section;
} scan_rows[] = {
	{ "From: a\r\nDate: x\r\nMessage-ID: <y>\r\n\r\nReceived: no\r\n", HEADER_ENDED, 0, ALL, 3, false,
		"From: a\r\nDate: x\r\nMessage-ID: <y>\r\n\r\n" },
	{ "RECEIVED: a\r\nreceived : b\r\nReceived:c\r\n\tReceived: d\r\n\r\n", HEADER_ENDED, 3, 0, 3, false,
		"RECEIVED: a\r\nreceived : b\r\nReceived:c\r\n\tReceived: d\r\n\r\n" },
	{ "Received-SPF: x\r\nXReceived: y\r\nReceive: z\r\nMessage-IDs: q\r\n\r\n", HEADER_ENDED, 0, 0, 4,
		false, "Received-SPF: x\r\nXReceived: y\r\nReceive: z\r\nMessage-IDs: q\r\n\r\n" },
	{ "X-A-Name-Longer-Than-Any-We-Look-For: x\r\nFrom: y\r\n\r\n", HEADER_ENDED, 0, HEADER_FROM, 2,
		false, "X-A-Name-Longer-Than-Any-We-Look-For: x\r\nFrom: y\r\n\r\n" },
	{ "TLS-Required: No\r\n\r\n", HEADER_ENDED, 0, HEADER_TLS_OPTIONAL, 1, false,
		"TLS-Required: No\r\n\r\n" },
	{ "tls-required:no \t\nFrom: a\n\n", HEADER_ENDED, 0, HEADER_TLS_OPTIONAL | HEADER_FROM, 2, false,
		"tls-required:no \t\nFrom: a\n\n" },
	{ "TLS-Required: Now\r\nTLS-Required: Yes\r\nTLS-Required: n o\r\nTLS-Required:\r\n No\r\n\r\n",
		HEADER_ENDED, 0, 0, 4, false,
		"TLS-Required: Now\r\nTLS-Required: Yes\r\nTLS-Required: n o\r\nTLS-Required:\r\n "
		"No\r\n\r\n" },
	{ "X-TLS-Required: No\r\nSubject: No\r\n\r\nTLS-Required: No\r\n", HEADER_ENDED, 0, 0, 2, false,
		"X-TLS-Required: No\r\nSubject: No\r\n\r\n" },
	{ "\r\nbody\r\n", HEADER_ENDED, 0, 0, 0, false, "\r\n" },
	{ "\nbody\n", HEADER_ENDED, 0, 0, 0, false, "\n" },
	{ "From: a\n\nbody", HEADER_ENDED, 0, HEADER_FROM, 1, false, "From: a\n\n" },
	{ "Hello there,\r\nFrom: a\r\n", HEADER_ENDED, 0, 0, 0, true, "" },
	{ "From root Mon Jan 1\r\nFrom: a\r\n", HEADER_ENDED, 0, 0, 0, true, "" },
	{ " folded: first\r\n", HEADER_ENDED, 0, 0, 0, true, "" },
	{ ": no name\r\n", HEADER_ENDED, 0, 0, 0, true, "" },
	{ "From: a\r\nno colon\r\nDate: x\r\n", HEADER_ENDED, 0, HEADER_FROM, 1, true, "From: a\r\n" },
	{ "From: a\r\nDate\r\n\r\n", HEADER_ENDED, 0, HEADER_FROM, 1, true, "From: a\r\n" },
	{ "From: a\r\nD\xc3\xa4te: x\r\n", HEADER_ENDED, 0, HEADER_FROM, 1, true, "From: a\r\n" },
	{ "From: a\r\n\rx\r\n", HEADER_ENDED, 0, HEADER_FROM, 1, true, "From: a\r\n" },
	{ "From: a\r\n", HEADER_SCANNING, 0, HEADER_FROM, 1, false, "From: a\r\n" },
	{ "From: a", HEADER_SCANNING, 0, HEADER_FROM, 1, false, "From: a" },
	{ "From: a\r\nDat", HEADER_SCANNING, 0, HEADER_FROM, 1, true, "From: a\r\n" },
	{ "", HEADER_SCANNING, 0, 0, 0, false, "" },
};

static void check_scan(const struct scan_row *row, size_t piece_len)
{
	struct header_scan scan;
	struct span rest = span_of_str(row->message);

	header_scan_init(&scan, SIZE_LIMIT);
	while (rest.len) {
		size_t len = rest.len < piece_len ? rest.len : piece_len;

		(void)header_scan_feed(&scan, span_take(rest, len));
		rest = span_drop(rest, len);
	}
	if (scan.state != row->state)
		fail_msg("%s: state %d", row->message, scan.state);
	assert_int_equal(header_scan_end(&scan), HEADER_ENDED);
	assert_int_equal(scan.received_count, row->received);
	assert_int_equal(scan.fields, row->fields);
	assert_int_equal(scan.field_count, row->field_count);
	if (scan.is_malformed != row->is_malformed)
		fail_msg("%s: malformed %d", row->message, scan.is_malformed);
	assert_span_equal(span_take(span_of_str(row->message), scan.size), row->section);
}

static void messages_scan_alike_whole_and_byte_by_byte(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(scan_rows); i++) {
		check_scan(&scan_rows[i], SIZE_MAX);
		check_scan(&scan_rows[i], 1);
		check_scan(&scan_rows[i], 3);
	}
}

static void a_header_section_is_bounded(void **state)
{
	static const char *const rows[] = { "X: y\r\n", "X: y\r\n y", "xxxxxxxx", "X:yyyyyyy" };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_scan scan;
		size_t fed = 0;

		header_scan_init(&scan, SIZE_LIMIT);
		for (; fed + strlen(rows[i]) <= SIZE_LIMIT; fed += strlen(rows[i]))
			assert_int_equal(header_scan_feed(&scan, span_of_str(rows[i])), HEADER_SCANNING);
		assert_int_equal(header_scan_feed(&scan, span_of_str(rows[i])), HEADER_TOO_LONG);
		assert_int_equal(header_scan_feed(&scan, SPAN_LIT("\r\n\r\n")), HEADER_TOO_LONG);
		assert_int_equal(header_scan_end(&scan), HEADER_TOO_LONG);
	}
}

static void the_received_field_tells_how_a_message_came(void **state)
{
	static const struct {
		struct header_received received;
		const char *text;
	} rows[] = {
		{ { .helo = SPAN_LIT("pc.example"),
			  .client_ip = SPAN_LIT("192.0.2.7"),
			  .protocol = PROTOCOL_EXTENDED | PROTOCOL_TLS | PROTOCOL_AUTH,
			  .only_rcpt = SPAN_LIT("r@b.example") },
			"Received: from pc.example ([192.0.2.7])\r\n\tby mx.example (Skein) with ESMTPSA id "
			"01ABC\r\n"
			"\tfor <r@b.example>;\r\n\tThu, 21 May 2020 10:00:00 +0200\r\n" },
		{ { .helo = SPAN_LIT("[IPv6:2001:db8::1]"), .client_ip = SPAN_LIT("2001:db8::1") },
			"Received: from [IPv6:2001:db8::1] ([IPv6:2001:db8::1])\r\n"
			"\tby mx.example (Skein) with SMTP id 01ABC;\r\n\tThu, 21 May 2020 10:00:00 "
			"+0200\r\n" },
		{ { .helo = SPAN_LIT("a\r\nBcc: x) <y>(\\"),
			  .client_ip = SPAN_LIT("::1"),
			  .protocol = PROTOCOL_EXTENDED },
			"Received: from a??Bcc:?x???y??? ([IPv6:::1])\r\n"
			"\tby mx.example (Skein) with ESMTP id 01ABC;\r\n\tThu, 21 May 2020 10:00:00 "
			"+0200\r\n" },
		{ { .client_ip = SPAN_LIT("192.0.2.7"),
			  .protocol = PROTOCOL_EXTENDED | PROTOCOL_TLS,
			  .smtputf8 = true },
			"Received: from unknown ([192.0.2.7])\r\n"
			"\tby mx.example (Skein) with UTF8SMTPS id 01ABC;\r\n\tThu, 21 May 2020 10:00:00 "
			"+0200\r\n" },
		{ { .protocol = PROTOCOL_EXTENDED }, "Received: by mx.example (Skein) with ESMTP id "
						     "01ABC;\r\n\tThu, 21 May 2020 10:00:00 +0200\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_received received = rows[i].received;
		struct buf out = { 0 };

		received.host = "mx.example";
		received.id = SPAN_LIT("01ABC");
		received.unix_s = 1590048000;
		received.offset_min = 120;
		header_append_received(&out, &received);
		assert_span_equal(buf_span(&out), rows[i].text);
		buf_fini(&out);
	}
}

static void a_long_helo_cannot_make_a_line_that_is_too_long(void **state)
{
	char helo[5000];
	struct header_received received = { .helo = { helo, sizeof(helo) }, .host = "mx.example" };
	struct buf out = { 0 };

	(void)state;
	memset(helo, 'a', sizeof(helo));
	header_append_received(&out, &received);
	assert_in_range(span_find(buf_span(&out), '\n'), 1, 998);
	buf_fini(&out);
}

static void what_is_missing_is_added(void **state)
{
	static const struct {
		const char *message, *added;
	} rows[] = {
		{ "From: a\r\n\r\n",
			"Date: Thu, 21 May 2020 08:00:00 +0000\r\nMessage-ID: <01ABC@mx.example>\r\n" },
		{ "Date: a\r\n\r\n", "Message-ID: <01ABC@mx.example>\r\n" },
		{ "message-id: a\r\n\r\n", "Date: Thu, 21 May 2020 08:00:00 +0000\r\n" },
		{ "Date: a\r\nMessage-Id: b\r\n\r\n", "" },
		{ "Date: a\r\nMessage-Id: b\r\nbody\r\n", "" },
		{ "just text\r\n",
			"Date: Thu, 21 May 2020 08:00:00 +0000\r\nMessage-ID: <01ABC@mx.example>\r\n\r\n" },
		{ "\r\ntext\r\n",
			"Date: Thu, 21 May 2020 08:00:00 +0000\r\nMessage-ID: <01ABC@mx.example>\r\n" },
	};
	const struct header_received received = {
		.host = "mx.example", .id = SPAN_LIT("01ABC"), .unix_s = 1590048000
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct header_scan scan;
		struct buf out = { 0 };

		header_scan_init(&scan, SIZE_LIMIT);
		(void)header_scan_feed(&scan, span_of_str(rows[i].message));
		(void)header_scan_end(&scan);
		header_append_missing(&out, &scan, &received);
		assert_span_equal(buf_span(&out), rows[i].added);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_scan_alike_whole_and_byte_by_byte),
		cmocka_unit_test(a_header_section_is_bounded),
		cmocka_unit_test(the_received_field_tells_how_a_message_came),
		cmocka_unit_test(a_long_helo_cannot_make_a_line_that_is_too_long),
		cmocka_unit_test(what_is_missing_is_added),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
