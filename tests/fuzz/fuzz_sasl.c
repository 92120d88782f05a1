#include "skein/proto/auth/scram.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/*
 * A whole exchange. Bytes: mechanism, policy and initial response, then the responses, each with two bytes of
 * length before it; a question takes one byte, which says what the back end answers. Nothing is accepted that
 * the back end did not say yes to.
 */
struct exchange {
	struct sasl_settings settings;
	struct sasl_channel channel;
	struct sasl *sasl;
	struct sasl_output output;
	struct span rest;
	unsigned yes; /* answers */
};

static uint8_t take_byte(struct exchange *x)
{
	uint8_t byte;

	if (!x->rest.len)
		return 0;
	byte = (uint8_t)x->rest.ptr[0];
	x->rest = span_drop(x->rest, 1);
	return byte;
}

static struct span take_response(struct exchange *x)
{
	size_t len = take_byte(x);
	struct span response;

	len = len << 8 | take_byte(x);
	response = span_take(x->rest, len < x->rest.len ? len : x->rest.len);
	x->rest = span_drop(x->rest, response.len);
	return response;
}

static void check_name(struct span name)
{
	CHECK(name.len <= SASL_NAME_MAX && span_find(name, '\0') == name.len);
}

static enum sasl_step answer_scram(struct exchange *x, enum sasl_verdict verdict)
{
	struct sasl_scram_verifier verifier = { .iterations = 1, .salt = SPAN_LIT("salt") };

	CHECK(scram_derive(SPAN_LIT("pencil"), &verifier));
	check_name(x->output.ask.scram.login);
	check_name(x->output.ask.scram.authzid);
	return sasl_answer_scram(x->sasl, verdict, &verifier, &x->output);
}

static enum sasl_step answer_gss_step(struct exchange *x, enum sasl_verdict verdict, uint8_t byte)
{
	struct sasl_gss_result result = { .complete = byte & 4,
		.bound = byte & 8,
		.token = byte & 16 || !(byte & 4) ? SPAN_LIT("token") : span_of("", 0),
		.name = SPAN_LIT("alice@ADLAB.TEST") };

	CHECK(x->output.ask.gss_step.token.len);
	return sasl_answer_gss_step(x->sasl, verdict, &result, &x->output);
}

static enum sasl_step answer_ntlm(struct exchange *x, enum sasl_verdict verdict)
{
	static const uint8_t key[SASL_NTLM_KEY_LEN];

	check_name(x->output.ask.ntlm.domain);
	check_name(x->output.ask.ntlm.user);
	check_name(x->output.ask.ntlm.workstation);
	CHECK(x->output.ask.ntlm.nt.len > 24 && x->output.ask.ntlm.user.len);
	return sasl_answer_ntlm(x->sasl, verdict, key, &x->output);
}

static enum sasl_step answer_password(struct exchange *x, enum sasl_verdict verdict)
{
	check_name(x->output.ask.password.login);
	check_name(x->output.ask.password.authzid);
	CHECK(x->output.ask.password.login.len && x->output.ask.password.password.len);
	CHECK(x->output.ask.password.password.len <= SASL_PASSWORD_MAX);
	return sasl_answer_password(x->sasl, verdict, &x->output);
}

/* The client's choice comes unwrapped: the plain text is what it sent. */
static enum sasl_step answer_unwrap(struct exchange *x, enum sasl_verdict verdict)
{
	struct buf plain = { 0 };
	enum sasl_step step;

	buf_append(&plain, x->output.ask.gss_unwrap);
	step = sasl_answer_gss_unwrap(x->sasl, verdict, buf_span(&plain), &x->output);
	buf_fini(&plain);
	return step;
}

static enum sasl_step answer(struct exchange *x)
{
	uint8_t byte = take_byte(x);
	enum sasl_verdict verdict = byte % 4 == 3 ? SASL_NO : byte % 4 == 2 ? SASL_CANNOT_SAY : SASL_YES;

	x->yes += verdict == SASL_YES;
	switch (x->output.ask.question) {
	case SASL_ASK_PASSWORD:
		return answer_password(x, verdict);
	case SASL_ASK_SCRAM:
		return answer_scram(x, verdict);
	case SASL_ASK_NTLM:
		return answer_ntlm(x, verdict);
	case SASL_ASK_GSS_STEP:
		return answer_gss_step(x, verdict, byte);
	case SASL_ASK_GSS_WRAP:
		return sasl_answer_gss_wrap(x->sasl, verdict, SPAN_LIT("wrapped"), &x->output);
	case SASL_ASK_GSS_UNWRAP:
		break;
	}
	CHECK(x->output.ask.question == SASL_ASK_GSS_UNWRAP);
	return answer_unwrap(x, verdict);
}

static void talk(struct exchange *x, bool has_initial)
{
	enum sasl_step step =
		sasl_begin(x->sasl, has_initial, has_initial ? take_response(x) : span_of("", 0), &x->output);

	for (unsigned steps = 0; x->rest.len || step == SASL_ASK; steps++) {
		CHECK(steps < 64);
		if (step == SASL_CHALLENGE)
			step = sasl_respond(x->sasl, take_response(x), &x->output);
		else if (step == SASL_ASK)
			step = answer(x);
		else
			break;
	}
	if (step == SASL_ACCEPTED) {
		CHECK(x->yes && x->output.accepted.name.len);
		check_name(x->output.accepted.name);
		check_name(x->output.accepted.authzid);
		CHECK(x->settings.binding != SASL_BINDING_REQUIRE || x->output.accepted.channel_bound ||
			x->output.accepted.proof == SASL_PROOF_PASSWORD);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct exchange x = { .settings.fake_salt_key = SPAN_LIT("0123456789abcdef"),
		.settings.fake_iterations = 1,
		.settings.ntlm.netbios_domain = SPAN_LIT("ADLAB"),
		.channel.offered = (1u << SASL_MECHANISM_COUNT) - 1,
		.channel.server_end_point = SPAN_LIT("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
		.channel.random = "\x01\x23\x45\x67\x89\xab\xcd\xef",
		.channel.filetime = 0x01d9abcdef012345 };
	uint8_t head, mechanism;

	x.rest = span_of((const char *)data, size);
	mechanism = take_byte(&x);
	head = take_byte(&x);
	x.settings.binding = (enum sasl_binding)(head % 4 % 3);
	x.sasl = sasl_new((enum sasl_mechanism)(mechanism % SASL_MECHANISM_COUNT), &x.settings, &x.channel);
	talk(&x, head & 4);
	sasl_free(&x.sasl);
	return 0;
}
