/* Signing: what the field says, that our verifier takes it and sees each change, faults and bounds. */
#include "cmocka_all.h"

#include "dkim_keys.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/dkim/header.h"
#include "skein/proto/dkim/signer.h"
#include "skein/proto/dkim/verifier.h"

static const int64_t now_s = 1700000000;
static struct dkim_key *rsa, *ed25519;

static int make_keys(void **state)
{
	unsigned char seed[DKIM_ED25519_SEED_LEN] = { 1, 2, 3 };
	const char *why;

	(void)state;
	ed25519 = dkim_key_new_ed25519(seed);
	return dkim_key_parse(span_of_str(rsa1024_pem), &rsa, &why);
}

static int free_keys(void **state)
{
	(void)state;
	dkim_key_free(&rsa);
	dkim_key_free(&ed25519);
	return 0;
}

static struct dkim_rule rule_of(const struct dkim_key *key)
{
	return (struct dkim_rule){
		.key = key,
		.domain = SPAN_LIT("example.org"),
		.selector = SPAN_LIT("s1"),
		.header_canon = DKIM_RELAXED,
		.body_canon = DKIM_RELAXED,
	};
}

static enum err sign(
	const struct dkim_rule *rules, size_t count, struct span mail, size_t piece, struct buf *out)
{
	struct dkim_signer_options options = {
		.rules = rules,
		.rule_count = count,
		.header_size_max = 64 * 1024,
		.header_fields_max = 600,
	};
	struct dkim_signer *signer = dkim_signer_new(&options);
	const char *why;
	enum err err;

	while (mail.len) {
		size_t len = mail.len < piece ? mail.len : piece;

		dkim_signer_feed(signer, span_take(mail, len));
		mail = span_drop(mail, len);
	}
	err = dkim_signer_end(signer, now_s, out, &why);
	assert_int_equal(!err, !why);
	dkim_signer_free(&signer);
	assert_null(signer);
	return err;
}

static enum dkim_verdict verdict(struct span message, size_t index, const struct dkim_key *key)
{
	struct dkim_verifier *verifier = dkim_verifier_new(128 * 1024, 1000);
	struct buf record = { 0 };
	enum dkim_verdict seen;
	const char *why;

	dkim_key_append_record(key, &record);
	dkim_verifier_feed(verifier, message);
	assert_int_equal(dkim_verifier_end(verifier, &why), ERR_OK);
	seen = dkim_verifier_check(verifier, index, buf_span(&record), now_s, &why);
	dkim_verifier_free(&verifier);
	buf_fini(&record);
	return seen;
}

static const char mail[] = "Received: x\r\nFrom: me\r\nTo: you\r\nto : them\r\nSubject: Hi\r\n folded\r\n\r\n"
			   "Hello  you \r\n\r\nBye\r\n\r\n";

/* Ed25519 is deterministic, so the whole field is. */
static void a_field_says_what_its_rule_says(void **state)
{
	static const struct dkim_signed_name names[] = { { "From", true }, { "To", true }, { "Cc", true },
		{ "Subject", false }, { "X-None", false } };
	struct dkim_rule rule = rule_of(ed25519);
	struct buf out = { 0 };
	const char *wanted =
		"DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/simple; d=example.org; s=s1;\r\n"
		" t=1700000000; x=1700086400; h=From:From:To:To:To:Cc:Subject;\r\n bh=";

	(void)state;
	rule.names = names;
	rule.name_count = ARRAY_LEN(names);
	rule.body_canon = DKIM_SIMPLE;
	rule.lifetime_s = 86400;
	assert_int_equal(sign(&rule, 1, SPAN_LIT(mail), 10, &out), ERR_OK);
	assert_span_equal(span_take(buf_span(&out), strlen(wanted)), wanted);
	buf_fini(&out);
}

static void assert_lines_fit(struct span text)
{
	while (text.len) {
		size_t len = span_find(text, '\n');

		assert_true(len < text.len && len > 1 && text.ptr[len - 1] == '\r');
		assert_true(len - 1 <= 78);
		text = span_drop(text, len + 1);
	}
}

static void what_is_signed_verifies_however_it_is_split(void **state)
{
	struct dkim_rule rules[4] = { rule_of(rsa), rule_of(ed25519), rule_of(ed25519), rule_of(ed25519) };
	const struct dkim_key *keys[4] = { rsa, ed25519, ed25519, ed25519 };
	struct buf first = { 0 };

	(void)state;
	for (size_t i = 1; i < 4; i++) {
		rules[i].header_canon = i & 1 ? DKIM_SIMPLE : DKIM_RELAXED;
		rules[i].body_canon = i & 2 ? DKIM_SIMPLE : DKIM_RELAXED;
	}
	for (size_t piece = 1; piece < 9; piece++) {
		struct buf message = { 0 };

		assert_int_equal(sign(rules, 4, SPAN_LIT(mail), piece, &message), ERR_OK);
		assert_lines_fit(buf_span(&message));
		if (piece == 1)
			buf_append(&first, buf_span(&message));
		assert_true(span_eq(buf_span(&first), buf_span(&message)));
		buf_append_str(&message, mail);
		for (size_t i = 0; i < 4; i++)
			assert_int_equal(verdict(buf_span(&message), i, keys[i]), DKIM_PASS);
		buf_fini(&message);
	}
	buf_fini(&first);
}

static const struct {
	const char *mail;
	enum dkim_verdict verdict;
} changes[] = {
	{ "From: a\r\nTo: b\r\nSubject: c\r\n\r\nx y\r\n", DKIM_PASS },
	/* Relaxed: white space, case of names, trailing lines, what is not signed. */
	{ "X-New: 1\r\nfrom:  a \r\nTO : b\r\nSubject:\r\n\tc\r\n\r\nx \ty \r\n\r\n\r\n", DKIM_PASS },
	{ "Subject: c\r\nTo: b\r\nFrom: a\r\n\r\nx y\r\n", DKIM_PASS },
	{ "From: a\r\nTo: b\r\nSubject: C\r\n\r\nx y\r\n", DKIM_FAIL },
	{ "From: a\r\nTo: b\r\nSubject: c\r\n\r\nxy\r\n", DKIM_FAIL },
	{ "From: a\r\nTo: b\r\nSubject: c\r\n\r\nx y\r\nmore\r\n", DKIM_FAIL },
	{ "From: a\r\nTo: b\r\nSubject: c\r\n\r\n", DKIM_FAIL },
	{ "From: a\r\nSubject: c\r\n\r\nx y\r\n", DKIM_FAIL },
	/* Over-signed: none can be added, at either end, also where there was none. */
	{ "From: z\r\nFrom: a\r\nTo: b\r\nSubject: c\r\n\r\nx y\r\n", DKIM_FAIL },
	{ "From: a\r\nTo: b\r\nSubject: c\r\nFrom: z\r\n\r\nx y\r\n", DKIM_FAIL },
	{ "From: a\r\nTo: b\r\nSubject: c\r\nCc: z\r\n\r\nx y\r\n", DKIM_FAIL },
	{ "From: a\r\nTo: b\r\nSubject: c\r\nContent-Type: text/html\r\n\r\nx y\r\n", DKIM_FAIL },
};

static void a_change_is_seen(void **state)
{
	struct dkim_rule rules[2] = { rule_of(rsa), rule_of(ed25519) };
	struct buf fields = { 0 };

	(void)state;
	assert_int_equal(sign(rules, 2, span_of_str(changes[0].mail), 100, &fields), ERR_OK);
	for (size_t i = 0; i < ARRAY_LEN(changes); i++) {
		struct buf message = { 0 };

		buf_append(&message, buf_span(&fields));
		buf_append_str(&message, changes[i].mail);
		if (verdict(buf_span(&message), 0, rsa) != changes[i].verdict ||
			verdict(buf_span(&message), 1, ed25519) != changes[i].verdict)
			fail_msg("row %zu", i);
		buf_fini(&message);
	}
	buf_fini(&fields);
}

static void bytes_that_are_no_message_are_not_signed(void **state)
{
	struct dkim_rule rule = rule_of(ed25519);
	struct buf out = { 0 }, many = { 0 };

	(void)state;
	buf_append_str(&out, "kept");
	assert_int_equal(sign(&rule, 1, SPAN_LIT("From: a\r\nhello\r\n\r\nx\r\n"), 3, &out), ERR_INVALID);
	assert_int_equal(sign(&rule, 1, SPAN_LIT("From: a\nTo: b\r\n\r\n"), 3, &out), ERR_INVALID);
	for (int i = 0; i < DKIM_SIGNED_MAX; i++)
		buf_append_str(&many, "To: a\r\n");
	assert_int_equal(sign(&rule, 1, buf_span(&many), 1000, &out), ERR_FULL);
	for (int i = 0; i < 100; i++)
		buf_append_str(&many, "X: a\r\n");
	assert_int_equal(sign(&rule, 1, buf_span(&many), 1000, &out), ERR_FULL);
	assert_span_equal(buf_span(&out), "kept");
	buf_fini(&out);
	buf_fini(&many);
}

/* Nothing at all, and a header section alone, are messages. */
static void a_message_may_be_empty(void **state)
{
	static const char *const mails[] = { "", "\r\n", "From: a\r\n", "From: a\r\n\r\n" };
	struct dkim_rule rule = rule_of(ed25519);

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(mails); i++) {
		struct buf message = { 0 };

		assert_int_equal(sign(&rule, 1, span_of_str(mails[i]), 1, &message), ERR_OK);
		buf_append_str(&message, mails[i]);
		assert_int_equal(verdict(buf_span(&message), 0, ed25519), DKIM_PASS);
		buf_fini(&message);
	}
}

static void a_rule_that_makes_no_sense_is_told(void **state)
{
	static const struct dkim_signed_name no_from[] = { { "To", true } }, bad[] = { { "From;", true } },
					     twice[] = { { "From", true }, { "from", true } },
					     trace[] = { { "From", true }, { "Received", false } };
	static const struct {
		const char *domain, *selector;
		const struct dkim_signed_name *names;
		size_t count;
		const char *why;
	} rows[] = {
		{ "example.org", "a.b", NULL, 0, NULL },
		{ "xn--mller-kva.example", "2024_1-x", NULL, 0, NULL },
		{ "", "s", NULL, 0, "xn--" },
		{ "m\xc3\xbcller.example", "s", NULL, 0, "xn--" },
		{ "example.org.", "s", NULL, 0, "domain" },
		{ ".example.org", "s", NULL, 0, "domain" },
		{ "a..b", "s", NULL, 0, "domain" },
		{ "example.org; x=1", "s", NULL, 0, "domain" },
		{ "a234567890123456789012345678901234567890123456789012345678901234.b", "s", NULL, 0,
			"domain" },
		{ "example.org", "s;", NULL, 0, "selector" },
		{ "example.org", "", NULL, 0, "selector" },
		{ "example.org", "s", no_from, 1, "From" },
		{ "example.org", "s", bad, 1, "letters" },
		{ "example.org", "s", twice, 2, "twice" },
		{ "example.org", "s", trace, 2, "change on their way" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct dkim_rule rule = rule_of(ed25519);
		const char *why;

		rule.domain = span_of_str(rows[i].domain);
		rule.selector = span_of_str(rows[i].selector);
		rule.names = rows[i].names;
		rule.name_count = rows[i].count;
		why = dkim_rule_fault(&rule);
		if (!why != !rows[i].why || (why && !strstr(why, rows[i].why)))
			fail_msg("row %zu: %s", i, why ? why : "no fault");
	}
}

static void an_identity_is_of_the_domain_or_below(void **state)
{
	static const struct {
		const char *identity;
		bool is_good;
	} rows[] = {
		{ "@example.org", true },
		{ "me@Example.ORG", true },
		{ "me@a.example.org", true },
		{ "a@b@example.org", true },
		{ "example.org", false },
		{ "me@badexample.org", false },
		{ "me@org", false },
		{ "me@example.org.evil", false },
		{ "m e@example.org", false },
		{ "m;e@example.org", false },
		{ "m=e@example.org", false },
		{ "m\xc3\xa4@example.org", false },
	};
	struct dkim_rule rule = rule_of(ed25519);
	struct buf out = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		rule.identity = span_of_str(rows[i].identity);
		if (!dkim_rule_fault(&rule) != rows[i].is_good)
			fail_msg("%s", rows[i].identity);
	}
	rule.identity = SPAN_LIT("me@a.example.org");
	assert_int_equal(sign(&rule, 1, SPAN_LIT(mail), 10, &out), ERR_OK);
	buf_append_byte(&out, '\0');
	assert_non_null(strstr(out.base + out.head, " i=me@a.example.org;"));
	buf_fini(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_identity_is_of_the_domain_or_below),
		cmocka_unit_test(a_field_says_what_its_rule_says),
		cmocka_unit_test(what_is_signed_verifies_however_it_is_split),
		cmocka_unit_test(a_change_is_seen),
		cmocka_unit_test(bytes_that_are_no_message_are_not_signed),
		cmocka_unit_test(a_message_may_be_empty),
		cmocka_unit_test(a_rule_that_makes_no_sense_is_told),
	};

	return cmocka_run_group_tests(tests, make_keys, free_keys);
}
