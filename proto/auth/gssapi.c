#include "auth/sasl_internal.h"

/* RFC 4752 3.1: one byte of layers, of which we have none, and the largest message, which is then 0. */
enum { LAYER_NONE = 1, LAYER_LEN = 4 };
static const char layer_offer[LAYER_LEN] = { LAYER_NONE, 0, 0, 0 };

/*
 *   FIRST -token-> ASK step -incomplete-> NEXT -token-> ASK step ...
 *   complete, SPNEGO:   [last token, EMPTY] -> ACCEPTED: Microsoft's clients want no layer talk
 *   complete, Kerberos: [last token, EMPTY] -> ASK wrap -> CHOICE -> ASK unwrap -> ACCEPTED
 *
 * A client that did not ask for mutual authentication gets no last token. A Windows client that finds no
 * Kerberos may send NTLMSSP here: it goes to the code of NTLM, if that is offered.
 */
void sasl_gssapi_start(struct sasl *sasl)
{
	sasl->gssapi.binding = sasl_binding_data(sasl);
}

static size_t take_length(struct span *rest)
{
	unsigned char first;
	size_t len = 0;

	if (!rest->len)
		return SIZE_MAX;
	first = (unsigned char)rest->ptr[0];
	*rest = span_drop(*rest, 1);
	if (first < 0x80)
		return first;
	first &= 0x7f;
	if (first > 4 || first > rest->len)
		return SIZE_MAX;
	for (unsigned i = 0; i < first; i++)
		len = len << 8 | (unsigned char)rest->ptr[i];
	*rest = span_drop(*rest, first);
	return len;
}

/* RFC 2743 3.1: 0x60, the length in DER, and the mechanism's object identifier with its tag. */
static bool is_token_of(struct span token, struct span oid)
{
	if (!token.len || token.ptr[0] != 0x60)
		return false;
	token = span_drop(token, 1);
	if (take_length(&token) != token.len)
		return false;
	return span_starts_with(token, oid);
}

static bool find_kind(struct span token, enum sasl_proof *kind_out)
{
	static const struct span spnego = { "\x06\x06\x2b\x06\x01\x05\x05\x02", 8 };
	static const struct span kerberos = { "\x06\x09\x2a\x86\x48\x86\xf7\x12\x01\x02\x02", 11 };

	*kind_out = is_token_of(token, spnego) ? SASL_PROOF_SPNEGO : SASL_PROOF_KERBEROS;
	return *kind_out == SASL_PROOF_SPNEGO || is_token_of(token, kerberos);
}

static enum sasl_step ask_step(
	struct sasl *sasl, struct span token, bool is_first, struct sasl_output *output)
{
	if (!token.len)
		return sasl_malformed(output, "a GSSAPI token is missing");
	buf_append(&sasl->secret, token);
	output->ask.gss_step.kind = sasl->accepted.proof;
	output->ask.gss_step.first = is_first;
	output->ask.gss_step.token = buf_span(&sasl->secret);
	output->ask.gss_step.binding = sasl->gssapi.binding;
	return sasl_ask(sasl, SASL_ASK_GSS_STEP, output);
}

static enum sasl_step go_on_as_ntlm(struct sasl *sasl, struct span token, struct sasl_output *output)
{
	if (!(sasl->offered & SASL_BIT(SASL_NTLM)))
		return sasl_refuse(output, "NTLM inside GSSAPI");
	sasl->mechanism = SASL_NTLM;
	sasl->ntlm = (struct ntlm){ 0 };
	sasl_ntlm_start(sasl);
	return sasl_ntlm_respond(sasl, token, output);
}

static enum sasl_step on_first(struct sasl *sasl, struct span token, struct sasl_output *output)
{
	if (ntlmssp_is(token))
		return go_on_as_ntlm(sasl, token, output);
	if (!find_kind(token, &sasl->accepted.proof))
		return sasl_malformed(output, "neither Kerberos nor SPNEGO nor NTLM");
	return ask_step(sasl, token, true, output);
}

/* The context is complete and the client has all it needs of it. */
static enum sasl_step after_context(struct sasl *sasl, struct sasl_output *output)
{
	if (sasl->accepted.proof == SASL_PROOF_SPNEGO)
		return sasl_accept(sasl, output);
	output->ask.gss_wrap = span_of(layer_offer, LAYER_LEN);
	return sasl_ask(sasl, SASL_ASK_GSS_WRAP, output);
}

static enum sasl_step on_choice(struct sasl *sasl, struct span wrapped, struct sasl_output *output)
{
	buf_append(&sasl->secret, wrapped);
	output->ask.gss_unwrap = buf_span(&sasl->secret);
	return sasl_ask(sasl, SASL_ASK_GSS_UNWRAP, output);
}

enum sasl_step sasl_gssapi_respond(struct sasl *sasl, struct span response, struct sasl_output *output)
{
	switch (sasl->gssapi.stage) {
	case GSSAPI_FIRST:
		return on_first(sasl, response, output);
	case GSSAPI_NEXT:
		return ask_step(sasl, response, false, output);
	case GSSAPI_EMPTY:
		if (response.len)
			return sasl_malformed(output, "a token after the context was complete");
		return after_context(sasl, output);
	case GSSAPI_CHOICE:
		break;
	}
	return on_choice(sasl, response, output);
}

static enum sasl_step on_complete(
	struct sasl *sasl, const struct sasl_gss_result *result, struct sasl_output *output)
{
	if (!result->bound && sasl->settings->binding == SASL_BINDING_REQUIRE)
		return sasl_refuse(output, "no channel binding");
	if (!sasl_keep_name(sasl, result->name, &sasl->accepted.name) || !result->name.len)
		return sasl_refuse(output, "the principal has no name that we can use");
	sasl->accepted.channel_bound = result->bound && sasl->gssapi.binding.len;
	if (!result->token.len)
		return after_context(sasl, output);
	sasl->gssapi.stage = GSSAPI_EMPTY;
	sasl->accepted.may_send_empty_line = sasl->accepted.proof == SASL_PROOF_SPNEGO;
	return sasl_challenge(sasl, result->token, output);
}

enum sasl_step sasl_answer_gss_step(struct sasl *sasl, enum sasl_verdict verdict,
	const struct sasl_gss_result *result, struct sasl_output *output_out)
{
	enum sasl_step step;

	if (!sasl_take_answer(sasl, SASL_ASK_GSS_STEP, verdict, output_out, &step))
		return step;
	if (result->complete)
		return sasl_end_step(sasl, on_complete(sasl, result, output_out));
	sasl->gssapi.stage = GSSAPI_NEXT;
	return sasl_end_step(sasl, sasl_challenge(sasl, result->token, output_out));
}

enum sasl_step sasl_answer_gss_wrap(
	struct sasl *sasl, enum sasl_verdict verdict, struct span wrapped, struct sasl_output *output_out)
{
	enum sasl_step step;

	if (!sasl_take_answer(sasl, SASL_ASK_GSS_WRAP, verdict, output_out, &step))
		return step;
	sasl->gssapi.stage = GSSAPI_CHOICE;
	return sasl_end_step(sasl, sasl_challenge(sasl, wrapped, output_out));
}

/* RFC 4752 3.1: the layer, a size that means nothing without one, and an authorization identity. */
static enum sasl_step take_choice(struct sasl *sasl, struct span plain, struct sasl_output *output)
{
	if (plain.len < LAYER_LEN)
		return sasl_malformed(output, "no choice of a security layer");
	if (plain.ptr[0] != LAYER_NONE)
		return sasl_refuse(output, "a security layer that was not offered");
	if (!sasl_keep_authzid(sasl, span_drop(plain, LAYER_LEN)))
		return sasl_malformed(output, "a name is not text");
	return sasl_accept(sasl, output);
}

enum sasl_step sasl_answer_gss_unwrap(
	struct sasl *sasl, enum sasl_verdict verdict, struct span plain, struct sasl_output *output_out)
{
	enum sasl_step step;

	if (!sasl_take_answer(sasl, SASL_ASK_GSS_UNWRAP, verdict, output_out, &step))
		return step;
	return sasl_end_step(sasl, take_choice(sasl, plain, output_out));
}
