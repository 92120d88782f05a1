/* Verdicts: the examples of the RFCs, each reason not to pass, and our own signatures. */
#include "cmocka_all.h"

#include "dkim/hash_internal.h"
#include "dkim/signature_internal.h"
#include "dkim_keys.h"
#include "dkim_vectors.h"

#include "skein/proto/base/alloc.h"
#include "skein/proto/base/base64.h"
#include "skein/proto/dkim/signer.h"

static const int64_t now_s = 1528637909;

static struct dkim_verifier *verifier_of(struct span message, size_t piece)
{
	struct dkim_verifier *verifier = dkim_verifier_new(64 * 1024, 100);
	const char *why;

	while (message.len) {
		size_t len = message.len < piece ? message.len : piece;

		dkim_verifier_feed(verifier, span_take(message, len));
		message = span_drop(message, len);
	}
	if (dkim_verifier_end(verifier, &why) != ERR_OK)
		assert_int_equal(dkim_verifier_count(verifier), 0);
	return verifier;
}

static void assert_verdict(struct dkim_verifier *verifier, size_t index, const char *record,
	enum dkim_verdict wanted, const char *wanted_why)
{
	const char *why;
	enum dkim_verdict seen = dkim_verifier_check(verifier, index, span_of_str(record), now_s, &why);

	if (seen != wanted || !why != !wanted_why || (why && !strstr(why, wanted_why)))
		fail_msg("got %s (%s), expected %s (%s)", dkim_verdict_name(seen), why ? why : "",
			dkim_verdict_name(wanted), wanted_why ? wanted_why : "");
}

#define ED25519_RECORD "v=DKIM1; k=ed25519; p=" RFC8463_PUBLIC
#define RSA_RECORD     "v=DKIM1; k=rsa; p=" RFC8463_RSA

static void the_example_of_rfc_6376_passes(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 4000; piece += 1000) {
		struct dkim_verifier *verifier = verifier_of(span_of_str(rfc6376_message), piece);

		assert_int_equal(dkim_verifier_count(verifier), 1);
		assert_verdict(verifier, 0, rfc6376_record, DKIM_PASS, NULL);
		dkim_verifier_free(&verifier);
	}
}

static void both_signatures_of_rfc_8463_pass(void **state)
{
	struct buf message = { 0 };

	(void)state;
	buf_append_str(&message, rfc8463_fields);
	buf_append_str(&message, rfc8463_message);
	for (size_t piece = 1; piece < 4000; piece += 1000) {
		struct dkim_verifier *verifier = verifier_of(buf_span(&message), piece);
		const struct dkim_signature *signature = dkim_verifier_signature(verifier, 0);

		assert_int_equal(dkim_verifier_count(verifier), 2);
		assert_span_equal(signature->domain, "football.example.com");
		assert_span_equal(signature->selector, "brisbane");
		assert_int_equal(signature->signed_at_s, 1528637909);
		assert_int_equal(signature->expires_at_s, -1);
		assert_verdict(verifier, 0, ED25519_RECORD, DKIM_PASS, NULL);
		assert_verdict(verifier, 1, RSA_RECORD, DKIM_PASS, NULL);
		dkim_verifier_free(&verifier);
	}
	buf_fini(&message);
}

/* Ed25519 is deterministic: the RFC's key, fields and order of tags give the RFC's signature. */
static void the_ed25519_signature_of_rfc_8463_is_made_again(void **state)
{
	struct dkim_header header;
	struct span message = span_of_str(rfc8463_message), field;
	unsigned char seed[33], hash[DKIM_HASH_LEN];
	struct buf own = { 0 }, signature = { 0 }, text = { 0 };
	struct dkim_key *key;
	size_t len;

	(void)state;
	assert_true(base64_decode(SPAN_LIT(RFC8463_SEED), (char *)seed, &len));
	key = dkim_key_new_ed25519(seed);
	dkim_header_init(&header, 10000, 100);
	assert_int_equal(dkim_header_feed(&header, &message), DKIM_HEADER_ENDED);
	field = span_of(rfc8463_fields, (size_t)(strstr(rfc8463_fields, "\r\nDKIM") - rfc8463_fields) + 2);
	dkim_signature_append_unsigned(field, &own);
	dkim_header_hash(&header, DKIM_RELAXED,
		SPAN_LIT("from : to : subject : date : message-id : from : subject : date"), DKIM_NO_FIELD,
		buf_span(&own), hash);
	assert_int_equal(dkim_key_sign(key, hash, &signature), ERR_OK);
	base64_encode(&text, buf_span(&signature));
	assert_span_equal(buf_span(&text), rfc8463_ed25519_signature);
	dkim_key_free(&key);
	dkim_header_fini(&header);
	buf_fini(&own);
	buf_fini(&signature);
	buf_fini(&text);
}

static const struct {
	const char *record;
	enum dkim_verdict verdict;
	const char *why;
} records[] = {
	{ "k=ed25519; p=" RFC8463_PUBLIC, DKIM_PASS, NULL },
	{ "v=DKIM1;k=ed25519;h=sha1:sha256;s=email;t=y:s;n=a note;p=" RFC8463_PUBLIC ";", DKIM_PASS, NULL },
	{ "v=DKIM1; k=ed25519; p= 11qYAYKxCrfVS/7TyWQH \r\n Og7hcvPapiMlrwIaaPcHURo=", DKIM_PASS, NULL },
	{ "", DKIM_PERMERROR, "no key record" },
	{ "hello", DKIM_PERMERROR, "no list of tags" },
	{ "v=spf1 -all", DKIM_PERMERROR, "version" },
	{ "k=ed25519; v=DKIM1; p=" RFC8463_PUBLIC, DKIM_PERMERROR, "version" },
	{ "v=DKIM1; p=" RFC8463_PUBLIC, DKIM_PERMERROR, "another kind" },
	{ "v=DKIM1; k=ed25519; h=sha1; p=" RFC8463_PUBLIC, DKIM_PERMERROR, "sha256" },
	{ "v=DKIM1; k=ed25519; s=tlsrpt; p=" RFC8463_PUBLIC, DKIM_PERMERROR, "not for mail" },
	{ "v=DKIM1; k=ed25519", DKIM_PERMERROR, "no key" },
	{ "v=DKIM1; k=ed25519; p=", DKIM_PERMERROR, "revoked" },
	{ "v=DKIM1; k=ed25519; p=AAAA", DKIM_PERMERROR, "malformed" },
	{ "v=DKIM1; k=ed25519; p=!", DKIM_PERMERROR, "malformed" },
	{ "v=DKIM1; k=ed25519; p=AAAA; p=AAAA", DKIM_PERMERROR, "no list of tags" },
	{ "v=DKIM1; k=ed25519; p=1qqYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", DKIM_FAIL, "header" },
};

static void a_record_counts_for_what_it_says(void **state)
{
	struct buf message = { 0 };
	struct dkim_verifier *verifier;

	(void)state;
	buf_append_str(&message, rfc8463_fields);
	buf_append_str(&message, rfc8463_message);
	verifier = verifier_of(buf_span(&message), 100);
	for (size_t i = 0; i < ARRAY_LEN(records); i++)
		assert_verdict(verifier, 0, records[i].record, records[i].verdict, records[i].why);
	dkim_verifier_free(&verifier);
	buf_fini(&message);
}

#define BH   "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;"
#define REST "d=a.example; s=s; h=From; " BH " b=AAAA"

static const struct {
	const char *value, *why;
} signatures[] = {
	{ "hello", "no list of tags" },
	{ "v=1; v=1; a=rsa-sha256; " REST, "no list of tags" },
	{ "v=1;; a=rsa-sha256; " REST, "no list of tags" },
	{ "v=2; a=rsa-sha256; " REST, "version" },
	{ "a=rsa-sha256; " REST, "version" },
	{ "v=1; a=rsa-sha1; " REST, "algorithm" },
	{ "v=1; " REST, "algorithm" },
	{ "v=1; a=rsa-sha256; s=s; h=From; " BH " b=AAAA", "domain" },
	{ "v=1; a=rsa-sha256; d=a.example; h=From; " BH " b=AAAA", "selector" },
	{ "v=1; a=rsa-sha256; c=nofws; " REST, "canonicalisation" },
	{ "v=1; a=rsa-sha256; c=simple/nofws; " REST, "canonicalisation" },
	{ "v=1; a=rsa-sha256; d=a.example; s=s; h=To; " BH " b=AAAA", "From" },
	{ "v=1; a=rsa-sha256; q=http; " REST, "DNS" },
	{ "v=1; a=rsa-sha256; t=-1; " REST, "number" },
	{ "v=1; a=rsa-sha256; x=; " REST, "number" },
	{ "v=1; a=rsa-sha256; t=9; x=8; " REST, "before it is made" },
	{ "v=1; a=rsa-sha256; x=1528637909; " REST, "expired" },
	{ "v=1; a=rsa-sha256; l=x; " REST, "length" },
	{ "v=1; a=rsa-sha256; i=@b.example; " REST, "identity" },
	{ "v=1; a=rsa-sha256; i=@ba.example; " REST, "identity" },
	{ "v=1; a=rsa-sha256; i=a.example; " REST, "identity" },
	{ "v=1; a=rsa-sha256; d=a.example; s=s; h=From; bh=AAAA; b=AAAA", "hash" },
	{ "v=1; a=rsa-sha256; d=a.example; s=s; h=From; " BH " b=", "signature" },
	{ "v=1; a=rsa-sha256; d=a.example; s=s; h=From; " BH, "signature" },
};

static void a_signature_that_cannot_be_read_is_neutral(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(signatures); i++) {
		struct buf message = { 0 };
		struct dkim_verifier *verifier;

		buf_printf(&message, "DKIM-Signature: %s\r\nFrom: a\r\n\r\n", signatures[i].value);
		verifier = verifier_of(buf_span(&message), 100);
		assert_int_equal(dkim_verifier_count(verifier), 1);
		assert_verdict(verifier, 0, RSA_RECORD, DKIM_NEUTRAL, signatures[i].why);
		dkim_verifier_free(&verifier);
		buf_fini(&message);
	}
}

static void what_a_stranger_sends_is_bounded(void **state)
{
	struct buf message = { 0 };
	struct dkim_verifier *verifier;

	(void)state;
	for (int i = 0; i < 20; i++)
		buf_append_str(&message, "DKIM-Signature: v=1\r\n");
	verifier = verifier_of(buf_span(&message), 100);
	assert_int_equal(dkim_verifier_count(verifier), DKIM_SIGNATURES_MAX);
	dkim_verifier_free(&verifier);
	buf_clear(&message);
	buf_append_str(&message, "DKIM-Signature: v=1; a=rsa-sha256; d=d; s=s; h=From");
	for (int i = 0; i < DKIM_SIGNED_MAX; i++)
		buf_append_str(&message, ":a");
	buf_append_str(&message, ";" BH " b=AAAA\r\n");
	verifier = verifier_of(buf_span(&message), 100);
	assert_verdict(verifier, 0, RSA_RECORD, DKIM_NEUTRAL, "too many");
	dkim_verifier_free(&verifier);
	verifier = verifier_of(SPAN_LIT("DKIM-Signature: v=1\r\nhello\r\n\r\n"), 100);
	assert_int_equal(dkim_verifier_count(verifier), 0);
	dkim_verifier_free(&verifier);
	buf_fini(&message);
}

/* Signs by hand with l=, which our signer never writes. */
static void append_signed_in_part(struct buf *out, const struct dkim_key *key, struct span mail, uint64_t len)
{
	struct dkim_body_hash body_hash;
	struct dkim_header header;
	unsigned char hash[DKIM_HASH_LEN];
	struct buf signature = { 0 };

	dkim_header_init(&header, 1000, 10);
	assert_int_equal(dkim_header_feed(&header, &mail), DKIM_HEADER_ENDED);
	dkim_body_hash_init(&body_hash, DKIM_SIMPLE, len);
	dkim_body_hash_feed(&body_hash, mail);
	dkim_body_hash_end(&body_hash, hash);
	dkim_body_hash_fini(&body_hash);
	buf_printf(out, "DKIM-Signature: v=1; a=ed25519-sha256; d=d; s=s; h=From; l=%u; bh=", (unsigned)len);
	base64_encode(out, span_of((const char *)hash, sizeof(hash)));
	buf_append_str(out, "; b=");
	dkim_header_hash(&header, DKIM_SIMPLE, SPAN_LIT("From"), DKIM_NO_FIELD, buf_span(out), hash);
	assert_int_equal(dkim_key_sign(key, hash, &signature), ERR_OK);
	base64_encode(out, buf_span(&signature));
	buf_append_str(out, "\r\n");
	buf_fini(&signature);
	dkim_header_fini(&header);
}

static void a_body_is_hashed_as_far_as_its_length_says(void **state)
{
	static const struct {
		unsigned len;
		const char *body;
		enum dkim_verdict verdict;
	} rows[] = {
		{ 6, "hello!\r\n", DKIM_FAIL },
		{ 5, "hello more\r\n", DKIM_PASS },
		{ 7, "hello\r\nmore\r\n", DKIM_PASS },
		{ 0, "anything\r\n", DKIM_PASS },
		{ 8, "hello\r\n", DKIM_FAIL },
	};
	struct span mail = SPAN_LIT("From: a\r\n\r\nhello\r\n");
	unsigned char seed[33] = { 7 };
	struct dkim_key *key = dkim_key_new_ed25519(seed);
	struct buf record = { 0 };

	(void)state;
	dkim_key_append_record(key, &record);
	buf_append_byte(&record, '\0');
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf message = { 0 };
		struct dkim_verifier *verifier;

		append_signed_in_part(&message, key, mail, rows[i].len);
		buf_printf(&message, "From: a\r\n\r\n%s", rows[i].body);
		verifier = verifier_of(buf_span(&message), 1);
		assert_true(dkim_verifier_signature(verifier, 0)->has_body_len);
		assert_verdict(verifier, 0, record.base, rows[i].verdict,
			rows[i].verdict == DKIM_PASS ? NULL : "body");
		dkim_verifier_free(&verifier);
		buf_fini(&message);
	}
	dkim_key_free(&key);
	buf_fini(&record);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_6376_passes),
		cmocka_unit_test(both_signatures_of_rfc_8463_pass),
		cmocka_unit_test(the_ed25519_signature_of_rfc_8463_is_made_again),
		cmocka_unit_test(a_record_counts_for_what_it_says),
		cmocka_unit_test(a_signature_that_cannot_be_read_is_neutral),
		cmocka_unit_test(what_a_stranger_sends_is_bounded),
		cmocka_unit_test(a_body_is_hashed_as_far_as_its_length_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
