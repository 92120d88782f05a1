#include "smtp/server_internal.h"

#define IN(phase) (1u << PHASE_##phase)

enum { ANYWHERE = IN(HELLO) | IN(READY) | IN(MAIL) | IN(CHUNKS) };

/*
 * BDAT is legal everywhere, since its bytes follow whatever we think of it: smtp_cmd_bdat() knows more. Those
 * that RFC 5321 4.1.4 allows at any time are, before EHLO too.
 */
const struct verb smtp_verbs[] = {
	{ "EHLO", ANYWHERE, VERB_NEEDS_ARGUMENTS | VERB_ENDS_GROUP, 0, "EHLO hostname", smtp_cmd_ehlo },
	{ "HELO", ANYWHERE, VERB_NEEDS_ARGUMENTS | VERB_ENDS_GROUP, 0, "HELO hostname", smtp_cmd_helo },
	{ "STARTTLS", IN(READY), VERB_NO_ARGUMENTS | VERB_ENDS_GROUP, SMTP_EXT_STARTTLS, "STARTTLS",
		smtp_cmd_starttls },
	{ "AUTH", IN(READY), VERB_NEEDS_ARGUMENTS | VERB_LONG_LINE | VERB_ENDS_GROUP, SMTP_EXT_AUTH,
		"AUTH mechanism [initial-response]", smtp_cmd_auth },
	{ "MAIL", IN(READY), VERB_NEEDS_ARGUMENTS | VERB_LONG_LINE, 0, "MAIL FROM:<address> [parameters]",
		smtp_cmd_mail },
	{ "RCPT", IN(MAIL), VERB_NEEDS_ARGUMENTS | VERB_LONG_LINE | VERB_IN_MAIL, 0,
		"RCPT TO:<address> [parameters]", smtp_cmd_rcpt },
	{ "DATA", IN(MAIL), VERB_NO_ARGUMENTS | VERB_ENDS_GROUP | VERB_IN_MAIL, 0, "DATA", smtp_cmd_data },
	{ "BDAT", ANYWHERE | IN(REFUSED), VERB_LONG_LINE, 0, "BDAT size [LAST]", smtp_cmd_bdat },
	{ "RSET", ANYWHERE, VERB_NO_ARGUMENTS, 0, "RSET", smtp_cmd_rset },
	{ "NOOP", ANYWHERE, 0, 0, "NOOP [anything]", smtp_cmd_noop },
	{ "VRFY", ANYWHERE, VERB_NEEDS_ARGUMENTS, 0, "VRFY address", smtp_cmd_vrfy },
	{ "EXPN", ANYWHERE, 0, 0, "EXPN list", smtp_cmd_expn },
	{ "HELP", ANYWHERE, 0, 0, "HELP [command]", smtp_cmd_help },
	{ "QUIT", ANYWHERE | IN(REFUSED), VERB_NO_ARGUMENTS | VERB_ENDS_GROUP, 0, "QUIT", smtp_cmd_quit },
	{ NULL, 0, 0, 0, NULL, NULL },
};

const struct verb *smtp_verb_find(struct span name)
{
	for (const struct verb *verb = smtp_verbs; verb->name; verb++) {
		if (span_eq_nocase(name, span_of_str(verb->name)))
			return verb;
	}
	return NULL;
}

bool smtp_verb_is_offered(const struct smtp_server *server, const struct verb *verb)
{
	return !(verb->extension & ~server->options->extensions);
}
