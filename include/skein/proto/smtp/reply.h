/*
 * smtp_reply: what an SMTP server answers. The one table of our own replies, and the formatter that turns a
 * reply into lines. A caller builds its own where the text must say more ("queued as ...").
 */
#ifndef SKEIN_PROTO_SMTP_REPLY_H
#define SKEIN_PROTO_SMTP_REPLY_H

#include "skein/proto/base/buf.h"

/* RFC 5321 4.5.3.1.5, with code and CRLF. */
enum { SMTP_REPLY_LINE_MAX = 512 };

struct smtp_reply {
	uint16_t code;        /* 200 to 599 */
	const char *enhanced; /* RFC 3463, such as "5.7.1"; "" for none */
	struct span text;     /* '\n' parts the lines of a longer reply; no CRLF at the end */
};

/* Row names of the table: what happened, not its number. */
enum smtp_reply_id {
	SMTP_REPLY_NONE, /* no complaint */

	/* Positive. */
	SMTP_REPLY_SENDER_OK,
	SMTP_REPLY_PRIORITY_LOWERED,
	SMTP_REPLY_RECIPIENT_OK,
	SMTP_REPLY_START_MAIL,
	SMTP_REPLY_ACCEPTED,
	SMTP_REPLY_OK,
	SMTP_REPLY_RESET,
	SMTP_REPLY_VRFY,
	SMTP_REPLY_START_TLS,
	SMTP_REPLY_BYE,
	SMTP_REPLY_AUTHENTICATED,

	/* The connection ends. */
	SMTP_REPLY_NOT_READY,
	SMTP_REPLY_SHUTTING_DOWN,
	SMTP_REPLY_TIMEOUT,
	SMTP_REPLY_TOO_MANY_CONNECTIONS,
	SMTP_REPLY_TOO_MANY_ERRORS,
	SMTP_REPLY_TOO_MANY_MESSAGES,
	SMTP_REPLY_DID_NOT_WAIT,
	SMTP_REPLY_TOO_MANY_FAILURES, /* of authentication */

	/* Commands. */
	SMTP_REPLY_AUTH_STALE, /* who authenticated long ago has to do so again */
	SMTP_REPLY_UNKNOWN_COMMAND,
	SMTP_REPLY_NOT_IMPLEMENTED,
	SMTP_REPLY_LINE_TOO_LONG,
	SMTP_REPLY_BARE_NEWLINE_IN_COMMAND,
	SMTP_REPLY_NUL_IN_COMMAND,
	SMTP_REPLY_BAD_ARGUMENTS,
	SMTP_REPLY_NO_ARGUMENTS_ALLOWED,
	SMTP_REPLY_ONLY_QUIT,
	SMTP_REPLY_NEED_HELO,
	SMTP_REPLY_NEED_MAIL,
	SMTP_REPLY_NESTED_MAIL,
	SMTP_REPLY_BDAT_OPEN,
	SMTP_REPLY_NO_RECIPIENTS,
	SMTP_REPLY_TLS_ON_ALREADY,
	SMTP_REPLY_TLS_UNAVAILABLE,
	SMTP_REPLY_NEED_TLS, /* before MAIL */

	/* Authentication. */
	SMTP_REPLY_NEED_AUTH, /* before MAIL */
	SMTP_REPLY_NEED_TLS_TO_AUTH,
	SMTP_REPLY_AUTHENTICATED_ALREADY,
	SMTP_REPLY_UNKNOWN_MECHANISM,
	SMTP_REPLY_BAD_BASE64,
	SMTP_REPLY_AUTH_LINE_TOO_LONG,
	SMTP_REPLY_AUTH_CANCELLED,
	SMTP_REPLY_AUTH_MALFORMED,   /* base64, and nothing that the mechanism knows */
	SMTP_REPLY_AUTH_REFUSED,     /* the one answer to all that is wrong */
	SMTP_REPLY_AUTH_UNAVAILABLE, /* whether it is wrong we cannot say */

	/* Addresses and parameters. */
	SMTP_REPLY_BAD_SENDER,
	SMTP_REPLY_BAD_RECIPIENT,
	SMTP_REPLY_NEED_SMTPUTF8,
	SMTP_REPLY_BAD_PARAMETER,
	SMTP_REPLY_UNKNOWN_PARAMETER,
	SMTP_REPLY_TOO_BIG,
	SMTP_REPLY_TOO_MANY_RECIPIENTS,
	SMTP_REPLY_RELAY_DENIED,
	SMTP_REPLY_NO_RETURN,
	SMTP_REPLY_SENDER_NOT_ALLOWED, /* for who authenticated */
	SMTP_REPLY_POLICY_UNAVAILABLE, /* whether it is allowed we cannot say */

	/* The message. */
	SMTP_REPLY_BARE_NEWLINE,
	SMTP_REPLY_NUL_IN_MESSAGE,
	SMTP_REPLY_TEXT_LINE_TOO_LONG,
	SMTP_REPLY_BAD_BDAT,
	SMTP_REPLY_LOOP,
	SMTP_REPLY_BAD_HEADER,
	SMTP_REPLY_NO_MEMORY,
	SMTP_REPLY_NO_CUSTODY,

	SMTP_REPLY_COUNT
};

/* A row of the table; never for SMTP_REPLY_NONE. */
const struct smtp_reply *smtp_reply_get(enum smtp_reply_id id);

/*
 * Appends the reply, CRLF included, as as many lines as its text has; a line that would be too long is
 * continued on the next. The text may hold a peer's bytes: whatever is not printable ASCII becomes '?'.
 */
void smtp_reply_format(struct buf *out, const struct smtp_reply *reply);

#endif
