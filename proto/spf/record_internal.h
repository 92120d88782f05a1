/* The text of a policy (RFC 7208 4.5, 4.6, 12), checked as a whole before any of it is evaluated. */
#ifndef PROTO_SPF_RECORD_INTERNAL_H
#define PROTO_SPF_RECORD_INTERNAL_H

#include "skein/proto/base/arena.h"
#include "skein/proto/spf/spf.h"

enum spf_mechanism {
	SPF_MECHANISM_ALL,
	SPF_MECHANISM_INCLUDE,
	SPF_MECHANISM_A,
	SPF_MECHANISM_MX,
	SPF_MECHANISM_PTR,
	SPF_MECHANISM_IP4,
	SPF_MECHANISM_IP6,
	SPF_MECHANISM_EXISTS,
};

/* A mechanism, or the modifiers redirect and exp, of which only text, number and domain are set. */
struct spf_term {
	enum spf_mechanism mechanism;
	enum spf_result qualifier; /* PASS, FAIL, SOFTFAIL or NEUTRAL */
	struct span text;          /* as written */
	unsigned number;           /* from 1, modifiers counted too */
	struct span domain;        /* domain-spec with its macros; "": none */
	uint8_t address[16];       /* of ip4, ip6 */
	unsigned prefix4, prefix6; /* bits; of ip4, ip6, a, mx */
};

struct spf_record {
	struct spf_term *terms; /* mechanisms in their order */
	unsigned count;
	struct spf_term redirect, exp; /* number 0: there is none */
};

struct spf_record_problem {
	const char *what;
	struct span term; /* "": the record as a whole */
	unsigned number;
};

/*
 * Of a text that spf_record_is_one(). The record points into `text` and lives in `arena`. False: *problem_out
 * tells the first thing that is wrong.
 */
bool spf_record_parse(struct span text, struct arena *arena, struct spf_record *record_out,
	struct spf_record_problem *problem_out);
/* Whether the term costs one of SPF_DNS_TERMS_MAX. */
bool spf_term_asks_dns(const struct spf_term *term);

#endif
