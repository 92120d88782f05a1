/*
 * signer: makes the DKIM-Signature fields of one message (RFC 6376 5), as many as there are rules. The
 * message streams by: its header section is held, within bounds, the body is hashed once per canonical form.
 *
 * Fields are signed from the bottom up. One that is over-signed is named once more than it is there, so that
 * nobody can add another. l= is never written: what is behind it would be anybody's.
 */
#ifndef SKEIN_PROTO_DKIM_SIGNER_H
#define SKEIN_PROTO_DKIM_SIGNER_H

#include "skein/proto/dkim/canon.h"
#include "skein/proto/dkim/key.h"

enum {
	DKIM_RULES_MAX = 8,
	DKIM_RULE_NAMES_MAX = 64,
	DKIM_DNS_NAME_MAX = 253, /* SELECTOR._domainkey.DOMAIN */
	DKIM_FIELD_NAME_MAX = 64,
	DKIM_IDENTITY_MAX = 320,
};

struct dkim_signed_name {
	const char *name;
	bool is_oversigned;
};

/* What most sign: those that a reader sees or a program acts on, over-signed, and those of lists. */
extern const struct dkim_signed_name dkim_default_names[];
extern const size_t dkim_default_name_count;

struct dkim_rule {
	const struct dkim_key *key;   /* borrowed; private */
	struct span domain, selector; /* borrowed; d= and s=, in ASCII */
	struct span identity; /* borrowed; i=, an address or "@" and a name, of the domain or below. Empty: no
				 i= */
	enum dkim_canon header_canon, body_canon;
	const struct dkim_signed_name *names; /* borrowed; NULL: dkim_default_names */
	size_t name_count;
	uint32_t lifetime_s; /* x= is that much after t=; 0: no x= */
};

/* NULL, or what is wrong with a rule and what is wanted. */
const char *dkim_rule_fault(const struct dkim_rule *rule);

struct dkim_signer_options {
	const struct dkim_rule
		*rules; /* 1..DKIM_RULES_MAX, without fault; borrowed until the signer is freed */
	size_t rule_count;
	size_t header_size_max, header_fields_max; /* bounds as in dkim_header_init() */
};

struct dkim_signer;

struct dkim_signer *dkim_signer_new(const struct dkim_signer_options *options);
void dkim_signer_free(struct dkim_signer **signer);
/* The next part of the message, split anywhere, CRLF at its line ends. */
void dkim_signer_feed(struct dkim_signer *signer, struct span piece);
/*
 * The message is over. Appends the fields, each with its CRLF, in the order of the rules: they go in front of
 * the message. `now_s`: seconds since 1970, for t=. Called once. On an error nothing is appended, and
 * `why_out` is a phrase: ERR_INVALID, the header section is malformed; ERR_FULL, it passes a bound;
 * ERR_REFUSED, a key did not sign.
 */
enum err dkim_signer_end(
	struct dkim_signer *signer, int64_t now_s, struct buf *fields_out, const char **why_out) WARN_UNUSED;

#endif
