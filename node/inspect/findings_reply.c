#include "inspect/findings.h"

#include "skein/proto/dns/name.h"

#include <stdio.h>

/* A name of a peer's is shown only where nothing but a name can be in it. */
static struct span name_or(struct span name, struct span otherwise)
{
	return dns_name_is_host(name) ? name : otherwise;
}

static void set_reply(
	struct smtp_reply *reply_out, uint16_t code, const char *enhanced, const char *text, int len)
{
	*reply_out = (struct smtp_reply){ code, enhanced, span_of(text, (size_t)len) };
}

/* RFC 7372 3.2, RFC 7489 10.3 */
static bool refuse_for_good(
	const struct findings *findings, char text[FINDINGS_REPLY_MAX], struct smtp_reply *reply_out)
{
	const enum inspection_action *actions = findings->inspection->actions;
	int len;

	if (actions[INSPECTION_SPF] == INSPECTION_REJECT && findings->spf->result == SPF_FAIL) {
		len = snprintf(text, FINDINGS_REPLY_MAX,
			"SPF: %.*s may not send mail of %.*s, says that domain", SPAN_ARGS(findings->client),
			SPAN_ARGS(name_or(findings->spf->domain, SPAN_LIT("the sender's domain"))));
		set_reply(reply_out, 550, "5.7.23", text, len);
		return true;
	}
	if (actions[INSPECTION_DMARC] == INSPECTION_REJECT && findings->dmarc_result == DMARC_FAIL &&
		findings->disposition == DMARC_POLICY_REJECT) {
		len = snprintf(text, FINDINGS_REPLY_MAX,
			"DMARC: neither SPF nor DKIM stands for %.*s, whose policy is reject",
			SPAN_ARGS(name_or(findings->dmarc->from_domain, SPAN_LIT("the domain of From"))));
		set_reply(reply_out, 550, "5.7.1", text, len);
		return true;
	}
	return false;
}

static void defer(
	struct smtp_reply *reply_out, const char *enhanced, const char *what, char text[FINDINGS_REPLY_MAX])
{
	int len = snprintf(
		text, FINDINGS_REPLY_MAX, "%s of the message cannot be looked up now, try again later", what);

	set_reply(reply_out, 451, enhanced, text, len);
}

/* RFC 7372 3.2, RFC 3463 3.5: a directory server failure. */
static bool refuse_for_now(
	const struct findings *findings, char text[FINDINGS_REPLY_MAX], struct smtp_reply *reply_out)
{
	size_t index;

	if (findings->inspection->on_error != INSPECTION_TROUBLE_DEFER)
		return false;
	if (findings_has(findings, INSPECTION_SPF) && findings->spf->result == SPF_TEMPERROR)
		defer(reply_out, "4.7.24", "SPF", text);
	else if (findings_has(findings, INSPECTION_DKIM) &&
		 findings_dkim(findings, &index) == DKIM_RESULT_TEMPERROR)
		defer(reply_out, "4.4.3", "DKIM", text);
	else if (findings_has(findings, INSPECTION_DMARC) && findings->dmarc_result == DMARC_TEMPERROR)
		defer(reply_out, "4.4.3", "DMARC", text);
	else
		return false;
	return true;
}

bool findings_refuse(
	const struct findings *findings, char text[FINDINGS_REPLY_MAX], struct smtp_reply *reply_out)
{
	return refuse_for_good(findings, text, reply_out) || refuse_for_now(findings, text, reply_out);
}
