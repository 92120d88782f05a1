/*
 * mta_sts: what a domain says about TLS on the way to it (RFC 8461): the TXT record that tells of a policy,
 * the policy, and which hosts it means. Fetching and keeping are the caller's; the rules for how long are
 * here.
 */
#ifndef SKEIN_PROTO_WIRE_MTA_STS_H
#define SKEIN_PROTO_WIRE_MTA_STS_H

#include "skein/proto/base/arena.h"
#include "skein/proto/base/check.h"

enum {
	MTA_STS_ID_LEN_MAX = 32,            /* RFC 8461 3.1 */
	MTA_STS_POLICY_LEN_MAX = 64 * 1024, /* RFC 8461 3.2 advises it */
	MTA_STS_PATTERNS_MAX = 256,
	MTA_STS_AGE_MAX_S = 31557600, /* a year */
};

/* Whether a TXT record of _mta-sts.DOMAIN is one at all: it begins with v=STSv1; others are discarded. */
bool mta_sts_record_is_one(struct span text);
/* NULL, or what is wrong: then the domain counts as one without MTA-STS. `id_out` is borrowed. */
WARN_UNUSED const char *mta_sts_record_parse(struct span text, struct span *id_out);

enum mta_sts_mode { MTA_STS_NONE, MTA_STS_TESTING, MTA_STS_ENFORCE };

/* "none", "testing", "enforce" */
const char *mta_sts_mode_name(enum mta_sts_mode mode);

/* Spans are borrowed from the text, patterns from the arena. */
struct mta_sts_policy {
	enum mta_sts_mode mode;
	uint32_t max_age_s; /* at most MTA_STS_AGE_MAX_S */
	const struct span *patterns;
	size_t pattern_count; /* 0 only with mode none */
};

struct mta_sts_problem {
	const char *what; /* a sentence without a dot */
	unsigned line;    /* from 1; 0: the policy as a whole */
};

/*
 * Of the body of https://mta-sts.DOMAIN/.well-known/mta-sts.txt; lines may end with LF or CRLF. False: the
 * first thing that is wrong.
 */
WARN_UNUSED bool mta_sts_policy_parse(struct span text, struct arena *arena,
	struct mta_sts_policy *policy_out, struct mta_sts_problem *problem_out);

/* Whether mail may go to this MX host (RFC 8461 4.1): "*.example.org" stands for one label. */
bool mta_sts_policy_has(const struct mta_sts_policy *policy, struct span host);

/* A policy that was fetched once. */
struct mta_sts_kept {
	uint64_t fetched_at_s; /* or confirmed, by the record's id or by fetching the same again */
	uint32_t max_age_s;
	struct span id; /* of the record at that time */
};

/* What to do with it before a delivery (RFC 8461 3.3, 5.1, 10.2). */
enum mta_sts_freshness {
	MTA_STS_FRESH,   /* counts as it is */
	MTA_STS_REFRESH, /* counts, and is to be fetched again; when that fails it goes on counting */
	MTA_STS_EXPIRED, /* counts for nothing: without a new one the domain has none */
};

/*
 * `record_id`: of the record as it is now; "": there is none, or the DNS does not say. That alone ends no
 * policy, as who can suppress an answer could end it.
 */
enum mta_sts_freshness mta_sts_freshness(
	const struct mta_sts_kept *kept, struct span record_id, uint64_t now_s);

#endif
