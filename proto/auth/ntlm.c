#include "auth/sasl_internal.h"

#include "skein/proto/base/alloc.h"

/*
 * NEGOTIATE -> CHALLENGE -> AUTHENTICATE -> ASK -> MIC. What can be refused without asking is: the domain
 * controller counts a wrong response, and NTLMv1 is wrong for it, towards locking the account.
 */
void sasl_ntlm_start(struct sasl *sasl)
{
	memcpy(sasl->ntlm.challenge, sasl->random, sizeof(sasl->ntlm.challenge));
}

void sasl_ntlm_end(struct sasl *sasl)
{
	sasl_wipe_buf(&sasl->ntlm.messages);
}

static enum sasl_step on_negotiate(struct sasl *sasl, struct span text, struct sasl_output *output)
{
	struct ntlm *ntlm = &sasl->ntlm;
	struct ntlm_names names = {
		.netbios_domain = sasl->settings->ntlm.netbios_domain,
		.netbios_computer = sasl->settings->ntlm.netbios_computer,
		.dns_domain = sasl->settings->ntlm.dns_domain,
		.dns_computer = sasl->settings->ntlm.dns_computer,
	};
	uint32_t flags;

	if (!ntlmssp_parse_negotiate(text, &flags))
		return sasl_malformed(output, "not an NTLM NEGOTIATE message");
	buf_append(&ntlm->messages, text);
	ntlmssp_build_challenge(&ntlm->messages, flags, &names, ntlm->challenge, sasl->filetime);
	ntlm->stage = NTLM_AUTHENTICATE;
	return sasl_challenge(sasl, span_drop(buf_span(&ntlm->messages), text.len), output);
}

static bool keep_string(struct sasl *sasl, struct span text, struct span *name_out)
{
	struct buf utf8 = { 0 };
	/* UTF-16 is at most twice as long as UTF-8. */
	bool is_name = text.len <= 2 * SASL_NAME_MAX &&
		       ntlmssp_to_utf8(sasl->ntlm.authenticate.flags, text, &utf8) &&
		       sasl_keep_name(sasl, buf_span(&utf8), name_out);

	buf_fini(&utf8);
	return is_name;
}

static enum sasl_step ask(struct sasl *sasl, struct span workstation, struct sasl_output *output)
{
	const struct ntlm_authenticate *authenticate = &sasl->ntlm.authenticate;

	output->ask.ntlm.domain = sasl->accepted.domain;
	output->ask.ntlm.user = sasl->accepted.name;
	output->ask.ntlm.workstation = workstation;
	output->ask.ntlm.lm = authenticate->lm;
	output->ask.ntlm.nt = authenticate->nt;
	memcpy(output->ask.ntlm.challenge, sasl->ntlm.challenge, sizeof(sasl->ntlm.challenge));
	return sasl_ask(sasl, SASL_ASK_NTLM, output);
}

/* NULL, or why the exchange is refused. The binding is part of the response, so YES to that proves it. */
static const char *check_binding(struct sasl *sasl, bool *has_md5_out)
{
	struct span data = sasl_binding_data(sasl), sent = sasl->ntlm.authenticate.binding;
	bool must = sasl->settings->binding == SASL_BINDING_REQUIRE;
	uint8_t wanted[MD5_LEN];

	*has_md5_out = true;
	if (!data.len || !sent.len)
		return must ? "no channel binding" : NULL;
	*has_md5_out = ntlmssp_binding(data, wanted);
	if (!*has_md5_out)
		return NULL;
	sasl->accepted.channel_bound = digest_eq((const uint8_t *)sent.ptr, wanted, sizeof(wanted));
	return sasl->accepted.channel_bound ? NULL : "the channel binding is not ours";
}

static enum sasl_step on_authenticate(struct sasl *sasl, struct span text, struct sasl_output *output)
{
	struct ntlm *ntlm = &sasl->ntlm;
	struct span workstation;
	const char *wrong;
	bool has_md5;

	ntlm->authenticate_at = buf_len(&ntlm->messages);
	buf_append(&ntlm->messages, text);
	if (!ntlmssp_parse_authenticate(
		    span_drop(buf_span(&ntlm->messages), ntlm->authenticate_at), &ntlm->authenticate))
		return sasl_malformed(output, "not an NTLM AUTHENTICATE message");
	if (!keep_string(sasl, ntlm->authenticate.domain, &sasl->accepted.domain) ||
		!keep_string(sasl, ntlm->authenticate.user, &sasl->accepted.name) ||
		!keep_string(sasl, ntlm->authenticate.workstation, &workstation))
		return sasl_malformed(output, "a name is not text");
	if (!sasl->accepted.name.len)
		return sasl_refuse(output, "no login name");
	if (ntlm->authenticate.nt.len <= NTLM_V1_RESPONSE_LEN)
		return sasl_refuse(output, "NTLMv1");
	wrong = check_binding(sasl, &has_md5);
	if (!has_md5)
		return sasl_unavailable(output, "libcrypto has no MD5");
	if (wrong)
		return sasl_refuse(output, wrong);
	sasl->accepted.proof = SASL_PROOF_NTLM;
	return ask(sasl, workstation, output);
}

enum sasl_step sasl_ntlm_respond(struct sasl *sasl, struct span response, struct sasl_output *output)
{
	return sasl->ntlm.stage == NTLM_NEGOTIATE ? on_negotiate(sasl, response, output)
						  : on_authenticate(sasl, response, output);
}

static enum sasl_step check_mic(struct sasl *sasl, const uint8_t *session_key, struct sasl_output *output)
{
	struct ntlm *ntlm = &sasl->ntlm;

	if (!ntlm->authenticate.has_mic)
		return sasl_accept(sasl, output);
	switch (ntlmssp_check_mic(&ntlm->messages, ntlm->authenticate_at, &ntlm->authenticate, session_key)) {
	case NTLMSSP_MIC_FITS:
		return sasl_accept(sasl, output);
	case NTLMSSP_MIC_WRONG:
		return sasl_refuse(output, "the messages were changed on their way");
	case NTLMSSP_MIC_NO_MD5:
		break;
	}
	return sasl_unavailable(output, "libcrypto has no MD5");
}

enum sasl_step sasl_answer_ntlm(struct sasl *sasl, enum sasl_verdict verdict, const uint8_t *session_key,
	struct sasl_output *output_out)
{
	enum sasl_step step;

	if (!sasl_take_answer(sasl, SASL_ASK_NTLM, verdict, output_out, &step))
		return step;
	step = check_mic(sasl, session_key, output_out);
	sasl_wipe_buf(&sasl->ntlm.messages);
	return sasl_end_step(sasl, step);
}
