/*
 * smtp_address: the paths of MAIL and RCPT (RFC 5321 4.1.2), with UTF-8 in them as RFC 6531 allows. All spans
 * are borrowed from the text that was parsed.
 */
#ifndef SKEIN_PROTO_SMTP_ADDRESS_H
#define SKEIN_PROTO_SMTP_ADDRESS_H

#include "skein/proto/base/span.h"

/*
 * RFC 5321 4.5.3.1 asks for 64 and 255 at least. Signed and rewritten senders (VERP, SRS, BATV) have outgrown
 * 64; the whole mailbox is what an envelope keeps.
 */
enum { SMTP_DOMAIN_MAX = 255, SMTP_MAILBOX_MAX = 320 };

enum smtp_address_kind {
	SMTP_ADDRESS_NULL,       /* <>, the sender of reports */
	SMTP_ADDRESS_POSTMASTER, /* <postmaster> without a domain: our own */
	SMTP_ADDRESS_MAILBOX,    /* local@domain */
};

enum smtp_domain_kind { SMTP_DOMAIN_NAME, SMTP_DOMAIN_IPV4, SMTP_DOMAIN_IPV6 };

struct smtp_address {
	enum smtp_address_kind kind;
	enum smtp_domain_kind domain_kind;
	bool has_utf8;      /* a byte above 127: to be sent with SMTPUTF8 only */
	struct span text;   /* as the peer wrote it, without brackets and source route; "" for <> */
	struct span local;  /* with its quotes, if it has any */
	struct span domain; /* a literal with its brackets */
};

/*
 * Takes a path from the front of *rest: <>, <mailbox>, <@route:mailbox> (the route is dropped, RFC 5321
 * appendix C), <postmaster>, or a mailbox without brackets, which ends at a space or at the end: old
 * submission clients write that. What a path may be at this place (a null recipient is none) is for the
 * caller to judge. False: not a path; *rest and *address_out are undefined.
 */
bool smtp_path_take(struct span *rest, struct smtp_address *address_out);

#endif
