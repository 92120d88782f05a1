/*
 * dmarc: one evaluation of DMARC (RFC 7489 6.6) as a pure machine, asked and answered like spf.h. The domain
 * of From and what SPF and DKIM found in, one or two questions for TXT records out, at the end a verdict. No
 * resolver, no clock, no random.
 *
 *     check = dmarc_check_new(&request);
 *     while (dmarc_check_question(check, &name))
 *             dmarc_check_answer(check, &answer);    at once or any time later
 *     verdict = dmarc_check_verdict(check);
 *     dmarc_check_free(&check);
 */
#ifndef SKEIN_PROTO_DMARC_DMARC_H
#define SKEIN_PROTO_DMARC_DMARC_H

#include "skein/proto/dmarc/record.h"

enum {
	DMARC_DOMAIN_LEN_MAX = 253,
	DMARC_IDENTITIES_MAX = 32, /* of DKIM; further ones are not looked at */
};

/* Words of RFC 7489 11.2. */
enum dmarc_result {
	DMARC_NONE, /* there is no policy */
	DMARC_PASS,
	DMARC_FAIL,
	DMARC_TEMPERROR,
	DMARC_PERMERROR, /* there is a record that is no policy, or From has no domain that could have one */
};

const char *dmarc_result_name(enum dmarc_result result);

/* Borrowed during dmarc_check_new(). Domains are in A-labels. */
struct dmarc_request {
	struct span from_domain;
	struct span spf_domain;          /* for which SPF says pass; "": for none */
	const struct span *dkim_domains; /* d= of the signatures that pass */
	size_t dkim_count;
};

enum dmarc_answer_status {
	DMARC_ANSWER_RECORDS,
	DMARC_ANSWER_NONE,      /* no such name, or none with TXT; RECORDS without a record is the same */
	DMARC_ANSWER_TEMPERROR, /* time out, SERVFAIL and all else */
};

/* Texts of TXT records, their strings joined without a gap. Borrowed during dmarc_check_answer(). */
struct dmarc_answer {
	enum dmarc_answer_status status;
	const struct span *records;
	size_t count;
};

/* Spans live as long as the check; they quote what peers and the DNS said, byte for byte. */
struct dmarc_verdict {
	enum dmarc_result result;
	struct span from_domain, org_domain;
	/* Whose record it is: one of the two above; "": there is none. */
	struct span policy_domain;
	/* What that domain asks for: its p=, or its sp= for a domain below it. Of pass and fail. */
	enum dmarc_policy policy;
	bool is_subdomain; /* sp= counts */
	struct dmarc_record record;
	bool spf_is_aligned;
	struct span aligned_dkim; /* the domain of a signature; "": of none */
	const char *problem;      /* of none, temperror and permerror: a sentence without a dot; else NULL */
};

struct dmarc_check;

struct dmarc_check *dmarc_check_new(const struct dmarc_request *request);
void dmarc_check_free(struct dmarc_check **check);
/* The name to ask TXT of; it lives until the answer. False: there is a verdict. May be called again. */
bool dmarc_check_question(const struct dmarc_check *check, struct span *name_out);
/* Of the open question; without one it aborts. */
void dmarc_check_answer(struct dmarc_check *check, const struct dmarc_answer *answer);
/* While a question is open it aborts. */
const struct dmarc_verdict *dmarc_check_verdict(const struct dmarc_check *check);

/*
 * What to do with a message of this verdict (RFC 7489 6.6.4): of pct= percent what the domain asks for, of
 * the others the next milder. `random`: any 32 random bits. DMARC_POLICY_NONE for all results but fail.
 */
enum dmarc_policy dmarc_disposition(const struct dmarc_verdict *verdict, uint32_t random);

/* Whether an identity that has passed counts for From (RFC 7489 3.1). */
bool dmarc_is_aligned(struct span identity, struct span from_domain, enum dmarc_alignment alignment);

#endif
