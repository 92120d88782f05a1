#include "sasl_fixture.h"

#include <stdio.h>

#include "auth/digest_internal.h"
#include "auth/sasl_internal.h"
#include "skein/proto/auth/scram.h"
#include "skein/proto/base/base64.h"

/* The nonce that comes of random bytes that are all 7. */
#define OURS "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcH"

/* RFC 7677 3 */
#define RFC_SALT   "\x5b\x6d\x99\x68\x9d\x12\x35\x8e\xec\xa0\x4b\x14\x12\x36\xfa\x81"
#define RFC_OURS   "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
#define RFC_NONCE  "rOprNGfwEbeRWgbNEkqO" RFC_OURS
#define RFC_FIRST  "n,,n=user,r=rOprNGfwEbeRWgbNEkqO"
#define RFC_SERVER "r=" RFC_NONCE ",s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
#define RFC_FINAL  "c=biws,r=" RFC_NONCE ",p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
#define RFC_LAST   "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

static struct sasl_scram_verifier rfc_verifier(void)
{
	struct sasl_scram_verifier verifier = { .iterations = 4096, .salt = SPAN_LIT(RFC_SALT) };

	assert_true(scram_derive(SPAN_LIT("pencil"), &verifier));
	return verifier;
}

/* Up to the question, and the answer: the server-first message is in the output. */
static enum sasl_step rfc_begin(struct fixture *f, enum sasl_verdict verdict)
{
	struct sasl_scram_verifier verifier = rfc_verifier();

	sasl_free(&f->sasl);
	f->sasl = sasl_new(SASL_SCRAM_SHA_256, &f->settings, &f->channel);
	memcpy(f->sasl->scram.nonce, RFC_OURS, sizeof(RFC_OURS));
	assert_int_equal(sasl_begin(f->sasl, true, SPAN_LIT(RFC_FIRST), &f->output), SASL_ASK);
	assert_int_equal(f->output.ask.question, SASL_ASK_SCRAM);
	assert_span_equal(f->output.ask.scram.login, "user");
	return sasl_answer_scram(f->sasl, verdict, &verifier, &f->output);
}

static void the_example_of_rfc_7677_is_accepted(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(rfc_begin(&f, SASL_YES), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, RFC_SERVER);
	assert_int_equal(respond(&f, SPAN_LIT(RFC_FINAL)), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, RFC_LAST);
	assert_int_equal(respond(&f, SPAN_LIT("")), SASL_ACCEPTED);
	assert_int_equal(f.output.accepted.proof, SASL_PROOF_SCRAM);
	assert_span_equal(f.output.accepted.name, "user");
	assert_span_equal(f.output.accepted.authzid, "");
	assert_false(f.output.accepted.channel_bound);
	sasl_free(&f.sasl);
}

static void no_cut_and_no_changed_byte_of_the_final_message_is_accepted(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	for (size_t i = 0; i < strlen(RFC_FINAL); i++) {
		char changed[] = RFC_FINAL;
		enum sasl_step step;

		assert_int_equal(rfc_begin(&f, SASL_YES), SASL_CHALLENGE);
		step = respond(&f, span_of(RFC_FINAL, i));
		assert_true(step == SASL_REFUSED || step == SASL_MALFORMED);
		assert_int_equal(rfc_begin(&f, SASL_YES), SASL_CHALLENGE);
		changed[i] ^= 1;
		step = respond(&f, span_of_str(changed));
		assert_true(step == SASL_REFUSED || step == SASL_MALFORMED);
	}
	sasl_free(&f.sasl);
}

static void the_empty_response_at_the_end_must_be_empty(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(rfc_begin(&f, SASL_YES), SASL_CHALLENGE);
	assert_int_equal(respond(&f, SPAN_LIT(RFC_FINAL)), SASL_CHALLENGE);
	assert_int_equal(respond(&f, SPAN_LIT("x")), SASL_MALFORMED);
	sasl_free(&f.sasl);
}

/* Without a user the dialogue is the same, with the same salt each time, and only the end differs. */
static void nobody_learns_which_users_there_are(void **state)
{
	struct fixture f;
	struct buf first = { 0 };

	(void)state;
	set_up(&f);
	f.settings.fake_iterations = 4096;
	assert_int_equal(rfc_begin(&f, SASL_NO), SASL_CHALLENGE);
	buf_append(&first, f.output.challenge);
	assert_int_equal(buf_len(&first), strlen(RFC_SERVER));
	assert_int_equal(respond(&f, SPAN_LIT(RFC_FINAL)), SASL_REFUSED);
	assert_int_equal(rfc_begin(&f, SASL_NO), SASL_CHALLENGE);
	assert_true(span_eq(f.output.challenge, buf_span(&first)));
	f.settings.fake_salt_key = SPAN_LIT("another key, 16+");
	assert_int_equal(rfc_begin(&f, SASL_NO), SASL_CHALLENGE);
	assert_false(span_eq(f.output.challenge, buf_span(&first)));
	assert_int_equal(rfc_begin(&f, SASL_CANNOT_SAY), SASL_UNAVAILABLE);
	sasl_free(&f.sasl);
	buf_fini(&first);
}

static void a_fake_verifier_accepts_not_even_the_proof_of_its_own_keys(void **state)
{
	/* Of a stored key of zeros; found by nobody, but the flag must not depend on that. */
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(rfc_begin(&f, SASL_NO), SASL_CHALLENGE);
	f.sasl->scram.verifier = rfc_verifier();
	buf_clear(&f.sasl->scram.auth_message);
	buf_append_str(&f.sasl->scram.auth_message, "n=user,r=rOprNGfwEbeRWgbNEkqO," RFC_SERVER);
	assert_int_equal(respond(&f, SPAN_LIT(RFC_FINAL)), SASL_REFUSED);
	sasl_free(&f.sasl);
}

static const struct {
	enum sasl_mechanism mechanism;
	const char *text;
	enum sasl_step step;
	const char *login, *authzid;
} first_rows[] = {
	{ SASL_SCRAM_SHA_256, "n,,n=user,r=abc", SASL_ASK, "user", "" },
	{ SASL_SCRAM_SHA_256, "n,,n=user,r=abc,x=more", SASL_ASK, "user", "" },
	{ SASL_SCRAM_SHA_256, "n,a=other,n=user,r=abc", SASL_ASK, "user", "other" },
	{ SASL_SCRAM_SHA_256, "n,a=user,n=user,r=abc", SASL_ASK, "user", "" },
	{ SASL_SCRAM_SHA_256, "n,,n=a=2Cb=3Dc,r=abc", SASL_ASK, "a,b=c", "" },
	{ SASL_SCRAM_SHA_256, "n,,n=j\xc3\xbcrgen,r=abc", SASL_ASK, "j\xc3\xbcrgen", "" },
	{ SASL_SCRAM_SHA_256, "n,,n=a=2cb,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,n=a=,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,n=a\tb,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,n=a\xff,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,n=,r=abc", SASL_REFUSED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,n=user,r=", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,n=user,r=a b", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,n=user", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,m=must,n=user,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,,r=abc,n=user", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n,x,n=user,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "z,,n=user,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "nn,,n=user,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "n=user,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "", SASL_MALFORMED, NULL, NULL },
	/* PLUS was offered, and somebody has hidden it. */
	{ SASL_SCRAM_SHA_256, "y,,n=user,r=abc", SASL_REFUSED, NULL, NULL },
	{ SASL_SCRAM_SHA_256, "p=tls-server-end-point,,n=user,r=abc", SASL_REFUSED, NULL, NULL },
	{ SASL_SCRAM_SHA_256_PLUS, "p=tls-server-end-point,,n=user,r=abc", SASL_ASK, "user", "" },
	{ SASL_SCRAM_SHA_256_PLUS, "p=tls-unique,,n=user,r=abc", SASL_REFUSED, NULL, NULL },
	{ SASL_SCRAM_SHA_256_PLUS, "p=tls-exporter,,n=user,r=abc", SASL_REFUSED, NULL, NULL },
	{ SASL_SCRAM_SHA_256_PLUS, "p=,,n=user,r=abc", SASL_MALFORMED, NULL, NULL },
	{ SASL_SCRAM_SHA_256_PLUS, "n,,n=user,r=abc", SASL_REFUSED, NULL, NULL },
	{ SASL_SCRAM_SHA_256_PLUS, "y,,n=user,r=abc", SASL_REFUSED, NULL, NULL },
};

static void first_messages_are_judged(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	for (size_t i = 0; i < ARRAY_LEN(first_rows); i++) {
		enum sasl_step step = begin(&f, first_rows[i].mechanism, span_of_str(first_rows[i].text));

		if (step != first_rows[i].step)
			fail_msg("\"%s\": step %d", first_rows[i].text, step);
		if (step != SASL_ASK)
			continue;
		assert_span_equal(f.output.ask.scram.login, first_rows[i].login);
		assert_span_equal(f.output.ask.scram.authzid, first_rows[i].authzid);
	}
	/* Where PLUS is not offered a client may say that it would have liked it. */
	f.channel.offered = SASL_BIT(SASL_SCRAM_SHA_256);
	assert_int_equal(begin(&f, SASL_SCRAM_SHA_256, SPAN_LIT("y,,n=user,r=abc")), SASL_ASK);
	f.settings.binding = SASL_BINDING_REQUIRE;
	assert_int_equal(begin(&f, SASL_SCRAM_SHA_256, SPAN_LIT("n,,n=user,r=abc")), SASL_REFUSED);
	sasl_free(&f.sasl);
}

/* What a client says last: RFC 5802 3 from its side. */
static void client_final(struct buf *out, struct span gs2_header, struct span binding, struct span bare,
	struct span server_first)
{
	struct buf message = { 0 }, bound = { 0 }, without_proof = { 0 };
	uint8_t salted[SHA256_LEN], client[SHA256_LEN], stored[SHA256_LEN], signature[SHA256_LEN];

	buf_append(&bound, gs2_header);
	buf_append(&bound, binding);
	buf_append_str(&without_proof, "c=");
	base64_encode(&without_proof, buf_span(&bound));
	buf_append_str(&without_proof, ",r=abc" OURS);
	buf_append(&message, bare);
	buf_append_byte(&message, ',');
	buf_append(&message, server_first);
	buf_append_byte(&message, ',');
	buf_append(&message, buf_span(&without_proof));
	digest_pbkdf2_sha256(SPAN_LIT("pencil"), SPAN_LIT(RFC_SALT), 4096, salted);
	digest_hmac_sha256(span_of_bytes(salted, sizeof(salted)), SPAN_LIT("Client Key"), client);
	digest_sha256(span_of_bytes(client, sizeof(client)), stored);
	digest_hmac_sha256(span_of_bytes(stored, sizeof(stored)), buf_span(&message), signature);
	for (size_t i = 0; i < sizeof(client); i++)
		client[i] ^= signature[i];
	buf_append(out, buf_span(&without_proof));
	buf_append_str(out, ",p=");
	base64_encode(out, span_of_bytes(client, sizeof(client)));
	buf_fini(&message);
	buf_fini(&bound);
	buf_fini(&without_proof);
}

static void a_binding_must_be_to_our_connection(void **state)
{
	static const struct {
		const char *type, *bound_to;
		enum sasl_step step;
	} rows[] = {
		{ "tls-server-end-point", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SASL_CHALLENGE },
		{ "tls-server-end-point", "BAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SASL_REFUSED },
		{ "tls-server-end-point", "", SASL_REFUSED },
		{ "tls-exporter", "exported", SASL_CHALLENGE },
		{ "tls-exporter", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", SASL_REFUSED },
	};
	struct sasl_scram_verifier verifier = rfc_verifier();
	struct fixture f;

	(void)state;
	set_up(&f);
	f.channel.exporter = SPAN_LIT("exported");
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct buf first = { 0 }, header = { 0 }, final = { 0 };
		enum sasl_step step;

		buf_printf(&header, "p=%s,,", rows[i].type);
		buf_printf(&first, "p=%s,,n=user,r=abc", rows[i].type);
		assert_int_equal(begin(&f, SASL_SCRAM_SHA_256_PLUS, buf_span(&first)), SASL_ASK);
		assert_int_equal(sasl_answer_scram(f.sasl, SASL_YES, &verifier, &f.output), SASL_CHALLENGE);
		client_final(&final, buf_span(&header), span_of_str(rows[i].bound_to),
			SPAN_LIT("n=user,r=abc"), f.output.challenge);
		step = respond(&f, buf_span(&final));
		if (step != rows[i].step)
			fail_msg("row %zu: step %d", i, step);
		if (step == SASL_CHALLENGE) {
			assert_int_equal(respond(&f, SPAN_LIT("")), SASL_ACCEPTED);
			assert_true(f.output.accepted.channel_bound);
		}
		buf_fini(&first);
		buf_fini(&header);
		buf_fini(&final);
	}
	sasl_free(&f.sasl);
}

static void a_verifier_fits_its_password_alone(void **state)
{
	struct sasl_scram_verifier verifier = rfc_verifier();

	(void)state;
	assert_true(scram_verifier_fits(&verifier, SPAN_LIT("pencil")));
	assert_false(scram_verifier_fits(&verifier, SPAN_LIT("Pencil")));
	assert_false(scram_verifier_fits(&verifier, SPAN_LIT("")));
	assert_false(scram_derive(SPAN_LIT("pen\ncil"), &verifier));
	assert_false(scram_derive(SPAN_LIT("p\xff"), &verifier));
	assert_true(scram_derive(SPAN_LIT("p\xc3\xa9 "), &verifier));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_example_of_rfc_7677_is_accepted),
		cmocka_unit_test(no_cut_and_no_changed_byte_of_the_final_message_is_accepted),
		cmocka_unit_test(the_empty_response_at_the_end_must_be_empty),
		cmocka_unit_test(nobody_learns_which_users_there_are),
		cmocka_unit_test(a_fake_verifier_accepts_not_even_the_proof_of_its_own_keys),
		cmocka_unit_test(first_messages_are_judged),
		cmocka_unit_test(a_binding_must_be_to_our_connection),
		cmocka_unit_test(a_verifier_fits_its_password_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
