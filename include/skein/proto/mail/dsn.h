/*
 * dsn: delivery status notifications (RFC 3464), when to send one (RFC 3461) and what is in it. The caller
 * makes a new message of it: null sender, one recipient, the original's sender.
 */
#ifndef SKEIN_PROTO_MAIL_DSN_H
#define SKEIN_PROTO_MAIL_DSN_H

#include "skein/proto/mail/envelope.h"

enum dsn_kind {
	DSN_FAILED,
	DSN_DELAYED,
	/* Success was asked for and the next hop does not report (RFC 3461 5.2.2); or a time to deliver by,
	 * and that is now the next hop's affair (RFC 2852). */
	DSN_RELAYED,
};

/*
 * Whether this recipient's news of that kind is to be sent. Never for a null sender, never twice for a delay,
 * never against NOTIFY.
 */
bool dsn_is_wanted(
	const struct envelope *envelope, const struct envelope_recipient *recipient, enum dsn_kind kind);

struct dsn_options {
	enum dsn_kind kind;
	const char *reporting_mta; /* our host name; MAILER-DAEMON@ it is the From */
	const char *boundary;      /* unguessable, 16..60 letters and digits */
	struct span message_id;    /* its left half; the right one is reporting_mta */
	int64_t now_unix_s;
	int offset_min;
	const size_t *rcpt_idx; /* which recipients of the envelope this one is about */
	size_t rcpt_count;      /* at least 1 */
	struct span original;   /* the message: all of it, or only its header section */
	bool original_is_whole;
	size_t full_max; /* a larger original is returned by its headers alone */
};

/* What the notification needs of its way. */
struct dsn_needs {
	bool needs_8bit, needs_smtputf8;
};

/*
 * Appends the message, CRLF throughout. The third part is the whole original for a failure when it is there,
 * small enough, neither RET=HDRS nor REQUIRETLS was asked, and its 8-bit bytes can be encoded if a hop wants
 * that; else its headers. For an SMTPUTF8 message the parts are those of RFC 6533.
 */
struct dsn_needs dsn_build(
	const struct envelope *envelope, const struct dsn_options *options, struct buf *out);

#endif
