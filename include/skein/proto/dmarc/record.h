/*
 * dmarc_record: the text of a DMARC policy record (RFC 7489 6.3, 6.4), read as receivers do: what is wrong
 * and has a default gets it, and is told all the same, so that the owner of the domain can be shown it.
 */
#ifndef SKEIN_PROTO_DMARC_RECORD_H
#define SKEIN_PROTO_DMARC_RECORD_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

enum {
	DMARC_RECORD_LEN_MAX = 8192,
	DMARC_TAGS_MAX = 32,
	DMARC_PROBLEMS_MAX = 8, /* that are told; there may be more */
};

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE, DMARC_POLICY_REJECT };

/* "none", "quarantine", "reject" */
const char *dmarc_policy_name(enum dmarc_policy policy);

enum dmarc_alignment { DMARC_RELAXED, DMARC_STRICT };

/* fo=, as bits. */
enum dmarc_failure {
	DMARC_FAILURE_ALL = 1,  /* 0: nothing aligned passes */
	DMARC_FAILURE_ANY = 2,  /* 1 */
	DMARC_FAILURE_DKIM = 4, /* d */
	DMARC_FAILURE_SPF = 8,  /* s */
};

struct dmarc_problem {
	const char *what; /* a sentence without a dot */
	struct span tag;  /* as written; "": the record as a whole */
};

/* Spans are borrowed from the text. */
struct dmarc_record {
	enum dmarc_policy policy;           /* p= */
	enum dmarc_policy subdomain_policy; /* sp=; without it p= */
	enum dmarc_alignment dkim_alignment, spf_alignment;
	unsigned percent;            /* pct= */
	uint32_t report_interval_s;  /* ri= */
	unsigned failures;           /* fo= */
	struct span reports;         /* rua=, see dmarc_uri_next(); "": none */
	struct span failure_reports; /* ruf= */
	struct dmarc_problem problems[DMARC_PROBLEMS_MAX];
	size_t problem_count;
};

/* Whether a TXT record is a DMARC record at all: it begins with v=DMARC1. */
bool dmarc_record_is_one(struct span text);
/*
 * Of any text. False: it is no policy, and DMARC does not apply (RFC 7489 6.6.3); problems tell why. There
 * may be problems in one that counts, too.
 */
WARN_UNUSED bool dmarc_record_parse(struct span text, struct dmarc_record *record_out);

struct dmarc_uri {
	struct span text;  /* without its size */
	struct span host;  /* of mailto:, behind the '@'; "": another scheme */
	uint64_t size_max; /* octets; 0: not said */
	bool is_valid;
};

/* Takes the next of "mailto:a@b!10m,mailto:c@d". False: there is none. */
bool dmarc_uri_next(struct span *list, struct dmarc_uri *uri_out);

#endif
