#include "skein/proto/smtp/reply.h"

#define REPLY(code, enhanced, text)                                                                          \
	{                                                                                                    \
		code, enhanced,                                                                              \
		{                                                                                            \
			text, sizeof(text) - 1                                                               \
		}                                                                                            \
	}

static const struct smtp_reply replies[SMTP_REPLY_COUNT] = {
	[SMTP_REPLY_SENDER_OK] = REPLY(250, "2.1.0", "Sender ok"),
	/* RFC 6710 4.1: the text begins with the priority that it has now. */
	[SMTP_REPLY_PRIORITY_LOWERED] =
		REPLY(250, "2.3.6", "0 is its priority: more is for clients that are trusted"),
	[SMTP_REPLY_RECIPIENT_OK] = REPLY(250, "2.1.5", "Recipient ok"),
	[SMTP_REPLY_START_MAIL] = REPLY(354, "", "Start mail input; end with <CRLF>.<CRLF>"),
	[SMTP_REPLY_ACCEPTED] = REPLY(250, "2.0.0", "Message accepted"),
	[SMTP_REPLY_OK] = REPLY(250, "2.0.0", "Ok"),
	[SMTP_REPLY_RESET] = REPLY(250, "2.0.0", "Reset"),
	[SMTP_REPLY_VRFY] = REPLY(252, "2.5.0", "Send mail and see"),
	[SMTP_REPLY_START_TLS] = REPLY(220, "2.0.0", "Start TLS"),
	[SMTP_REPLY_BYE] = REPLY(221, "2.0.0", "Bye"),
	[SMTP_REPLY_AUTHENTICATED] = REPLY(235, "2.7.0", "Authenticated"),

	[SMTP_REPLY_NOT_READY] = REPLY(421, "4.3.2", "Not ready for mail, try again later"),
	[SMTP_REPLY_SHUTTING_DOWN] = REPLY(421, "4.3.2", "Shutting down, connect again"),
	[SMTP_REPLY_TIMEOUT] = REPLY(421, "4.4.2", "Waited too long"),
	[SMTP_REPLY_TOO_MANY_CONNECTIONS] = REPLY(421, "4.7.0", "Too many connections, try again later"),
	[SMTP_REPLY_TOO_MANY_ERRORS] = REPLY(421, "4.7.0", "Too many errors"),
	[SMTP_REPLY_TOO_MANY_MESSAGES] = REPLY(421, "4.7.0", "Enough messages on this connection"),
	[SMTP_REPLY_DID_NOT_WAIT] = REPLY(421, "4.5.0", "Commands were sent without waiting for a reply"),
	[SMTP_REPLY_TOO_MANY_FAILURES] = REPLY(421, "4.7.0", "Too many failed logins, try again later"),

	[SMTP_REPLY_AUTH_STALE] = REPLY(421, "4.7.0", "Authenticated too long ago, connect again"),

	[SMTP_REPLY_UNKNOWN_COMMAND] = REPLY(500, "5.5.2", "Unknown command"),
	[SMTP_REPLY_NOT_IMPLEMENTED] = REPLY(502, "5.5.1", "Command not implemented"),
	[SMTP_REPLY_LINE_TOO_LONG] = REPLY(500, "5.5.2", "Line too long"),
	[SMTP_REPLY_BARE_NEWLINE_IN_COMMAND] = REPLY(500, "5.5.2", "A command ends with CR LF"),
	[SMTP_REPLY_NUL_IN_COMMAND] = REPLY(500, "5.5.2", "NUL in a command"),
	[SMTP_REPLY_BAD_ARGUMENTS] = REPLY(501, "5.5.4", "Syntax error in arguments, see HELP"),
	[SMTP_REPLY_NO_ARGUMENTS_ALLOWED] = REPLY(501, "5.5.4", "No arguments allowed"),
	[SMTP_REPLY_ONLY_QUIT] = REPLY(503, "5.5.1", "No service, only QUIT"),
	[SMTP_REPLY_NEED_HELO] = REPLY(503, "5.5.1", "Say EHLO or HELO first"),
	[SMTP_REPLY_NEED_MAIL] = REPLY(503, "5.5.1", "MAIL first"),
	[SMTP_REPLY_NESTED_MAIL] = REPLY(503, "5.5.1", "A transaction is open; RSET ends it"),
	[SMTP_REPLY_BDAT_OPEN] = REPLY(503, "5.5.1", "A message is half sent; BDAT or RSET ends it"),
	[SMTP_REPLY_NO_RECIPIENTS] = REPLY(554, "5.5.1", "No valid recipients"),
	[SMTP_REPLY_TLS_ON_ALREADY] = REPLY(503, "5.5.1", "TLS is on already"),
	[SMTP_REPLY_TLS_UNAVAILABLE] = REPLY(454, "4.7.0", "TLS not available for now"),
	/* RFC 3207 4 */
	[SMTP_REPLY_NEED_TLS] = REPLY(530, "5.7.0", "Must issue a STARTTLS command first"),

	/* RFC 4954 6 */
	[SMTP_REPLY_NEED_AUTH] = REPLY(530, "5.7.0", "Authentication required"),
	[SMTP_REPLY_NEED_TLS_TO_AUTH] = REPLY(538, "5.7.11", "Encryption required, STARTTLS first"),
	[SMTP_REPLY_AUTHENTICATED_ALREADY] = REPLY(503, "5.5.1", "Authenticated already"),
	[SMTP_REPLY_UNKNOWN_MECHANISM] = REPLY(504, "5.5.4", "Unknown authentication mechanism"),
	[SMTP_REPLY_BAD_BASE64] = REPLY(501, "5.5.2", "Not base64, authentication ends"),
	[SMTP_REPLY_AUTH_LINE_TOO_LONG] = REPLY(500, "5.5.6", "Authentication line too long"),
	[SMTP_REPLY_AUTH_CANCELLED] = REPLY(501, "5.7.0", "Authentication cancelled"),
	[SMTP_REPLY_AUTH_MALFORMED] = REPLY(501, "5.5.2", "Malformed authentication response"),
	[SMTP_REPLY_AUTH_REFUSED] = REPLY(535, "5.7.8", "Authentication failed"),
	[SMTP_REPLY_AUTH_UNAVAILABLE] = REPLY(454, "4.7.0", "Cannot authenticate now, try again later"),

	[SMTP_REPLY_BAD_SENDER] = REPLY(501, "5.1.7", "Bad sender address syntax"),
	[SMTP_REPLY_BAD_RECIPIENT] = REPLY(501, "5.1.3", "Bad recipient address syntax"),
	/* RFC 6531 3.5 */
	[SMTP_REPLY_NEED_SMTPUTF8] = REPLY(553, "5.6.7", "A non-ASCII address needs SMTPUTF8"),
	[SMTP_REPLY_BAD_PARAMETER] = REPLY(501, "5.5.4", "Bad parameter value"),
	[SMTP_REPLY_UNKNOWN_PARAMETER] = REPLY(555, "5.5.4", "Unknown parameter"),
	[SMTP_REPLY_TOO_BIG] = REPLY(552, "5.3.4", "Message too big"),
	[SMTP_REPLY_TOO_MANY_RECIPIENTS] = REPLY(452, "4.5.3", "Too many recipients"),
	[SMTP_REPLY_RELAY_DENIED] = REPLY(550, "5.7.1", "Relaying denied"),
	[SMTP_REPLY_NO_RETURN] = REPLY(550, "5.1.1", "This return address is not ours, or too old"),
	[SMTP_REPLY_SENDER_NOT_ALLOWED] = REPLY(550, "5.7.1", "Sender address not allowed for this user"),
	[SMTP_REPLY_POLICY_UNAVAILABLE] = REPLY(450, "4.7.1", "Cannot check permission now, try again later"),

	[SMTP_REPLY_BARE_NEWLINE] = REPLY(550, "5.6.11", "A bare CR or LF is in the message"),
	[SMTP_REPLY_NUL_IN_MESSAGE] = REPLY(550, "5.6.11", "A NUL is in the message"),
	[SMTP_REPLY_TEXT_LINE_TOO_LONG] = REPLY(554, "5.6.0", "A line of the message is too long"),
	[SMTP_REPLY_BAD_BDAT] =
		REPLY(501, "5.5.4", "BDAT needs a size; closing, for what follows is unclear"),
	[SMTP_REPLY_LOOP] = REPLY(554, "5.4.6", "Too many hops, the message loops"),
	[SMTP_REPLY_BAD_HEADER] = REPLY(554, "5.6.0", "The header section is too long"),
	[SMTP_REPLY_NO_MEMORY] = REPLY(452, "4.3.1", "Out of room, try again later"),
	[SMTP_REPLY_NO_CUSTODY] = REPLY(451, "4.3.0", "Could not store the message, try again later"),
};

const struct smtp_reply *smtp_reply_get(enum smtp_reply_id id)
{
	CHECK(id > SMTP_REPLY_NONE && id < SMTP_REPLY_COUNT);
	return &replies[id];
}

static void append_printable(struct buf *out, struct span text)
{
	buf_reserve(out, text.len);
	for (size_t i = 0; i < text.len; i++) {
		char c = text.ptr[i];

		buf_tail(out)[i] = c >= ' ' && c <= '~' ? c : '?';
	}
	buf_commit(out, text.len);
}

/* Takes the next line from *text, no longer than `len_max`. */
static struct span take_line(struct span *text, size_t len_max)
{
	size_t len = span_find(*text, '\n');
	struct span line = span_take(*text, len < len_max ? len : len_max);

	*text = span_drop(*text, line.len);
	if (line.len == len && text->len)
		*text = span_drop(*text, 1);
	return line;
}

void smtp_reply_format(struct buf *out, const struct smtp_reply *reply)
{
	struct span text = reply->text;
	/* "250-", the enhanced code with its space, CRLF */
	size_t overhead = strlen("250-") + strlen(reply->enhanced) + 1 + strlen("\r\n");

	do {
		struct span line = take_line(&text, SMTP_REPLY_LINE_MAX - overhead);

		buf_append_u64(out, reply->code);
		buf_append_byte(out, text.len ? '-' : ' ');
		if (reply->enhanced[0]) {
			/* RFC 2034 4: on every line */
			buf_append_str(out, reply->enhanced);
			buf_append_byte(out, ' ');
		}
		append_printable(out, line);
		buf_append(out, SPAN_LIT("\r\n"));
	} while (text.len);
}
