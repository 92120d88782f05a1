#include "cmocka_all.h"

#include <stdio.h>
#include <stdlib.h>

#include "skein/proto/base/alloc.h"
#include "skein/proto/mail/envelope.h"

static struct envelope_recipient sample_recipients[] = {
	{ .addr = SPAN_LIT("r1@b.example") },
	{ .addr = SPAN_LIT("\"a <b>\\\" c\"@b.example"),
		.orcpt = SPAN_LIT("rfc822;o+2B3@b.example"),
		.notify = DSN_NOTIFY_SUCCESS | DSN_NOTIFY_DELAY,
		.state = RECIPIENT_FAILED,
		.delay_told = true,
		.attempts = 7,
		.last_attempt_ms = 1590048000123,
		.status = { 550, { 5, 1, 999 } },
		.diagnostic = SPAN_LIT("5.1.999 no\nsuch user"),
		.remote = SPAN_LIT("mx.b.example") },
	{ .addr = SPAN_LIT("\xc3\xa4@b.example"), .notify = DSN_NOTIFY_NEVER, .state = RECIPIENT_CANCELLED },
};

static const struct envelope sample = {
	.sender = SPAN_LIT("s@a.example"),
	.recipients = sample_recipients,
	.recipient_count = ARRAY_LEN(sample_recipients),
	.smtputf8 = true,
	.has_8bit = true,
	.ret = DSN_RET_HDRS,
	.envid = SPAN_LIT("Q+2B1"),
	.size_declared = 1234567890123,
	.size = 4321,
	.client_ip = SPAN_LIT("2001:db8::1"),
	.helo = SPAN_LIT("what\r\never"),
	.user = SPAN_LIT("jo"),
	.origin_id = SPAN_LIT("01ABC"),
	.protocol = PROTOCOL_EXTENDED | PROTOCOL_TLS,
	.arrival_ms = 1590048000000,
	.expires_ms = 1590480000000,
	.next_try_ms = 1590048060000,
	.attempts = 8,
	.takeovers = 2,
};

static void assert_same_recipient(
	const struct envelope_recipient *seen, const struct envelope_recipient *wanted)
{
	assert_true(span_eq(seen->addr, wanted->addr));
	assert_true(span_eq(seen->orcpt, wanted->orcpt));
	assert_int_equal(seen->notify, wanted->notify);
	assert_int_equal(seen->state, wanted->state);
	assert_int_equal(seen->delay_told, wanted->delay_told);
	assert_int_equal(seen->attempts, wanted->attempts);
	assert_int_equal(seen->last_attempt_ms, wanted->last_attempt_ms);
	assert_int_equal(seen->status.code, wanted->status.code);
	assert_int_equal(seen->status.enhanced.class, wanted->status.enhanced.class);
	assert_int_equal(seen->status.enhanced.subject, wanted->status.enhanced.subject);
	assert_int_equal(seen->status.enhanced.detail, wanted->status.enhanced.detail);
	assert_true(span_eq(seen->diagnostic, wanted->diagnostic));
	assert_true(span_eq(seen->remote, wanted->remote));
}

static void an_envelope_comes_back_as_it_was(void **state)
{
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;

	(void)state;
	envelope_encode(&sample, &bytes);
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_OK);
	/* Nothing of it may point into the bytes. */
	memset(bytes.base, 'x', buf_len(&bytes));
	assert_span_equal(seen.sender, "s@a.example");
	assert_span_equal(seen.envid, "Q+2B1");
	assert_span_equal(seen.client_ip, "2001:db8::1");
	assert_span_equal(seen.helo, "what\r\never");
	assert_span_equal(seen.user, "jo");
	assert_span_equal(seen.origin_id, "01ABC");
	assert_true(seen.smtputf8 && seen.has_8bit);
	assert_int_equal(seen.ret, DSN_RET_HDRS);
	assert_int_equal(seen.size_declared, 1234567890123);
	assert_int_equal(seen.size, 4321);
	assert_int_equal(seen.protocol, PROTOCOL_EXTENDED | PROTOCOL_TLS);
	assert_int_equal(seen.arrival_ms, 1590048000000);
	assert_int_equal(seen.expires_ms, 1590480000000);
	assert_int_equal(seen.next_try_ms, 1590048060000);
	assert_int_equal(seen.attempts, 8);
	assert_int_equal(seen.takeovers, 2);
	assert_int_equal(seen.recipient_count, sample.recipient_count);
	for (size_t i = 0; i < seen.recipient_count; i++)
		assert_same_recipient(&seen.recipients[i], &sample.recipients[i]);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void texts_for_people_are_cut_between_characters(void **state)
{
	struct envelope_recipient recipient = { .addr = SPAN_LIT("r@b") };
	struct envelope envelope = { .recipients = &recipient, .recipient_count = 1 }, seen;
	struct buf text = { 0 }, bytes = { 0 };
	struct arena arena = { 0 };

	(void)state;
	buf_append_byte(&text, 'x');
	while (buf_len(&text) < 2000)
		buf_append_str(&text, "\xc3\xa4");
	recipient.diagnostic = recipient.remote = envelope.helo = buf_span(&text);
	envelope_encode(&envelope, &bytes);
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_OK);
	assert_int_equal(seen.recipients[0].diagnostic.len, ENVELOPE_DIAGNOSTIC_MAX - 1);
	assert_int_equal(seen.recipients[0].remote.len, ENVELOPE_NAME_MAX);
	assert_int_equal(seen.helo.len, ENVELOPE_NAME_MAX);
	arena_fini(&arena);
	buf_fini(&bytes);
	buf_fini(&text);
}

static void a_truncated_or_longer_one_is_corrupt(void **state)
{
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;

	(void)state;
	envelope_encode(&sample, &bytes);
	for (size_t len = 0; len < buf_len(&bytes); len++) {
		/* A copy, so that the sanitizer sees a byte too far. */
		char *cut = mem_dup(bytes.base, len);

		assert_int_equal(envelope_decode(span_of(cut, len), &arena, &seen), ERR_CORRUPT);
		mem_free(cut);
		arena_reset(&arena);
	}
	buf_append_byte(&bytes, 0);
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_CORRUPT);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void a_newer_format_is_told_from_a_corrupt_one(void **state)
{
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;

	(void)state;
	envelope_encode(&sample, &bytes);
	bytes.base[0] = 3;
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_INVALID);
	bytes.base[0] = 0;
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_CORRUPT);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void what_not_every_envelope_has_comes_back_too(void **state)
{
	struct envelope with_rule = sample, seen;
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	size_t plain;

	(void)state;
	envelope_encode(&sample, &bytes);
	plain = buf_len(&bytes);
	buf_clear(&bytes);
	with_rule.rule = SPAN_LIT("printers");
	envelope_encode(&with_rule, &bytes);
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_OK);
	assert_span_equal(seen.rule, "printers");
	assert_span_equal(seen.user, "jo");
	for (size_t len = 0; len < buf_len(&bytes); len++) {
		char *cut = mem_dup(bytes.base, len);

		assert_int_equal(envelope_decode(span_of(cut, len), &arena, &seen), ERR_CORRUPT);
		mem_free(cut);
	}
	/* One that this node does not know is passed over. */
	bytes.base[plain] = 99;
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_OK);
	assert_int_equal(seen.rule.len, 0);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static const struct envelope handled = {
	.recipients = sample_recipients,
	.recipient_count = 1,
	.requiretls = true,
	.priority = -9,
	.deliver_by = DELIVER_BY_NOTIFY,
	.deliver_by_trace = true,
	.deliver_by_ms = 1590048120999,
	.hold_until_ms = 1590050000000,
};

static void how_it_is_to_be_handled_comes_back(void **state)
{
	static const struct envelope rows[] = {
		{ .requiretls = true },
		{ .priority = 9 },
		{ .priority = -1 },
		{ .deliver_by = DELIVER_BY_RETURN, .deliver_by_ms = 1 },
		{ .hold_until_ms = 1 },
	};

	(void)state;
	for (size_t i = 0; i <= ARRAY_LEN(rows); i++) {
		struct envelope envelope = i < ARRAY_LEN(rows) ? rows[i] : handled, seen;
		struct buf bytes = { 0 };
		struct arena arena = { 0 };

		envelope.recipients = sample_recipients;
		envelope.recipient_count = 1;
		envelope_encode(&envelope, &bytes);
		assert_int_equal(bytes.base[0], 2);
		assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_OK);
		assert_int_equal(seen.requiretls, envelope.requiretls);
		assert_int_equal(seen.priority, envelope.priority);
		assert_int_equal(seen.deliver_by, envelope.deliver_by);
		assert_int_equal(seen.deliver_by_trace, envelope.deliver_by_trace);
		assert_int_equal(seen.deliver_by_ms, envelope.deliver_by_ms);
		assert_int_equal(seen.hold_until_ms, envelope.hold_until_ms);
		arena_fini(&arena);
		buf_fini(&bytes);
	}
}

/* Nodes that know nothing of it go on reading all that does not need it. */
static void what_asks_for_nothing_is_written_as_before(void **state)
{
	struct buf bytes = { 0 };

	(void)state;
	envelope_encode(&sample, &bytes);
	assert_int_equal(bytes.base[0], 1);
	buf_fini(&bytes);
}

static void a_promise_that_is_not_known_is_left_to_others(void **state)
{
	enum { EXTRA = 1 + 4 + 1 + 1 + 1 + 8 + 8 };
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;

	(void)state;
	envelope_encode(&handled, &bytes);
	bytes.base[buf_len(&bytes) - EXTRA] = (char)130;
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_INVALID);
	bytes.base[buf_len(&bytes) - EXTRA] = 127;
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_OK);
	assert_false(seen.requiretls);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void handling_is_validated(void **state)
{
	enum { TAIL = 1 + 1 + 1 + 8 + 8, FLAGS = 0, PRIORITY = 1, MODE = 2 };
	static const struct {
		size_t at;
		char byte;
		enum err result;
	} rows[] = {
		{ FLAGS, 0, ERR_OK },
		{ FLAGS, 4, ERR_CORRUPT },
		{ PRIORITY, 18, ERR_OK },
		{ PRIORITY, 19, ERR_CORRUPT },
		{ MODE, DELIVER_BY_RETURN, ERR_OK },
		{ MODE, DELIVER_BY_NONE, ERR_CORRUPT }, /* and yet a time */
		{ MODE, 3, ERR_CORRUPT },
	};
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;
	char *tail;

	(void)state;
	envelope_encode(&handled, &bytes);
	tail = bytes.base + buf_len(&bytes) - TAIL;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		char kept = tail[rows[i].at];

		tail[rows[i].at] = rows[i].byte;
		if (envelope_decode(buf_span(&bytes), &arena, &seen) != rows[i].result)
			fail_msg("row %zu", i);
		tail[rows[i].at] = kept;
		arena_reset(&arena);
	}
	/* Shorter, longer. */
	tail[-4]--;
	assert_int_equal(
		envelope_decode(span_of(bytes.base, buf_len(&bytes) - 1), &arena, &seen), ERR_CORRUPT);
	tail[-4] += 2;
	buf_append_byte(&bytes, '\0');
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_CORRUPT);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static const struct header_change sample_changes[] = {
	{ SPAN_LIT("Subject"), 1, SPAN_LIT(" [SPAM]\r\n what"), false },
	{ SPAN_LIT("X-Spam"), 4000000000, SPAN_LIT(""), false },
	{ SPAN_LIT("From"), 2, SPAN_LIT("A: 1\r\n"), true },
};

static const struct envelope edited = {
	.recipients = sample_recipients,
	.recipient_count = 1,
	.priority = 3,
	.edits = { SPAN_LIT("Authentication-Results: a.example; none\r\n"), SPAN_LIT("X-Back:\r\n\t1\r\n"),
		sample_changes, ARRAY_LEN(sample_changes) },
};

static void edits_come_back(void **state)
{
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;

	(void)state;
	envelope_encode(&edited, &bytes);
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_OK);
	memset(bytes.base, 'x', buf_len(&bytes));
	assert_int_equal(seen.priority, 3);
	assert_true(span_eq(seen.edits.front, edited.edits.front));
	assert_true(span_eq(seen.edits.back, edited.edits.back));
	assert_int_equal(seen.edits.change_count, ARRAY_LEN(sample_changes));
	for (size_t i = 0; i < ARRAY_LEN(sample_changes); i++) {
		assert_true(span_eq(seen.edits.changes[i].name, sample_changes[i].name));
		assert_int_equal(seen.edits.changes[i].nth, sample_changes[i].nth);
		assert_true(span_eq(seen.edits.changes[i].value, sample_changes[i].value));
		assert_int_equal(seen.edits.changes[i].is_before, sample_changes[i].is_before);
	}
	arena_fini(&arena);
	buf_fini(&bytes);
}

/* What is read back can be written into a header section as it is. */
static void mutated_edits_are_refused_or_valid(void **state)
{
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;
	size_t refused = 0;

	(void)state;
	envelope_encode(&edited, &bytes);
	for (size_t at = 0; at < buf_len(&bytes); at++) {
		char kept = bytes.base[at];

		for (unsigned value = 0; value < 256; value++) {
			bytes.base[at] = (char)value;
			if (envelope_decode(buf_span(&bytes), &arena, &seen) == ERR_OK)
				assert_true(header_edits_are_valid(&seen.edits));
			else
				refused++;
			arena_reset(&arena);
		}
		bytes.base[at] = kept;
	}
	for (size_t len = 0; len < buf_len(&bytes); len++) {
		char *cut = mem_dup(bytes.base, len);

		/* Without its extras it would be of the other format. */
		assert_int_equal(
			envelope_decode(span_of(cut, len), &arena, &seen) == ERR_OK && seen.edits.front.len,
			0);
		mem_free(cut);
		arena_reset(&arena);
	}
	assert_true(refused > 0);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void the_time_to_deliver_by_runs_out(void **state)
{
	static const struct {
		uint64_t now_ms;
		int32_t wanted;
	} rows[] = {
		{ 1590048120999, 0 },
		{ 1590048120000, 0 },
		{ 1590048119999, 1 },
		{ 1590048000000, 120 },
		{ 1590048180999, -60 },
		{ 0, DELIVER_BY_SECONDS_MAX },
		{ 9999999999999, -DELIVER_BY_SECONDS_MAX },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct deliver_by left = envelope_deliver_by(&handled, rows[i].now_ms);

		assert_int_equal(left.mode, DELIVER_BY_NOTIFY);
		assert_true(left.trace);
		if (left.seconds != rows[i].wanted)
			fail_msg("row %zu: %d", i, left.seconds);
	}
	assert_int_equal(envelope_deliver_by(&sample, 1).mode, DELIVER_BY_NONE);
	assert_int_equal(envelope_deliver_by(&sample, 1).seconds, 0);
}

static void when_the_time_is_over_it_comes_back_or_is_late(void **state)
{
	static const struct {
		enum deliver_by_mode mode;
		uint64_t by_ms;
		bool is_overdue, is_late;
	} rows[] = {
		{ DELIVER_BY_NONE, 0, false, false },
		{ DELIVER_BY_RETURN, 1001, false, false },
		{ DELIVER_BY_RETURN, 1000, true, false },
		{ DELIVER_BY_NOTIFY, 1001, false, false },
		{ DELIVER_BY_NOTIFY, 1000, false, true },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct envelope envelope = { .deliver_by = rows[i].mode,
			.deliver_by_ms = rows[i].by_ms };

		assert_int_equal(envelope_is_overdue(&envelope, 1000), rows[i].is_overdue);
		assert_int_equal(envelope_is_late(&envelope, 1000), rows[i].is_late);
	}
}

static void a_hold_puts_off_the_release(void **state)
{
	(void)state;
	assert_int_equal(envelope_release_ms(&(struct envelope){ .arrival_ms = 1000 }), 1000);
	assert_int_equal(
		envelope_release_ms(&(struct envelope){ .arrival_ms = 1000, .hold_until_ms = 999 }), 1000);
	assert_int_equal(
		envelope_release_ms(&(struct envelope){ .arrival_ms = 1000, .hold_until_ms = 5000 }), 5000);
}

static void what_is_asked_for_is_told_as_parameters(void **state)
{
	static const struct {
		struct envelope envelope;
		const char *wanted;
	} rows[] = {
		{ { .arrival_ms = 1 }, "" },
		{ { .requiretls = true }, "REQUIRETLS" },
		{ { .tls_optional = true }, "TLS-Required=No" },
		{ { .priority = -9, .requiretls = true }, "REQUIRETLS MT-PRIORITY=-9" },
		{ { .deliver_by = DELIVER_BY_RETURN, .deliver_by_ms = 120000 }, "BY=20;R" },
		{ { .deliver_by = DELIVER_BY_NOTIFY, .deliver_by_trace = true, .deliver_by_ms = 40000 },
			"BY=-60;NT" },
		{ { .hold_until_ms = 100000 }, "" },
		{ { .hold_until_ms = 100001 }, "HOLDFOR=1" },
		{ { .hold_until_ms = 160000, .priority = 3 }, "MT-PRIORITY=3 HOLDFOR=60" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf text = { 0 };

		envelope_append_handling(&rows[i].envelope, 100000, &text);
		assert_span_equal(buf_span(&text), rows[i].wanted);
		buf_fini(&text);
	}
}

/* Whatever a byte is changed to: refused, or as safe to write into a command as any other. */
static void a_mutated_one_is_refused_or_harmless(void **state)
{
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	struct envelope seen;
	size_t refused = 0;

	(void)state;
	envelope_encode(&sample, &bytes);
	for (size_t at = 0; at < buf_len(&bytes); at++) {
		char kept = bytes.base[at];

		for (unsigned value = 0; value < 256; value++) {
			bytes.base[at] = (char)value;
			if (envelope_decode(buf_span(&bytes), &arena, &seen) != ERR_OK) {
				refused++;
				arena_reset(&arena);
				continue;
			}
			for (size_t i = 0; i < seen.recipient_count; i++)
				assert_true(envelope_addr_is_safe(seen.recipients[i].addr, seen.smtputf8));
			arena_reset(&arena);
		}
		bytes.base[at] = kept;
	}
	assert_true(refused > 0);
	arena_fini(&arena);
	buf_fini(&bytes);
}

/* Encodes what the encoder lets pass, one field out of its bounds at a time. */
static void each_field_is_validated(void **state)
{
	static const struct {
		struct envelope_recipient recipient;
		enum err result;
	} rows[] = {
		{ { .addr = SPAN_LIT("r@b") }, ERR_OK },
		{ { .addr = SPAN_LIT("") }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b\r\nRCPT") }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("\xc3\xa4@b") }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .orcpt = SPAN_LIT("rfc822;a b") }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .orcpt = SPAN_LIT("rfc822;a\rb") }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .notify = DSN_NOTIFY_NEVER | DSN_NOTIFY_DELAY }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .notify = 16 }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .state = RECIPIENT_STATE_COUNT }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .status = { .code = 199 } }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .status = { .code = 600 } }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .status = { 550, { 3, 0, 0 } } }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .status = { 550, { 0, 1, 0 } } }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .status = { 550, { 5, 1000, 0 } } }, ERR_CORRUPT },
		{ { .addr = SPAN_LIT("r@b"), .status = { 550, { 5, 0, 1000 } } }, ERR_CORRUPT },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct envelope_recipient recipient = rows[i].recipient;
		struct envelope envelope = { .recipients = &recipient, .recipient_count = 1 }, seen;
		struct buf bytes = { 0 };
		struct arena arena = { 0 };

		envelope_encode(&envelope, &bytes);
		if (envelope_decode(buf_span(&bytes), &arena, &seen) != rows[i].result)
			fail_msg("row %zu", i);
		arena_fini(&arena);
		buf_fini(&bytes);
	}
}

static void a_small_record_cannot_ask_for_much_memory(void **state)
{
	struct envelope_recipient recipient = { .addr = SPAN_LIT("r@b") };
	struct envelope envelope = { .recipients = &recipient, .recipient_count = 1 }, seen;
	struct buf bytes = { 0 };
	struct arena arena = { 0 };
	size_t count_at;

	(void)state;
	envelope_encode(&envelope, &bytes);
	count_at = buf_len(&bytes) - 41 - 4;
	assert_int_equal(bytes.base[count_at], 1);
	bytes.base[count_at] = 2;
	assert_int_equal(envelope_decode(buf_span(&bytes), &arena, &seen), ERR_CORRUPT);
	assert_null(seen.recipients);
	arena_fini(&arena);
	buf_fini(&bytes);
}

static void an_address_is_safe_when_it_cannot_leave_its_brackets(void **state)
{
	static const struct {
		const char *addr;
		bool utf8, is_safe;
	} rows[] = {
		{ "a@b.example", false, true },
		{ "postmaster", false, true },
		{ "a@[IPv6:2001:db8::1]", false, true },
		{ "\"a b\"@c", false, true },
		{ "\"a>b<c\"@d", false, true },
		{ "\"a\\\"b\"@c", false, true },
		{ "\"a\\\\\"@c", false, true },
		{ "", false, false },
		{ "a b@c", false, false },
		{ "a>@c", false, false },
		{ "<a@c", false, false },
		{ "\"a@c", false, false },
		{ "\"a\\\"@c", false, false },
		{ "\"a\\\r\n\"@c", false, false },
		{ "\"a\tb\"@c", false, false },
		{ "\"a\r\n\"@c", false, false },
		{ "a\x7f@c", false, false },
		{ "\"a\\", false, false },
		{ "\xc3\xa4@c", true, true },
		{ "\xc3\xa4@c", false, false },
		{ "\xc3@c", true, false },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (envelope_addr_is_safe(span_of_str(rows[i].addr), rows[i].utf8) != rows[i].is_safe)
			fail_msg("%s", rows[i].addr);
	}
}

static void it_is_settled_when_nobody_is_pending(void **state)
{
	struct envelope_recipient recipients[2] = { { .state = RECIPIENT_DELIVERED },
		{ .state = RECIPIENT_PENDING } };
	struct envelope envelope = { .recipients = recipients, .recipient_count = 2 };

	(void)state;
	assert_false(envelope_is_settled(&envelope));
	recipients[1].state = RECIPIENT_FAILED;
	assert_true(envelope_is_settled(&envelope));
}

static void read_seed(const char *name, struct arena *arena, struct envelope *seen)
{
	const char *source = getenv("SKEIN_SOURCE");
	struct buf path = { 0 };
	char bytes[4096];
	size_t len;
	FILE *file;

	buf_printf(&path, "%s/tests/fuzz/corpus/envelope/%s", source ? source : ".", name);
	buf_append_byte(&path, '\0');
	file = fopen(path.base, "rb");
	assert_non_null(file);
	len = fread(bytes, 1, sizeof(bytes), file);
	fclose(file);
	assert_int_equal(envelope_decode(span_of(bytes, len), arena, seen), ERR_OK);
	assert_int_equal(seen->recipient_count, 3);
	buf_fini(&path);
}

/* The corpus of the fuzz target; this keeps it in step with the format. */
static void the_seeds_of_the_fuzzer_are_envelopes(void **state)
{
	struct arena arena = { 0 };
	struct envelope seen;

	(void)state;
	read_seed("sample", &arena, &seen);
	read_seed("handled", &arena, &seen);
	assert_true(seen.requiretls);
	read_seed("edited", &arena, &seen);
	assert_int_equal(seen.edits.change_count, 3);
	arena_fini(&arena);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_envelope_comes_back_as_it_was),
		cmocka_unit_test(texts_for_people_are_cut_between_characters),
		cmocka_unit_test(a_truncated_or_longer_one_is_corrupt),
		cmocka_unit_test(a_newer_format_is_told_from_a_corrupt_one),
		cmocka_unit_test(what_not_every_envelope_has_comes_back_too),
		cmocka_unit_test(how_it_is_to_be_handled_comes_back),
		cmocka_unit_test(what_asks_for_nothing_is_written_as_before),
		cmocka_unit_test(a_promise_that_is_not_known_is_left_to_others),
		cmocka_unit_test(handling_is_validated),
		cmocka_unit_test(edits_come_back),
		cmocka_unit_test(mutated_edits_are_refused_or_valid),
		cmocka_unit_test(the_time_to_deliver_by_runs_out),
		cmocka_unit_test(when_the_time_is_over_it_comes_back_or_is_late),
		cmocka_unit_test(a_hold_puts_off_the_release),
		cmocka_unit_test(what_is_asked_for_is_told_as_parameters),
		cmocka_unit_test(a_mutated_one_is_refused_or_harmless),
		cmocka_unit_test(each_field_is_validated),
		cmocka_unit_test(a_small_record_cannot_ask_for_much_memory),
		cmocka_unit_test(an_address_is_safe_when_it_cannot_leave_its_brackets),
		cmocka_unit_test(it_is_settled_when_nobody_is_pending),
		cmocka_unit_test(the_seeds_of_the_fuzzer_are_envelopes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
