#include "cmocka_all.h"

#include "skein/cluster/track_event.h"
#include "skein/proto/base/utf8.h"

#include <stdlib.h>

static struct track_event delivered(void)
{
	return (struct track_event){
		.kind = TRACK_DELIVER,
		.time_us = 1764038641123456,
		.session = 0x6925d3f100000007,
		.code = 250,
		.size = 1234,
		.latency_us = 1500000,
		.attempts = 2,
		.recipients = 1,
		.text = {
			[TRACK_NODE_NAME] = SPAN_LIT("relay-1"),
			[TRACK_ID] = SPAN_LIT("01KAWCQZ0G0000000000000001"),
			[TRACK_CLIENT] = SPAN_LIT("10.1.2.3"),
			[TRACK_USER] = SPAN_LIT("jane"),
			[TRACK_HELO] = SPAN_LIT("ws17.example.net"),
			[TRACK_TLS_TEXT] = SPAN_LIT("TLSv1.3 TLS_AES_256_GCM_SHA384"),
			[TRACK_SENDER] = SPAN_LIT("jane@example.net"),
			[TRACK_RECIPIENT] = SPAN_LIT("bob@example.com"),
			[TRACK_HOP] = SPAN_LIT("mx.example.com:192.0.2.7:25"),
			[TRACK_STATUS] = SPAN_LIT("2.0.0"),
			[TRACK_TEXT] = SPAN_LIT("OK for \"bob@example.com\""),
			[TRACK_RULE] = SPAN_LIT("smarthost"),
			[TRACK_ABOUT] = SPAN_LIT("cut-through"),
		},
	};
}

static void assert_same(const struct track_event *a, const struct track_event *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_true(a->time_us == b->time_us && a->session == b->session && a->code == b->code);
	assert_true(a->size == b->size && a->latency_us == b->latency_us);
	assert_true(a->attempts == b->attempts && a->recipients == b->recipients);
	for (unsigned i = 0; i < TRACK_TEXT_COUNT; i++)
		assert_true(span_eq(a->text[i], b->text[i]));
}

static bool holds(struct span text, struct span wanted)
{
	for (; text.len >= wanted.len; text = span_drop(text, 1)) {
		if (span_starts_with(text, wanted))
			return true;
	}
	return false;
}

static void what_is_encoded_comes_back(void **state)
{
	const struct track_event event = delivered(), empty = { .kind = TRACK_NODE };
	struct track_event back;
	char out[2 * TRACK_EVENT_MAX];
	size_t first = track_event_encode(&event, out);
	struct span bytes = span_of(out, first + track_event_encode(&empty, out + first));

	(void)state;
	assert_int_equal(track_event_decode(&bytes, &back), ERR_OK);
	assert_same(&event, &back);
	assert_int_equal(bytes.len, 3); /* nothing is said */
	assert_int_equal(track_event_decode(&bytes, &back), ERR_OK);
	assert_same(&empty, &back);
	assert_int_equal(bytes.len, 0);
	assert_int_equal(track_event_decode(&bytes, &back), ERR_CORRUPT);
}

static void each_truncation_is_damage_and_takes_nothing(void **state)
{
	const struct track_event event = delivered();
	struct track_event back;
	char out[TRACK_EVENT_MAX];
	size_t len = track_event_encode(&event, out);

	(void)state;
	for (size_t cut = 0; cut < len; cut++) {
		/* Of its own size, so that a sanitizer sees a read past the end. */
		char *copy = malloc(cut + 1);
		struct span bytes = span_of(copy, cut);

		memcpy(copy, out, cut);
		assert_int_equal(track_event_decode(&bytes, &back), ERR_CORRUPT);
		assert_int_equal(bytes.len, cut);
		free(copy);
	}
}

/* The same with a length that fits what is left: values are cut in the middle. */
static void each_shortened_event_is_damage_or_whole_values(void **state)
{
	const struct track_event event = delivered();
	struct track_event back;
	char out[TRACK_EVENT_MAX];
	size_t len = track_event_encode(&event, out);
	unsigned whole = 0;

	(void)state;
	for (size_t cut = len - 1; cut >= 3; cut--) {
		struct span bytes = span_of(out, cut);

		out[0] = (char)(unsigned char)((cut - 2) & 0xff);
		out[1] = (char)(unsigned char)((cut - 2) >> 8);
		if (track_event_decode(&bytes, &back) == ERR_OK)
			whole++;
	}
	assert_int_equal(whole, 20); /* 7 numbers, 13 texts */
}

static void damaged_bytes_never_read_outside(void **state)
{
	const struct track_event event = delivered();
	char out[TRACK_EVENT_MAX];
	size_t len = track_event_encode(&event, out);

	(void)state;
	for (size_t at = 0; at < len; at++) {
		for (unsigned bit = 0; bit < 8; bit++) {
			char *copy = malloc(len);
			struct span bytes = span_of(copy, len);
			struct track_event back;
			enum err err;

			memcpy(copy, out, len);
			copy[at] = (char)(copy[at] ^ (1 << bit));
			err = track_event_decode(&bytes, &back);
			assert_true(err == ERR_OK || err == ERR_CORRUPT || err == ERR_INVALID);
			for (unsigned i = 0; !err && i < TRACK_TEXT_COUNT; i++)
				assert_true(back.text[i].len <= TRACK_VALUE_MAX);
			free(copy);
		}
	}
}

static void bad_lengths_and_numbers_are_damage(void **state)
{
	static const struct span rows[] = {
		SPAN_LIT("\x00\x00"),
		SPAN_LIT("\x00\x00\x01"),                                             /* no kind */
		SPAN_LIT("\xff\xff\x01"),                                             /* too long */
		SPAN_LIT("\x02\x00\x01\x00"),                                         /* a tag alone */
		SPAN_LIT("\x0c\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02"), /* over 64 bits */
		SPAN_LIT("\x0d\x00\x01\x00\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"),
		SPAN_LIT("\x04\x00\x01\x80\x02x"), /* shorter than it says */
		SPAN_LIT("\x04\x00\x01\x80\xff\x7f"),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct span bytes = rows[i];
		struct track_event event;

		assert_int_equal(track_event_decode(&bytes, &event), ERR_CORRUPT);
		assert_int_equal(bytes.len, rows[i].len);
	}
}

static void what_a_newer_version_says_is_passed_over(void **state)
{
	/* A number and a text that are not known, between two that are. */
	struct span bytes = SPAN_LIT("\x0c\x00\x06\x02\x05\x3f\x81\x01\xff\x01z\x81\x01i"
				     "\x04\x00\x7f\x81\x01i"
				     "\x01\x00\x00");
	struct track_event event;

	(void)state;
	assert_int_equal(track_event_decode(&bytes, &event), ERR_OK);
	assert_int_equal(event.kind, TRACK_DISCARD);
	assert_int_equal(event.code, 5);
	assert_span_equal(event.text[TRACK_ID], "i");
	assert_int_equal(track_event_decode(&bytes, &event), ERR_INVALID);
	assert_int_equal(track_event_decode(&bytes, &event), ERR_OK);
	assert_int_equal(event.kind, TRACK_CONNECT);
	assert_int_equal(bytes.len, 0);
}

static void long_text_is_cut_between_characters(void **state)
{
	struct track_event event = { .kind = TRACK_FAIL }, back;
	char text[2 * TRACK_VALUE_MAX], out[TRACK_EVENT_MAX];

	(void)state;
	for (size_t lead = 0; lead < 4; lead++) {
		struct span bytes;

		memset(text, 'x', sizeof(text));
		for (size_t i = lead; i + 2 < sizeof(text); i += 2)
			memcpy(text + i, "\xc3\xa9", 2);
		event.text[TRACK_TEXT] = span_of(text, sizeof(text) - 2);
		bytes = span_of(out, track_event_encode(&event, out));
		assert_int_equal(track_event_decode(&bytes, &back), ERR_OK);
		assert_in_range(back.text[TRACK_TEXT].len, TRACK_VALUE_MAX - 1, TRACK_VALUE_MAX);
		assert_true(utf8_is_valid(back.text[TRACK_TEXT]));
		assert_memory_equal(
			back.text[TRACK_TEXT].ptr + back.text[TRACK_TEXT].len - 3, "\xe2\x80\xa6", 3);
	}
}

static void an_event_never_gets_longer_than_its_bound(void **state)
{
	struct track_event event = { .kind = TRACK_FAIL, .time_us = UINT64_MAX, .session = UINT64_MAX }, back;
	char text[TRACK_VALUE_MAX], out[TRACK_EVENT_MAX + 1];
	struct span bytes;

	(void)state;
	memset(text, 'x', sizeof(text));
	for (size_t len = 250; len <= sizeof(text); len++) {
		out[TRACK_EVENT_MAX] = '!';
		for (unsigned i = 0; i < TRACK_TEXT_COUNT; i++)
			event.text[i] = span_of(text, len);
		bytes = span_of(out, track_event_encode(&event, out));
		assert_in_range(bytes.len, 13 * 250, TRACK_EVENT_MAX);
		assert_int_equal(out[TRACK_EVENT_MAX], '!');
		assert_int_equal(track_event_decode(&bytes, &back), ERR_OK);
		assert_int_equal(back.text[TRACK_ID].len, len);
	}
	assert_int_equal(back.text[TRACK_ABOUT].len, 0);
}

static void time_is_told_to_the_microsecond(void **state)
{
	static const struct {
		uint64_t us;
		const char *text;
	} rows[] = {
		{ 0, "1970-01-01T00:00:00.000000Z" },
		{ 951782399999999, "2000-02-28T23:59:59.999999Z" },
		{ 951782400000000, "2000-02-29T00:00:00.000000Z" },
		{ 951868800000001, "2000-03-01T00:00:00.000001Z" },
		{ 1764038641123456, "2025-11-25T02:44:01.123456Z" },
		{ 4107542400000000, "2100-03-01T00:00:00.000000Z" },
		{ 1735689599000000, "2024-12-31T23:59:59.000000Z" },
	};
	char text[TRACK_TIME_LEN];
	uint64_t back;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		track_time_format(rows[i].us, text);
		assert_span_equal(span_of(text, sizeof(text)), rows[i].text);
		assert_true(track_time_parse(span_of(text, sizeof(text)), &back));
		assert_int_equal(back, rows[i].us);
	}
}

static void what_is_no_time_is_refused(void **state)
{
	static const char *const rows[] = { "", "2025-11-25T02:44:01Z", "2025-11-25T02:44:01.123456",
		"2025-11-25 02:44:01.123456Z", "1969-12-31T23:59:59.999999Z", "2025-13-01T00:00:00.000000Z",
		"2025-00-01T00:00:00.000000Z", "2025-01-00T00:00:00.000000Z", "2025-01-01T24:00:00.000000Z",
		"2025-01-01T00:60:00.000000Z", "2025-01-01T00:00:00.00000xZ",
		"2025-01-01T00:00:00.0000000Z" };
	uint64_t us;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (track_time_parse(span_of_str(rows[i]), &us))
			fail_msg("%s", rows[i]);
}

static void kinds_have_names(void **state)
{
	(void)state;
	for (unsigned kind = 0; kind < TRACK_KIND_COUNT; kind++) {
		enum track_kind found;

		assert_true(track_kind_find(span_of_str(track_kind_name((enum track_kind)kind)), &found));
		assert_int_equal(found, kind);
	}
	assert_true(track_kind_find(SPAN_LIT("deliver"), &(enum track_kind){ 0 }));
	assert_false(track_kind_find(SPAN_LIT("DELIVERED"), &(enum track_kind){ 0 }));
	assert_string_equal(track_text_name(TRACK_TLS_TEXT), "tls");
	assert_string_equal(track_text_name(TRACK_NODE_NAME), "node");
}

static void an_event_is_a_json_object(void **state)
{
	struct track_event event = delivered();
	struct buf out = { 0 };

	(void)state;
	track_event_json(&event, &out);
	assert_span_equal(buf_span(&out),
		"{\"time\":\"2025-11-25T02:44:01.123456Z\",\"node\":\"relay-1\",\"event\":\"DELIVER\","
		"\"session\":\"6925d3f100000007\",\"id\":\"01KAWCQZ0G0000000000000001\",\"client\":\"10.1.2."
		"3\",\"user\":\"jane\",\"helo\":\"ws17.example.net\",\"tls\":\"TLSv1.3 "
		"TLS_AES_256_GCM_SHA384\",\"sender\":\"jane@example.net\",\"recipient\":\"bob@example.com\","
		"\"recipients\":1,\"size\":1234,\"hop\":\"mx.example.com:192.0.2.7:25\",\"code\":250,"
		"\"status\":\"2.0.0\",\"text\":\"OK for \\\"bob@example.com\\\"\",\"rule\":\"smarthost\","
		"\"about\":\"cut-through\",\"attempts\":2,\"latency_us\":1500000}");
	buf_clear(&out);
	event = (struct track_event){ .kind = TRACK_NODE,
		.text[TRACK_TEXT] = SPAN_LIT("a\\b\nc\x7f\xc2\x85"
					     "d\xff\xc3\xa9\xe2\x80\xae") };
	track_event_json(&event, &out);
	assert_span_equal(buf_span(&out), "{\"time\":\"1970-01-01T00:00:00.000000Z\",\"event\":\"NODE\","
					  "\"text\":\"a\\\\b\\u000ac\\u007f\\u0085"
					  "d\xef\xbf\xbd\xc3\xa9\\u202e\"}");
	buf_fini(&out);
}

static void an_event_is_a_row_of_w3c_columns(void **state)
{
	struct track_event event = delivered();
	struct buf out = { 0 };

	(void)state;
	track_w3c_head("Skein 1.0", event.time_us, &out);
	assert_span_equal(buf_span(&out),
		"#Software: Skein 1.0\n#Version: 1.0\n#Date: 2025-11-25 02:44:01\n"
		"#Fields: date time c-ip cs-username s-computername cs-method cs-uri-stem cs-uri-query "
		"sc-status "
		"cs-bytes time-taken cs-version cs-host x-session x-sender x-recipient x-recipients x-hop "
		"x-status x-text x-rule x-about x-attempts\n");
	buf_clear(&out);
	track_event_w3c(&event, &out);
	assert_span_equal(buf_span(&out),
		"2025-11-25 02:44:01 10.1.2.3 jane relay-1 DELIVER 01KAWCQZ0G0000000000000001 "
		"+FROM:<jane@example.net>+TO:<bob@example.com> 250 1234 1500 TLSv1.3+TLS_AES_256_GCM_SHA384 "
		"ws17.example.net 6925d3f100000007 jane@example.net bob@example.com 1 "
		"mx.example.com:192.0.2.7:25 2.0.0 OK+for+%22bob@example.com%22 smarthost cut-through 2");
	buf_clear(&out);
	event = (struct track_event){ .kind = TRACK_NODE,
		.text[TRACK_TEXT] = SPAN_LIT("50%\r\n\xff\xe2\x80\xae") };
	track_event_w3c(&event, &out);
	assert_span_equal(buf_span(&out),
		"1970-01-01 00:00:00 - - - NODE - - - - - - - - - - - - - 50%25%0d%0a%ff%e2%80%ae - - -");
	buf_clear(&out);
	event = (struct track_event){ .kind = TRACK_FAIL,
		.text = { [TRACK_ID] = SPAN_LIT("i"), [TRACK_RECIPIENT] = SPAN_LIT("a@b") } };
	track_event_w3c(&event, &out);
	assert_true(holds(buf_span(&out), SPAN_LIT(" +FROM:<>+TO:<a@b> ")));
	buf_fini(&out);
}

static void masking_leaves_no_person(void **state)
{
	const struct track_redaction redaction = { TRACK_REDACT_MASKED, { 0 } };
	static const struct {
		enum track_text which;
		const char *before, *after;
	} rows[] = {
		{ TRACK_SENDER, "jane.doe@example.net", "j***@example.net" },
		{ TRACK_SENDER, "postmaster", "p***" },
		{ TRACK_SENDER, "\xc3\xa9loise@example.net", "\xc3\xa9***@example.net" },
		{ TRACK_RECIPIENT, "a1@x.example \"b c\\\" d\"@y.example e@z",
			"a***@x.example \"***@y.example e***@z" },
		{ TRACK_CLIENT, "10.1.2.3", "10.1.2.0/24" },
		{ TRACK_CLIENT, "2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64" },
		{ TRACK_CLIENT, "2001:db8::1", "2001:db8::/64" },
		{ TRACK_CLIENT, "::1", "::/64" },
		{ TRACK_USER, "jane", "j***" },
		{ TRACK_HELO, "ws17.example.net", "***.example.net" },
		{ TRACK_HELO, "[10.1.2.3]", "***" },
		{ TRACK_HELO, "janes-laptop", "***" },
		{ TRACK_TEXT, "<jane@example.net>: no mailbox; ask it@example.net,please",
			"<j***@example.net>: no mailbox; ask i***@example.net,please" },
		{ TRACK_ABOUT, "rcpt bob@example.com", "rcpt b***@example.com" },
		{ TRACK_HOP, "mx.example.com:25", "mx.example.com:25" },
	};
	struct arena arena = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct track_event event = { .kind = TRACK_FAIL };

		event.text[rows[i].which] = span_of_str(rows[i].before);
		track_event_redact(&event, &redaction, &arena);
		assert_span_equal(event.text[rows[i].which], rows[i].after);
	}
	arena_fini(&arena);
}

static void a_client_is_masked_in_answers_too(void **state)
{
	const struct track_redaction redaction = { TRACK_REDACT_MASKED, { 0 } };
	struct track_event event = { .kind = TRACK_REJECT,
		.text = { [TRACK_CLIENT] = SPAN_LIT("10.1.2.3"),
			[TRACK_TEXT] = SPAN_LIT("no mail from 10.1.2.3, see 10.1.2.30") } };
	struct track_event certificate = { .kind = TRACK_TLS, .text[TRACK_TEXT] = SPAN_LIT("CN=Jane Doe") };
	struct arena arena = { 0 };

	(void)state;
	track_event_redact(&event, &redaction, &arena);
	assert_span_equal(event.text[TRACK_TEXT], "no mail from 10.1.2.0/24, see 10.1.2.30");
	track_event_redact(&certificate, &redaction, &arena);
	assert_span_equal(certificate.text[TRACK_TEXT], "C***");
	arena_fini(&arena);
}

static void a_hashed_address_can_be_searched_for(void **state)
{
	const struct track_redaction one = { TRACK_REDACT_HASHED, { 1, 2 } },
				     other = { TRACK_REDACT_HASHED, { 1, 3 } };
	struct track_event event = { .kind = TRACK_FAIL,
		.text = { [TRACK_SENDER] = SPAN_LIT("Jane@Example.net"),
			[TRACK_RECIPIENT] = SPAN_LIT("bob@example.com jane@example.net"),
			[TRACK_USER] = SPAN_LIT("jane") } };
	struct arena arena = { 0 };
	struct span known = track_redact_address(SPAN_LIT("jane@example.net"), &one, &arena);
	struct span foreign = track_redact_address(SPAN_LIT("jane@example.net"), &other, &arena);

	(void)state;
	track_event_redact(&event, &one, &arena);
	assert_int_equal(known.len, 17 + 12);
	assert_true(span_eq_nocase(event.text[TRACK_SENDER], known));
	assert_false(span_eq(foreign, known));
	assert_true(holds(event.text[TRACK_RECIPIENT], known));
	assert_int_equal(event.text[TRACK_USER].len, 17);
	arena_fini(&arena);
}

static void nothing_is_redacted_when_it_is_off(void **state)
{
	const struct track_redaction redaction = { TRACK_REDACT_NONE, { 0 } };
	struct track_event event = delivered();
	const struct track_event before = event;

	(void)state;
	track_event_redact(&event, &redaction, &(struct arena){ 0 });
	assert_same(&event, &before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_encoded_comes_back),
		cmocka_unit_test(each_truncation_is_damage_and_takes_nothing),
		cmocka_unit_test(each_shortened_event_is_damage_or_whole_values),
		cmocka_unit_test(damaged_bytes_never_read_outside),
		cmocka_unit_test(bad_lengths_and_numbers_are_damage),
		cmocka_unit_test(what_a_newer_version_says_is_passed_over),
		cmocka_unit_test(long_text_is_cut_between_characters),
		cmocka_unit_test(an_event_never_gets_longer_than_its_bound),
		cmocka_unit_test(time_is_told_to_the_microsecond),
		cmocka_unit_test(what_is_no_time_is_refused),
		cmocka_unit_test(kinds_have_names),
		cmocka_unit_test(an_event_is_a_json_object),
		cmocka_unit_test(an_event_is_a_row_of_w3c_columns),
		cmocka_unit_test(masking_leaves_no_person),
		cmocka_unit_test(a_client_is_masked_in_answers_too),
		cmocka_unit_test(a_hashed_address_can_be_searched_for),
		cmocka_unit_test(nothing_is_redacted_when_it_is_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
