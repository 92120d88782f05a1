#include "cmocka_all.h"

#include "skein/proto/mail/rewrite.h"

static void assert_text(const struct buf *buf, const char *expected)
{
	assert_int_equal(buf_len(buf), strlen(expected));
	assert_memory_equal(buf_span(buf).ptr, expected, strlen(expected));
}

static void every_address_of_a_field_gets_the_domain_and_nothing_else_changes(void **state)
{
	static const struct {
		const char *value, *expected;
	} rows[] = {
		{ " a@old.example\r\n", " a@new.test\r\n" },
		{ " A <a@old.example>\r\n", " A <a@new.test>\r\n" },
		{ "\r\n \"Boss, The\" <a@old.example>\r\n", "\r\n \"Boss, The\" <a@new.test>\r\n" },
		{ "\"x@old.example\" <a@old.example>", "\"x@old.example\" <a@new.test>" },
		{ "x@old.example <a@old.example>", "x@old.example <a@new.test>" },
		{ "<a@old.example> x@old.example", "<a@new.test> x@old.example" },
		{ "a@old.example (work (nested \\) x@y.z))", "a@new.test (work (nested \\) x@y.z))" },
		{ "(x@old.example) a@old.example", "(x@old.example) a@new.test" },
		{ "a@old.example, B <b@other.org>,\r\n c@OLD.example\r\n",
			"a@new.test, B <b@new.test>,\r\n c@new.test\r\n" },
		{ "team: a@old.example, B <b@other.org>; c@d.example",
			"team: a@new.test, B <b@new.test>; c@new.test" },
		{ "undisclosed:;", "undisclosed:;" },
		{ "\"a@b\"@old.example", "\"a@b\"@new.test" },
		{ "\"a\\\"@evil.example\"@old.example", "\"a\\\"@evil.example\"@new.test" },
		{ "a @ old . example", "a @ new.test" },
		{ "a@old.example.\r\n", "a@new.test\r\n" },
		{ "a@old.\r\n example\r\n", "a@new.test\r\n" },
		{ "<@hop.example,@hop2.example:a@old.example>", "<@hop.example,@hop2.example:a@new.test>" },
		{ "a@[192.0.2.1]", "a@new.test" },
		{ "a@[IPv6:2001:db8::1]", "a@new.test" },
		{ "=?utf-8?q?J=C3=B6rg?= <j@old.example>", "=?utf-8?q?J=C3=B6rg?= <j@new.test>" },
		{ "a", "a" },
		{ "", "" },
		{ "a@", "a@" },
		{ "a@ \r\n", "a@ \r\n" },
		{ "<>", "<>" },
		{ "\"open a@old.example", "\"open a@old.example" },
		{ "\"open \\", "\"open \\" },
		{ "a@\"open\r\n", "a@new.test\r\n" },
		{ "a@[open\r\n", "a@new.test\r\n" },
		{ "<@a,@b\"open:c@d\r\n", "<@a,@new.test\r\n" },
		{ "(open a@old.example", "(open a@old.example" },
		{ "a@b@old.example", "a@b@new.test" },
		{ "<a@old.example", "<a@new.test" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		rewrite_append_addresses(&out, span_of_str(rows[i].value), SPAN_LIT("new.test"));
		assert_text(&out, rows[i].expected);
		buf_fini(&out);
	}
}

static void assert_rewritten(
	const struct rewrite_rules *rules, const char *message, const char *expected, size_t piece)
{
	struct rewrite *rewrite = rewrite_new(rules);
	struct span rest = span_of_str(message);
	struct buf out = { 0 };

	while (rest.len) {
		size_t len = rest.len < piece ? rest.len : piece;

		rewrite_feed(rewrite, span_take(rest, len), &out);
		rest = span_drop(rest, len);
	}
	rewrite_end(rewrite, &out);
	assert_true(rewrite_is_through(rewrite));
	assert_text(&out, expected);
	buf_fini(&out);
	rewrite_free(&rewrite);
}

static void a_header_is_changed_as_the_rules_say(void **state)
{
	static const char *const remove[] = { "X-Mailer", "bcc" };
	static const struct rewrite_rules all = { SPAN_LIT("X-New: 1\r\n"), remove, 2, SPAN_LIT("new.test"),
		NULL };
	static const struct rewrite_rules none = { .remove_count = 0 };
	static const struct {
		const struct rewrite_rules *rules;
		const char *message, *expected;
	} rows[] = {
		{ &none, "From: a@b.c\r\n\r\nHello\r\n", "From: a@b.c\r\n\r\nHello\r\n" },
		{ &all, "From: a@b.c\r\nX-Mailer: x\r\n\r\nFrom: a@b.c\r\nX-Mailer: x\r\n",
			"X-New: 1\r\nFrom: a@new.test\r\n\r\nFrom: a@b.c\r\nX-Mailer: x\r\n" },
		{ &all,
			"x-mailer : x\r\n folded\r\n\tagain\r\nTo: a@b.c\r\nSENDER:\r\n A <a@b.c>,\r\n "
			"b@b.c\r\n"
			"BCC: x\r\n\r\n",
			"X-New: 1\r\nTo: a@b.c\r\nSENDER:\r\n A <a@new.test>,\r\n b@new.test\r\n\r\n" },
		{ &all, "X-Mailer-2: x\r\nX-Mail: y\r\nFrom: a@b.c\r\n",
			"X-New: 1\r\nX-Mailer-2: x\r\nX-Mail: y\r\nFrom: a@new.test\r\n" },
		{ &all, "no field\r\nX-Mailer: body\r\n", "X-New: 1\r\nno field\r\nX-Mailer: body\r\n" },
		{ &all, "X-Mailer: the end", "X-New: 1\r\n" },
		{ &all, "From", "X-New: 1\r\nFrom" },
		{ &all, "", "X-New: 1\r\n" },
		{ &all, "\r\nX-Mailer: x\r\n", "X-New: 1\r\n\r\nX-Mailer: x\r\n" },
		{ &all, " odd\r\nX-Mailer: x\r\n\r\n", "X-New: 1\r\n odd\r\nX-Mailer: x\r\n\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_rewritten(rows[i].rules, rows[i].message, rows[i].expected, SIZE_MAX);
		assert_rewritten(rows[i].rules, rows[i].message, rows[i].expected, 1);
	}
}

static const struct header_change changes[] = {
	{ .name = SPAN_LIT("Subject"), .nth = 1, .value = SPAN_LIT(" [x]\r\n new") },
	{ .name = SPAN_LIT("x-spam"), .nth = 2 },
	{ .name = SPAN_LIT("From"), .nth = 1, .value = SPAN_LIT("X-Before: a@b.c\r\n"), .is_before = true },
	{ .name = SPAN_LIT("From"), .nth = 2, .value = SPAN_LIT(" new@b.c") },
	{ .name = SPAN_LIT("X-Mailer"), .nth = 1, .value = SPAN_LIT(" another") },
	{ .name = SPAN_LIT("To"), .nth = 1, .value = SPAN_LIT("Bcc: x\r\nX-To: 1\r\n"), .is_before = true },
	{ .name = SPAN_LIT("To"), .nth = 1, .value = SPAN_LIT(" all") },
};

static const struct header_edits edits = {
	.front = SPAN_LIT("Sender: s@b.c\r\nX-Front: 1\r\n"),
	.back = SPAN_LIT("X-Back: 1\r\nbcc: y\r\n"),
	.changes = changes,
	.change_count = ARRAY_LEN(changes),
};

static void the_messages_own_edits_come_first(void **state)
{
	static const char *const remove[] = { "X-Mailer", "bcc" };
	static const struct rewrite_rules alone = { .edits = &edits };
	static const struct rewrite_rules all = { SPAN_LIT("X-New: 1\r\n"), remove, 2, SPAN_LIT("n.test"),
		&edits };
	static const struct {
		const struct rewrite_rules *rules;
		const char *message, *expected;
	} rows[] = {
		{ &alone, "A: 1\r\n\r\nHello\r\n",
			"Sender: s@b.c\r\nX-Front: 1\r\nA: 1\r\nX-Back: 1\r\nbcc: y\r\n\r\nHello\r\n" },
		{ &alone, "subject : old\r\n older\r\nSubject: kept\r\n\r\nSubject: body\r\n",
			"Sender: s@b.c\r\nX-Front: 1\r\nSubject: [x]\r\n new\r\nSubject: kept\r\n"
			"X-Back: 1\r\nbcc: y\r\n\r\nSubject: body\r\n" },
		{ &alone, "X-Spam: 1\r\nX-SPAM: 2\r\n\tfolded\r\nX-Spam: 3\r\n\r\n",
			"Sender: s@b.c\r\nX-Front: 1\r\nX-Spam: 1\r\nX-Spam: 3\r\n"
			"X-Back: 1\r\nbcc: y\r\n\r\n" },
		{ &alone, "From: a@b.c\r\nfrom: d@b.c\r\nTo: a\r\n\r\n",
			"Sender: s@b.c\r\nX-Front: 1\r\nX-Before: a@b.c\r\nFrom: a@b.c\r\nFrom: new@b.c\r\n"
			"Bcc: x\r\nX-To: 1\r\nTo: all\r\nX-Back: 1\r\nbcc: y\r\n\r\n" },
		{ &all, "From: a@b.c\r\nfrom: d@b.c\r\nTo: a\r\nX-Mailer: x\r\nBcc: z\r\n\r\nB\r\n",
			"X-New: 1\r\nSender: s@n.test\r\nX-Front: 1\r\nX-Before: a@b.c\r\nFrom: a@n.test\r\n"
			"From: new@n.test\r\nX-To: 1\r\nTo: all\r\nX-Back: 1\r\n\r\nB\r\n" },
		{ &alone, "A: 1\r\nno field\r\n",
			"Sender: s@b.c\r\nX-Front: 1\r\nA: 1\r\nX-Back: 1\r\nbcc: y\r\nno field\r\n" },
		{ &alone, "A: 1\r\n", "Sender: s@b.c\r\nX-Front: 1\r\nA: 1\r\nX-Back: 1\r\nbcc: y\r\n" },
		{ &alone, "A: 1", "Sender: s@b.c\r\nX-Front: 1\r\nA: 1\r\nX-Back: 1\r\nbcc: y\r\n" },
		{ &alone, "X-Spam: 1\r\nX-Spam: 2",
			"Sender: s@b.c\r\nX-Front: 1\r\nX-Spam: 1\r\nX-Back: 1\r\nbcc: y\r\n" },
		{ &alone, "", "Sender: s@b.c\r\nX-Front: 1\r\nX-Back: 1\r\nbcc: y\r\n" },
	};

	(void)state;
	assert_true(header_edits_are_valid(&edits));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_rewritten(rows[i].rules, rows[i].message, rows[i].expected, SIZE_MAX);
		assert_rewritten(rows[i].rules, rows[i].message, rows[i].expected, 1);
	}
}

static void a_field_without_end_is_passed_on_as_it_is(void **state)
{
	static const struct rewrite_rules rules = { .from_domain = SPAN_LIT("new.test") };
	struct rewrite *rewrite = rewrite_new(&rules);
	struct buf piece = { 0 }, out = { 0 };

	(void)state;
	rewrite_feed(rewrite, SPAN_LIT("From:"), &out);
	for (size_t i = 0; i < 1000; i++)
		buf_append_str(&piece, " a@b.c,\r\n");
	for (size_t fed = 0; fed <= REWRITE_FIELD_MAX; fed += buf_len(&piece))
		rewrite_feed(rewrite, buf_span(&piece), &out);
	assert_true(buf_len(&out) > REWRITE_FIELD_MAX - buf_len(&piece));
	assert_memory_equal(buf_span(&out).ptr, "From: a@b.c,", 12);
	rewrite_end(rewrite, &out);
	rewrite_free(&rewrite);
	buf_fini(&piece);
	buf_fini(&out);
}

static void a_new_field_is_folded_and_clean(void **state)
{
	static const struct {
		const char *value, *expected;
	} rows[] = {
		{ "short", "X-A: short\r\n" },
		{ "", "X-A:\r\n" },
		{ "a\r\nb", "X-A: a  b\r\n" },
		{ "0123456789012345678901234567890123456789 0123456789012345678901234567890123456789",
			"X-A: 0123456789012345678901234567890123456789\r\n"
			" 0123456789012345678901234567890123456789\r\n" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf out = { 0 };

		rewrite_append_field(&out, "X-A", rows[i].value);
		assert_text(&out, rows[i].expected);
		buf_fini(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_address_of_a_field_gets_the_domain_and_nothing_else_changes),
		cmocka_unit_test(a_header_is_changed_as_the_rules_say),
		cmocka_unit_test(the_messages_own_edits_come_first),
		cmocka_unit_test(a_field_without_end_is_passed_on_as_it_is),
		cmocka_unit_test(a_new_field_is_folded_and_clean),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
