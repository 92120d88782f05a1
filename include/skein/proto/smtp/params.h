/*
 * The parameters of MAIL and RCPT: SIZE (RFC 1870), BODY (RFC 6152), SMTPUTF8 (RFC 6531), AUTH (RFC 4954),
 * those of delivery reports (RFC 3461), REQUIRETLS (RFC 8689), MT-PRIORITY (RFC 6710), BY (RFC 2852), HOLDFOR
 * and HOLDUNTIL (RFC 4865). They are checked and kept as they were written, since a relay passes them on.
 * Spans are borrowed from the text that was parsed.
 */
#ifndef SKEIN_PROTO_SMTP_PARAMS_H
#define SKEIN_PROTO_SMTP_PARAMS_H

#include "skein/proto/mail/deliver_by.h"
#include "skein/proto/mail/dsn_params.h"
#include "skein/proto/smtp/reply.h"

enum smtp_body { SMTP_BODY_NOT_SAID, SMTP_BODY_7BIT, SMTP_BODY_8BITMIME };

struct smtp_mail_params {
	uint64_t size; /* 0: not said; UINT64_MAX: more than a number holds */
	enum smtp_body body;
	enum dsn_ret ret;
	bool smtputf8;
	struct span envid; /* xtext; "": not said */
	struct span auth;  /* xtext or "<>"; "": not said. A claim: only as good as the client */
	bool requiretls;
	int8_t priority; /* -9..9 */
	struct deliver_by deliver_by;
	/* At most one of them; 0: not said, or no hold at all. */
	uint32_t hold_for_s;
	int64_t hold_until_s; /* unix time */
};

struct smtp_rcpt_params {
	unsigned notify;   /* dsn_notify bits */
	struct span orcpt; /* "rfc822;" and xtext; "": not said */
};

/*
 * `text` is what follows the path: nothing, or parameters after spaces. `extensions` are the SMTP_EXT_ bits
 * of server.h that are offered: the parameter of one that is not is unknown. SMTP_REPLY_NONE, or what is
 * wrong.
 */
enum smtp_reply_id smtp_mail_params_parse(
	struct span text, unsigned extensions, struct smtp_mail_params *params_out);
/* `smtputf8`: the transaction has it, so ORCPT may hold UTF-8 (RFC 6533). */
enum smtp_reply_id smtp_rcpt_params_parse(
	struct span text, unsigned extensions, bool smtputf8, struct smtp_rcpt_params *params_out);

#endif
