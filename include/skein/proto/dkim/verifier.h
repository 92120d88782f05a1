/*
 * verifier: the core of judging a message's DKIM signatures (RFC 6376 6). The message streams by as for the
 * signer; then the caller fetches the key record of each signature, and asks. No DNS here, and no policy:
 * what a verdict leads to is the caller's matter.
 */
#ifndef SKEIN_PROTO_DKIM_VERIFIER_H
#define SKEIN_PROTO_DKIM_VERIFIER_H

#include "skein/proto/dkim/canon.h"
#include "skein/proto/dkim/header.h"
#include "skein/proto/dkim/key.h"

enum {
	DKIM_SIGNATURES_MAX = 8, /* that are looked at; the topmost */
	DKIM_RECORD_MAX = 8192,
};

/* What a DKIM-Signature field says. Spans are borrowed from the verifier. */
struct dkim_signature {
	/* NULL, or why it counts for nothing; then only `domain` and `selector` mean something, if not empty.
	 */
	const char *fault;
	enum dkim_algorithm algorithm;
	enum dkim_canon header_canon, body_canon;
	struct span domain, selector;
	struct span identity; /* i=, or empty: "@" and the domain */
	struct span names;    /* h=, with its white space */
	bool has_body_len;    /* l=: what is behind it is not signed */
	uint64_t body_len;
	int64_t signed_at_s, expires_at_s; /* -1: not said */
	unsigned char body_hash[DKIM_HASH_LEN];
	char signature[DKIM_SIGNATURE_MAX];
	size_t signature_len;
};

/* Words of RFC 8601 2.7.1; "none" and "temperror" are the caller's. */
enum dkim_verdict {
	DKIM_PASS,
	DKIM_FAIL,      /* the message is not what was signed */
	DKIM_NEUTRAL,   /* the signature cannot be read, or has expired */
	DKIM_PERMERROR, /* the key record cannot be used */
};

const char *dkim_verdict_name(enum dkim_verdict verdict);

struct dkim_verifier;

/* Bounds as in dkim_header_init(). */
struct dkim_verifier *dkim_verifier_new(size_t header_size_max, size_t header_fields_max);
void dkim_verifier_free(struct dkim_verifier **verifier);
void dkim_verifier_feed(struct dkim_verifier *verifier, struct span piece);
/* As far as it was read. Borrowed. */
const struct dkim_header *dkim_verifier_header(const struct dkim_verifier *verifier);
/* The message is over. Called once. ERR_INVALID: its header section cannot be judged; there are no
 * signatures. */
enum err dkim_verifier_end(struct dkim_verifier *verifier, const char **why_out) WARN_UNUSED;

/* After the end: from the top of the message down. */
size_t dkim_verifier_count(const struct dkim_verifier *verifier);
const struct dkim_signature *dkim_verifier_signature(const struct dkim_verifier *verifier, size_t index);
/*
 * `record`: the text of SELECTOR._domainkey.DOMAIN, its strings joined; empty: there is none. `why_out`: a
 * phrase, NULL for DKIM_PASS.
 */
enum dkim_verdict dkim_verifier_check(struct dkim_verifier *verifier, size_t index, struct span record,
	int64_t now_s, const char **why_out) WARN_UNUSED;

#endif
