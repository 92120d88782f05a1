#include "sasl_fixture.h"

#include <stdio.h>

/* Tokens whose beginning says what they are; the back end, which is this test, reads no further. */
#define KERBEROS                                                                                             \
	"\x60\x10\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02"                                               \
	"tok12"
#define SPNEGO                                                                                               \
	"\x60\x0d\x06\x06\x2b\x06\x01\x05\x05\x02"                                                           \
	"tok12"

static const struct {
	struct span token;
	enum sasl_step step;
	enum sasl_proof kind;
} first_rows[] = {
	{ { KERBEROS, 18 }, SASL_ASK, SASL_PROOF_KERBEROS },
	{ { SPNEGO, 15 }, SASL_ASK, SASL_PROOF_SPNEGO },
	{ { "\x60\x81\x0d\x06\x06\x2b\x06\x01\x05\x05\x02tok12", 16 }, SASL_ASK, SASL_PROOF_SPNEGO },
	{ { "\x60\x84\0\0\0\x0d\x06\x06\x2b\x06\x01\x05\x05\x02tok12", 19 }, SASL_ASK, SASL_PROOF_SPNEGO },
	/* Lengths that are not true, and another mechanism. */
	{ { "\x60\x0c\x06\x06\x2b\x06\x01\x05\x05\x02tok12", 15 }, SASL_MALFORMED, 0 },
	{ { "\x60\x85\0\0\0\0\x0d\x06\x06\x2b\x06\x01\x05\x05\x02tok12", 20 }, SASL_MALFORMED, 0 },
	{ { "\x60\x82\x0d", 3 }, SASL_MALFORMED, 0 },
	{ { "\x60\x0d\x06\x06\x2b\x06\x01\x05\x05\x03tok12", 15 }, SASL_MALFORMED, 0 },
	{ { "\x61\x0d\x06\x06\x2b\x06\x01\x05\x05\x02tok12", 15 }, SASL_MALFORMED, 0 },
	{ { "", 0 }, SASL_MALFORMED, 0 },
	{ { "NTLMSS", 6 }, SASL_MALFORMED, 0 },
};

static void the_first_bytes_tell_what_a_token_is(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	for (size_t i = 0; i < ARRAY_LEN(first_rows); i++) {
		enum sasl_step step;

		sasl_free(&f.sasl);
		f.sasl = sasl_new(SASL_GSSAPI, &f.settings, &f.channel);
		assert_int_equal(sasl_begin(f.sasl, false, span_of("", 0), &f.output), SASL_CHALLENGE);
		assert_span_equal(f.output.challenge, "");
		step = respond(&f, first_rows[i].token);
		if (step != first_rows[i].step)
			fail_msg("row %zu: step %d", i, step);
		if (step != SASL_ASK)
			continue;
		assert_int_equal(f.output.ask.question, SASL_ASK_GSS_STEP);
		assert_int_equal(f.output.ask.gss_step.kind, first_rows[i].kind);
		assert_true(f.output.ask.gss_step.first);
		assert_true(span_eq(f.output.ask.gss_step.token, first_rows[i].token));
		assert_span_equal(f.output.ask.gss_step.binding,
			"tls-server-end-point:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA");
	}
	for (size_t len = 0; len < strlen(KERBEROS); len++)
		assert_int_equal(begin(&f, SASL_GSSAPI, span_of(KERBEROS, len)), SASL_MALFORMED);
	sasl_free(&f.sasl);
}

static enum sasl_step complete(struct fixture *f, const char *token, bool bound)
{
	struct sasl_gss_result result = { .complete = true,
		.bound = bound,
		.token = span_of_str(token),
		.name = SPAN_LIT("alice@ADLAB.TEST") };

	return sasl_answer_gss_step(f->sasl, SASL_YES, &result, &f->output);
}

static void wrap(struct fixture *f)
{
	assert_int_equal(f->output.ask.question, SASL_ASK_GSS_WRAP);
	assert_true(span_eq(f->output.ask.gss_wrap, span_of("\1\0\0\0", 4)));
	assert_int_equal(
		sasl_answer_gss_wrap(f->sasl, SASL_YES, SPAN_LIT("offer"), &f->output), SASL_CHALLENGE);
	assert_span_equal(f->output.challenge, "offer");
	assert_int_equal(respond(f, SPAN_LIT("choice")), SASL_ASK);
	assert_int_equal(f->output.ask.question, SASL_ASK_GSS_UNWRAP);
	assert_span_equal(f->output.ask.gss_unwrap, "choice");
}

static void kerberos_agrees_on_no_security_layer(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(KERBEROS)), SASL_ASK);
	assert_int_equal(complete(&f, "reply", true), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, "reply");
	assert_int_equal(respond(&f, SPAN_LIT("")), SASL_ASK);
	wrap(&f);
	assert_int_equal(
		sasl_answer_gss_unwrap(f.sasl, SASL_YES, span_of("\1\0\0\0", 4), &f.output), SASL_ACCEPTED);
	assert_int_equal(f.output.accepted.proof, SASL_PROOF_KERBEROS);
	assert_span_equal(f.output.accepted.name, "alice@ADLAB.TEST");
	assert_span_equal(f.output.accepted.authzid, "");
	assert_true(f.output.accepted.channel_bound);
	assert_false(f.output.accepted.may_send_empty_line);
	sasl_free(&f.sasl);
}

static void choices_are_judged(void **state)
{
	static const struct {
		struct span plain;
		enum sasl_step step;
		const char *authzid;
	} rows[] = {
		{ { "\1\0\0\0bob", 7 }, SASL_ACCEPTED, "bob" },
		{ { "\1\0\0\0alice@ADLAB.TEST", 20 }, SASL_ACCEPTED, "" },
		/* A largest size means nothing without a layer. */
		{ { "\1\0\x10\0", 4 }, SASL_ACCEPTED, "" },
		{ { "\2\0\0\0", 4 }, SASL_REFUSED, NULL },
		{ { "\3\0\0\0", 4 }, SASL_REFUSED, NULL },
		{ { "\0\0\0\0", 4 }, SASL_REFUSED, NULL },
		{ { "\1\0\0", 3 }, SASL_MALFORMED, NULL },
		{ { "", 0 }, SASL_MALFORMED, NULL },
		{ { "\1\0\0\0b\nb", 7 }, SASL_MALFORMED, NULL },
	};
	struct fixture f;

	(void)state;
	set_up(&f);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		enum sasl_step step;

		/* curl asks for no mutual authentication: no last token. */
		assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(KERBEROS)), SASL_ASK);
		assert_int_equal(complete(&f, "", false), SASL_ASK);
		wrap(&f);
		step = sasl_answer_gss_unwrap(f.sasl, SASL_YES, rows[i].plain, &f.output);
		if (step != rows[i].step)
			fail_msg("row %zu: step %d", i, step);
		if (step == SASL_ACCEPTED)
			assert_span_equal(f.output.accepted.authzid, rows[i].authzid);
	}
	sasl_free(&f.sasl);
}

static void spnego_is_accepted_without_a_layer(void **state)
{
	struct sasl_gss_result more = { .token = SPAN_LIT("more") };
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(SPNEGO)), SASL_ASK);
	assert_int_equal(complete(&f, "last", false), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, "last");
	assert_int_equal(respond(&f, SPAN_LIT("")), SASL_ACCEPTED);
	assert_int_equal(f.output.accepted.proof, SASL_PROOF_SPNEGO);
	assert_true(f.output.accepted.may_send_empty_line);
	/* Nothing to send: at once. */
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(SPNEGO)), SASL_ASK);
	assert_int_equal(complete(&f, "", false), SASL_ACCEPTED);
	assert_false(f.output.accepted.may_send_empty_line);
	/* Two rounds; the second token has no frame. */
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(SPNEGO)), SASL_ASK);
	assert_int_equal(sasl_answer_gss_step(f.sasl, SASL_YES, &more, &f.output), SASL_CHALLENGE);
	assert_span_equal(f.output.challenge, "more");
	assert_int_equal(respond(&f, SPAN_LIT("\xa1tok")), SASL_ASK);
	assert_false(f.output.ask.gss_step.first);
	assert_int_equal(f.output.ask.gss_step.kind, SASL_PROOF_SPNEGO);
	assert_span_equal(f.output.ask.gss_step.token, "\xa1tok");
	assert_int_equal(complete(&f, "last", false), SASL_CHALLENGE);
	assert_int_equal(respond(&f, SPAN_LIT("x")), SASL_MALFORMED);
	sasl_free(&f.sasl);
}

static void bindings_follow_the_policy(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	f.settings.binding = SASL_BINDING_REQUIRE;
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(SPNEGO)), SASL_ASK);
	assert_int_equal(complete(&f, "", false), SASL_REFUSED);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(SPNEGO)), SASL_ASK);
	assert_int_equal(complete(&f, "", true), SASL_ACCEPTED);
	assert_true(f.output.accepted.channel_bound);
	f.settings.binding = SASL_BINDING_OFF;
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(SPNEGO)), SASL_ASK);
	assert_span_equal(f.output.ask.gss_step.binding, "");
	assert_int_equal(complete(&f, "", false), SASL_ACCEPTED);
	sasl_free(&f.sasl);
}

static void a_back_end_may_refuse_at_each_step(void **state)
{
	struct fixture f;

	(void)state;
	set_up(&f);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(KERBEROS)), SASL_ASK);
	assert_int_equal(sasl_answer_gss_step(f.sasl, SASL_NO, NULL, &f.output), SASL_REFUSED);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(KERBEROS)), SASL_ASK);
	assert_int_equal(sasl_answer_gss_step(f.sasl, SASL_CANNOT_SAY, NULL, &f.output), SASL_UNAVAILABLE);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(KERBEROS)), SASL_ASK);
	assert_int_equal(complete(&f, "", false), SASL_ASK);
	assert_int_equal(
		sasl_answer_gss_wrap(f.sasl, SASL_CANNOT_SAY, span_of("", 0), &f.output), SASL_UNAVAILABLE);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(KERBEROS)), SASL_ASK);
	assert_int_equal(complete(&f, "", false), SASL_ASK);
	wrap(&f);
	assert_int_equal(sasl_answer_gss_unwrap(f.sasl, SASL_NO, span_of("", 0), &f.output), SASL_REFUSED);
	sasl_free(&f.sasl);
}

static void an_exchange_without_end_is_ended(void **state)
{
	struct sasl_gss_result more = { .token = SPAN_LIT("more") };
	enum sasl_step step = SASL_ASK;
	struct fixture f;
	unsigned rounds = 0;

	(void)state;
	set_up(&f);
	assert_int_equal(begin(&f, SASL_GSSAPI, SPAN_LIT(SPNEGO)), SASL_ASK);
	for (; step == SASL_ASK; rounds++) {
		assert_int_equal(sasl_answer_gss_step(f.sasl, SASL_YES, &more, &f.output), SASL_CHALLENGE);
		step = respond(&f, SPAN_LIT("token"));
	}
	assert_int_equal(step, SASL_MALFORMED);
	assert_int_equal(rounds, 16);
	sasl_free(&f.sasl);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_first_bytes_tell_what_a_token_is),
		cmocka_unit_test(kerberos_agrees_on_no_security_layer),
		cmocka_unit_test(choices_are_judged),
		cmocka_unit_test(spnego_is_accepted_without_a_layer),
		cmocka_unit_test(bindings_follow_the_policy),
		cmocka_unit_test(a_back_end_may_refuse_at_each_step),
		cmocka_unit_test(an_exchange_without_end_is_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
