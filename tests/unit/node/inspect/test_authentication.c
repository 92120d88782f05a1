/* Messages, what the DNS says, and what comes of it: the field to the octet, and the reply. */
#include "cmocka_all.h"

#include "body_lab.h"
#include "fake_dns.h"

#include "config/settings.h"
#include "inspect/authentication.h"
#include "inspect/dkim_lookup.h"
#include "skein/proto/dkim/signer.h"

#include <stdio.h>
#include <time.h>

enum { TIMEOUT_MS = 100 };

#define HEADER "From: Me <me@a.example>\r\nSubject: s\r\n\r\n"
/* What we have put in front: no signature covers it, and its From is nobody's. */
#define OWN  "Received: x\r\nDate: y\r\nFrom: z@none.example\r\n"
#define TEXT "Hello,\r\n\r\nthis is it.\r\n"

static const struct fake_record records[] = {
	{ "a.example", DNS_TXT, DNS_OK, "v=spf1 ip4:192.0.2.7 -all" },
	{ "_dmarc.a.example", DNS_TXT, DNS_OK, "v=DMARC1; p=reject" },
	{ "soft.example", DNS_TXT, DNS_OK, "v=spf1 ~all" },
	{ "_dmarc.soft.example", DNS_TXT, DNS_OK, "v=DMARC1; p=reject; pct=0; sp=none" },
	{ "silent.example", DNS_TXT, DNS_TIMEOUT, NULL },
	{ "broken.example", DNS_TXT, DNS_SERVFAIL, NULL },
	{ "_dmarc.broken.example", DNS_TXT, DNS_OK, "v=DMARC1; p=reject" },
	{ "s1._domainkey.broken.example", DNS_TXT, DNS_SERVFAIL, NULL },
	{ "_dmarc.silent.example", DNS_TXT, DNS_TIMEOUT, NULL },
	{ "client.example", DNS_TXT, DNS_OK, "v=spf1 a -all" },
	{ "client.example", DNS_A, DNS_OK, "\xc0\x00\x02\x07" },
	{ "xn--bcher-kva.example", DNS_TXT, DNS_OK, "v=spf1 ip4:192.0.2.7 -all" },
};

static struct {
	struct body_lab lab;
	struct settings *settings;
	struct random random;
	struct authentication_desk desk;
	struct fake_record records[ARRAY_LEN(records) + 1];
	struct buf key_record;
	/* The last report. */
	unsigned reports;
	struct buf field, refusal;
} world;

static int set_up(void **state)
{
	static const unsigned char seed[DKIM_ED25519_SEED_LEN] = { 7 };
	struct dkim_key *key = dkim_key_new_ed25519(seed);

	(void)state;
	memset(&world, 0, sizeof(world));
	body_lab_open(&world.lab);
	random_seed(&world.random);
	world.settings = settings_new();
	world.settings->node.hostname = "mx.test";
	world.settings->inspect.timeout_ms = TIMEOUT_MS * 100;
	world.desk = (struct authentication_desk){
		.loop = &world.lab.loop, .settings = world.settings, .random = &world.random
	};
	dkim_key_append_record(key, &world.key_record);
	buf_append_byte(&world.key_record, '\0');
	dkim_key_free(&key);
	memcpy(world.records, records, sizeof(records));
	world.records[ARRAY_LEN(records)] = (struct fake_record){ "s1._domainkey.a.example", DNS_TXT, DNS_OK,
		buf_span(&world.key_record).ptr };
	fake_dns.records = world.records;
	fake_dns.count = ARRAY_LEN(world.records);
	fake_dns.asked = 0;
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	RUN_UNTIL(&world.lab.loop, world.desk.under_way == 0);
	assert_int_equal(fake_dns.open, 0);
	buf_fini(&world.field);
	buf_fini(&world.refusal);
	buf_fini(&world.key_record);
	settings_free(&world.settings);
	body_lab_close(&world.lab);
	return 0;
}

/* --- one message -------------------------------------------------------------------------------- */

struct mail {
	const char *sender, *client; /* NULL: me@a.example, 192.0.2.7 */
	const char *text;            /* NULL: HEADER TEXT */
	const char *signer;          /* signed in whose name; NULL: not */
	bool is_altered;             /* after it was signed */
};

static void sign(struct buf *text, const char *domain)
{
	static const unsigned char seed[DKIM_ED25519_SEED_LEN] = { 7 };
	struct dkim_key *key = dkim_key_new_ed25519(seed);
	const struct dkim_rule rule = { .key = key,
		.domain = span_of_str(domain),
		.selector = SPAN_LIT("s1"),
		.header_canon = DKIM_RELAXED,
		.body_canon = DKIM_RELAXED };
	const struct dkim_signer_options options = { &rule, 1, 64 << 10, 100 };
	struct dkim_signer *signer = dkim_signer_new(&options);
	struct buf fields = { 0 };
	const char *why;

	dkim_signer_feed(signer, buf_span(text));
	assert_int_equal(dkim_signer_end(signer, (int64_t)time(NULL), &fields, &why), ERR_OK);
	buf_append(&fields, buf_span(text));
	buf_fini(text);
	*text = fields;
	dkim_signer_free(&signer);
	dkim_key_free(&key);
}

static struct message *new_message(const struct mail *mail)
{
	static unsigned number;
	struct msg_id id = msg_id_make(1700000000000, 3, ++number);
	struct message *message = message_new(&id);
	struct buf text = { 0 }, stored = { 0 };

	buf_append_str(&text, mail->text ? mail->text : HEADER TEXT);
	if (mail->signer)
		sign(&text, mail->signer);
	if (mail->is_altered)
		buf_append_str(&text, "More.\r\n");
	message->envelope.sender = span_of_str(mail->sender ? mail->sender : "me@a.example");
	message->envelope.client_ip = span_of_str(mail->client ? mail->client : "192.0.2.7");
	message->envelope.helo = SPAN_LIT("client.example");
	buf_append_str(&stored, OWN);
	buf_append(&stored, buf_span(&text));
	message->body = body_lab_body(&world.lab, &id, buf_span(&stored));
	buf_fini(&text);
	buf_fini(&stored);
	return message;
}

static void on_report(void *arg, const struct authentication_report *report)
{
	(void)arg;
	world.reports++;
	buf_clear(&world.field);
	buf_append(&world.field, report->field);
	buf_clear(&world.refusal);
	if (report->refusal)
		buf_printf(&world.refusal, "%u %s %.*s", report->refusal->code, report->refusal->enhanced,
			SPAN_ARGS(report->refusal->text));
}

static void inspect(const struct mail *mail, const struct inspection *inspection)
{
	struct message *message = new_message(mail);
	const struct authentication_request request = { inspection, message, sizeof(OWN) - 1 };
	unsigned before = world.reports;
	struct authentication *authentication = authentication_begin(&world.desk, &request, on_report, NULL);

	assert_non_null(authentication);
	assert_int_equal(world.reports, before);
	message_unref(&message);
	RUN_UNTIL(&world.lab.loop, world.reports > before);
}

static const struct inspection tagging = { .name = "t",
	.actions = { INSPECTION_TAG, INSPECTION_TAG, INSPECTION_TAG },
	.on_error = INSPECTION_TROUBLE_ACCEPT };
static const struct inspection rejecting = { .name = "r",
	.actions = { INSPECTION_REJECT, INSPECTION_TAG, INSPECTION_REJECT },
	.on_error = INSPECTION_TROUBLE_DEFER };
static const struct inspection only_spf = { .name = "s",
	.actions = { INSPECTION_TAG, INSPECTION_OFF, INSPECTION_OFF },
	.on_error = INSPECTION_TROUBLE_DEFER };
static const struct inspection only_dkim = { .name = "d",
	.actions = { INSPECTION_OFF, INSPECTION_TAG, INSPECTION_OFF },
	.on_error = INSPECTION_TROUBLE_DEFER };

#define BEGIN "Authentication-Results: mx.test;\r\n"

/* The signature of Ed25519 over a message with a time in it: its beginning is not known before. */
static void hide_mark(struct buf *field)
{
	char *text = (char *)(uintptr_t)buf_span(field).ptr;
	size_t len = buf_len(field);

	for (size_t i = 0; i + 9 < len; i++) {
		if (memcmp(text + i, "header.b=", 9) != 0)
			continue;
		i += text[i + 9] == '"' ? 10 : 9;
		memset(text + i, 'b', 8);
	}
}

/* Quotes around a mark come and go with it, and folding with them. */
static void flatten(struct buf *field)
{
	struct buf flat = { 0 };
	struct span text = buf_span(field);

	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] != '"' && text.ptr[i] != '\r' && text.ptr[i] != '\n')
			buf_append_byte(&flat, text.ptr[i]);
	buf_fini(field);
	*field = flat;
}

static void what_is_found_is_told(void **state)
{
	static const struct {
		const char *name;
		struct mail mail;
		const struct inspection *inspection;
		const char *field, *refusal;
	} rows[] = {
		{ "SPF stands for it", { 0 }, &rejecting,
			BEGIN " spf=pass smtp.mailfrom=me@a.example;\r\n dkim=none;\r\n"
			      " dmarc=pass (p=reject) header.from=a.example\r\n",
			"" },
		{ "nothing is published",
			{ .sender = "x@none.example", .text = "From: x@none.example\r\n\r\n" }, &rejecting,
			BEGIN
			" spf=none reason=\"none.example does not exist\" smtp.mailfrom=x@none.example;\r\n"
			" dkim=none;\r\n"
			" dmarc=none reason=\"there is no DMARC record\" header.from=none.example\r\n",
			"" },
		{ "SPF fails, told", { .client = "192.0.2.8" }, &tagging,
			BEGIN " spf=fail smtp.mailfrom=me@a.example;\r\n dkim=none;\r\n"
			      " dmarc=fail (p=reject) header.from=a.example policy.dmarc=reject\r\n",
			"" },
		{ "SPF fails, refused", { .client = "192.0.2.8" }, &rejecting,
			BEGIN " spf=fail smtp.mailfrom=me@a.example;\r\n dkim=none;\r\n"
			      " dmarc=fail (p=reject) header.from=a.example policy.dmarc=reject\r\n",
			"550 5.7.23 SPF: 192.0.2.8 may not send mail of a.example, says that domain" },
		{ "another's name in From", { .sender = "x@soft.example" }, &rejecting,
			BEGIN " spf=softfail smtp.mailfrom=x@soft.example;\r\n dkim=none;\r\n"
			      " dmarc=fail (p=reject) header.from=a.example policy.dmarc=reject\r\n",
			"550 5.7.1 DMARC: neither SPF nor DKIM stands for a.example, whose policy is "
			"reject" },
		{ "pct=0 of reject is quarantine",
			{ .sender = "x@soft.example", .text = "From: x@soft.example\r\n\r\n" }, &rejecting,
			BEGIN " spf=softfail smtp.mailfrom=x@soft.example;\r\n dkim=none;\r\n"
			      " dmarc=fail (p=reject) header.from=soft.example policy.dmarc=quarantine\r\n",
			"" },
		{ "sp=none of a domain below", { .sender = "", .text = "From: x@sub.soft.example\r\n\r\n" },
			&rejecting,
			BEGIN " spf=pass smtp.helo=client.example;\r\n dkim=none;\r\n"
			      " dmarc=fail (sp=none) header.from=sub.soft.example policy.dmarc=none\r\n",
			"" },
		{ "several authors: the worst counts",
			{ .text = "From: me@a.example\r\nFrom: x@none.example, y@soft.example\r\n\r\n" },
			&rejecting,
			BEGIN " spf=pass smtp.mailfrom=me@a.example;\r\n dkim=none;\r\n"
			      " dmarc=fail (p=reject) header.from=soft.example policy.dmarc=quarantine\r\n",
			"" },
		{ "a second author is refused too",
			{ .sender = "x@soft.example", .text = "From: x@none.example, me@a.example\r\n\r\n" },
			&rejecting,
			BEGIN " spf=softfail smtp.mailfrom=x@soft.example;\r\n dkim=none;\r\n"
			      " dmarc=fail (p=reject) header.from=a.example policy.dmarc=reject\r\n",
			"550 5.7.1 DMARC: neither SPF nor DKIM stands for a.example, whose policy is "
			"reject" },
		{ "no author", { .text = "To: x@none.example\r\n\r\n" }, &rejecting,
			BEGIN " spf=pass smtp.mailfrom=me@a.example;\r\n dkim=none;\r\n"
			      " dmarc=permerror reason=\"From names no domain\"\r\n",
			"" },
		{ "a name in other letters",
			{ .sender = "x@b\xc3\xbc"
				    "cher.example" },
			&only_spf, BEGIN " spf=pass smtp.mailfrom=\"x@b??cher.example\"\r\n", "" },
		{ "SPF cannot be known", { .sender = "x@broken.example" }, &only_spf,
			BEGIN " spf=temperror\r\n"
			      " reason=\"the SPF record of broken.example cannot be looked up now\"\r\n"
			      " smtp.mailfrom=x@broken.example\r\n",
			"451 4.7.24 SPF of the message cannot be looked up now, try again later" },
		{ "the sender is no text for a field", { .sender = "\"a; dkim=pass\"@none.example" },
			&only_spf,
			BEGIN " spf=none reason=\"none.example does not exist\"\r\n"
			      " smtp.mailfrom=\"\\\"a; dkim=pass\\\"@none.example\"\r\n",
			"" },
		{ "its header cannot be judged", { .text = "From: x@a.example\r\nno field\r\n\r\nx\r\n" },
			&only_dkim,
			BEGIN " dkim=neutral reason=\"the header section has a line that is no field\"\r\n",
			"" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		inspect(&rows[i].mail, rows[i].inspection);
		if (!span_eq(buf_span(&world.field), span_of_str(rows[i].field)) ||
			!span_eq(buf_span(&world.refusal), span_of_str(rows[i].refusal)))
			fail_msg("%s: got\n%.*s%.*s\nexpected\n%s%s", rows[i].name,
				SPAN_ARGS(buf_span(&world.field)), SPAN_ARGS(buf_span(&world.refusal)),
				rows[i].field, rows[i].refusal);
	}
}

static void signatures_are_verified(void **state)
{
	static const struct {
		const char *name;
		struct mail mail;
		const char *field, *refusal; /* the field on one line, without quotes */
	} rows[] = {
		{ "it stands for From where SPF does not",
			{ .sender = "x@soft.example", .signer = "a.example" },
			"Authentication-Results: mx.test; spf=softfail smtp.mailfrom=x@soft.example;"
			" dkim=pass header.d=a.example header.s=s1 header.b=bbbbbbbb;"
			" dmarc=pass (p=reject) header.from=a.example",
			"" },
		{ "altered", { .sender = "x@soft.example", .signer = "a.example", .is_altered = true },
			"Authentication-Results: mx.test; spf=softfail smtp.mailfrom=x@soft.example;"
			" dkim=fail reason=the body is not what was signed header.d=a.example header.s=s1 "
			"header.b=bbbbbbbb;"
			" dmarc=fail (p=reject) header.from=a.example policy.dmarc=reject",
			"550 5.7.1 DMARC: neither SPF nor DKIM stands for a.example, whose policy is "
			"reject" },
		{ "no key", { .signer = "none.example" },
			"Authentication-Results: mx.test; spf=pass smtp.mailfrom=me@a.example;"
			" dkim=permerror reason=there is no key record header.d=none.example header.s=s1 "
			"header.b=bbbbbbbb;"
			" dmarc=pass (p=reject) header.from=a.example",
			"" },
		{ "a key that cannot be had, of From's domain: it may be good",
			{ .sender = "x@soft.example",
				.text = "From: x@broken.example\r\n\r\nx\r\n",
				.signer = "broken.example" },
			"Authentication-Results: mx.test; spf=softfail smtp.mailfrom=x@soft.example;"
			" dkim=temperror reason=the key record cannot be looked up now "
			"header.d=broken.example "
			"header.s=s1 header.b=bbbbbbbb;"
			" dmarc=temperror (p=reject) reason=SPF or DKIM of this domain cannot be looked up "
			"now"
			" header.from=broken.example",
			"451 4.4.3 DKIM of the message cannot be looked up now, try again later" },
		{ "a key that cannot be had, of another domain: nothing gained",
			{ .sender = "x@soft.example", .signer = "broken.example" },
			"Authentication-Results: mx.test; spf=softfail smtp.mailfrom=x@soft.example;"
			" dkim=temperror reason=the key record cannot be looked up now "
			"header.d=broken.example "
			"header.s=s1 header.b=bbbbbbbb;"
			" dmarc=fail (p=reject) header.from=a.example policy.dmarc=reject",
			"550 5.7.1 DMARC: neither SPF nor DKIM stands for a.example, whose policy is "
			"reject" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		inspect(&rows[i].mail, &rejecting);
		hide_mark(&world.field);
		flatten(&world.field);
		if (!span_eq(buf_span(&world.field), span_of_str(rows[i].field)) ||
			!span_eq(buf_span(&world.refusal), span_of_str(rows[i].refusal)))
			fail_msg("%s: got\n%.*s\n%.*s\nexpected\n%s\n%s", rows[i].name,
				SPAN_ARGS(buf_span(&world.field)), SPAN_ARGS(buf_span(&world.refusal)),
				rows[i].field, rows[i].refusal);
	}
}

/* A message of many pieces, in a file. */
static void a_long_message_is_read_in_pieces(void **state)
{
	struct buf text = { 0 };
	struct mail mail = { .signer = "a.example" };

	(void)state;
	buf_append_str(&text, HEADER);
	for (size_t i = 0; i < 20000; i++)
		buf_append_str(&text, "One line after the other.\r\n");
	buf_append_byte(&text, '\0');
	mail.text = buf_span(&text).ptr;
	inspect(&mail, &only_dkim);
	assert_true(span_starts_with(buf_span(&world.field), SPAN_LIT(BEGIN " dkim=pass")));
	buf_fini(&text);
}

static void time_is_bounded(void **state)
{
	const struct mail mail = { .sender = "x@silent.example",
		.text = "From: x@silent.example\r\n\r\nx\r\n",
		.signer = "a.example" };

	(void)state;
	world.settings->inspect.timeout_ms = TIMEOUT_MS;
	inspect(&mail, &rejecting);
	hide_mark(&world.field);
	flatten(&world.field);
	assert_span_equal(buf_span(&world.field),
		"Authentication-Results: mx.test; spf=temperror reason=the SPF record of silent.example "
		"cannot be "
		"looked up now smtp.mailfrom=x@silent.example; dkim=pass header.d=a.example header.s=s1 "
		"header.b=bbbbbbbb; dmarc=temperror reason=the DNS did not answer "
		"header.from=silent.example");
	assert_span_equal(buf_span(&world.refusal),
		"451 4.7.24 SPF of the message cannot be looked up now, try again later");
	inspect(&mail, &tagging);
	assert_int_equal(buf_len(&world.refusal), 0);
}

/* At every moment: nothing is reported, and nothing is left (tear_down). */
static void it_can_be_cancelled_at_any_time(void **state)
{
	const struct mail mail = { .sender = "x@silent.example", .signer = "a.example" };

	(void)state;
	for (unsigned turns = 0; turns < 40; turns++) {
		struct message *message = new_message(&mail);
		const struct authentication_request request = { &rejecting, message, sizeof(OWN) - 1 };
		struct authentication *authentication =
			authentication_begin(&world.desk, &request, on_report, NULL);

		for (unsigned i = 0; i < turns; i++) {
			uv_run(&world.lab.loop.uv, UV_RUN_NOWAIT);
			usleep(turns * 5);
		}
		authentication_cancel(&authentication);
		assert_null(authentication);
		authentication_cancel(&authentication);
		message_unref(&message);
	}
	assert_int_equal(world.reports, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_found_is_told, set_up, tear_down),
		cmocka_unit_test_setup_teardown(signatures_are_verified, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_long_message_is_read_in_pieces, set_up, tear_down),
		cmocka_unit_test_setup_teardown(time_is_bounded, set_up, tear_down),
		cmocka_unit_test_setup_teardown(it_can_be_cancelled_at_any_time, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
