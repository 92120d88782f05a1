/*
 * return_path: what becomes of an envelope's sender on its way out: another domain, VERP (the recipient named
 *in the sender), or SRS (the sender wrapped into an address of ours, so that bounces come here and find the
 *way back). The null sender has no other form: it is never handed in.
 *
 *	SRS0=HHHHHHHH=DD=domain=local@ours             of a sender local@domain; DD is the day
 *	SRS1=HHHHHHHH=first.example==...@ours          of one that first.example has wrapped already
 */
#ifndef SKEIN_PROTO_MAIL_RETURN_PATH_H
#define SKEIN_PROTO_MAIL_RETURN_PATH_H

#include "skein/proto/base/buf.h"

enum { SRS_MAC_LEN = 32, SRS_DAYS_MAX = 21 };

/*
 * Append the new sender. False, and nothing is appended: the sender is no local@domain, or the new one would
 * be longer than an envelope's address may be.
 */
WARN_UNUSED bool return_path_domain(struct buf *out, struct span sender, struct span domain);
/* "list+user=example.org@domain" of list@... for user@example.org; an empty `domain` is the sender's own. */
WARN_UNUSED bool return_path_verp(
	struct buf *out, struct span sender, struct span recipient, struct span domain);

struct srs {
	struct span domain; /* ours */
	uint64_t day;       /* since any fixed day */
	/* A keyed hash of `text`, such as HMAC-SHA-256 with a secret. */
	void (*mac)(const void *arg, struct span text, unsigned char mac_out[SRS_MAC_LEN]);
	const void *arg;
};

/* One that is of our domain already stays as it is. */
WARN_UNUSED bool srs_wrap(const struct srs *srs, struct buf *out, struct span sender);

enum srs_verdict {
	SRS_UNWRAPPED, /* the address it stands for was appended */
	SRS_NONE,      /* not of this form, or of another domain */
	SRS_FORGED,    /* not signed by us */
	SRS_EXPIRED,   /* older than SRS_DAYS_MAX */
};

enum srs_verdict srs_unwrap(const struct srs *srs, struct buf *out, struct span address);

#endif
