/*
 * dkim_lookup: the signatures of a message that was read: their key records are fetched side by side, then
 * each signature is verified, in the pool of threads.
 */
#ifndef NODE_INSPECT_DKIM_LOOKUP_H
#define NODE_INSPECT_DKIM_LOOKUP_H

#include "dns/resolver.h"
#include "skein/proto/dkim/verifier.h"

/* Words of RFC 8601 2.7.1. */
enum dkim_result {
	DKIM_RESULT_NONE, /* not signed */
	DKIM_RESULT_PASS,
	DKIM_RESULT_FAIL,
	DKIM_RESULT_NEUTRAL,
	DKIM_RESULT_TEMPERROR,
	DKIM_RESULT_PERMERROR,
};

const char *dkim_result_name(enum dkim_result result);

enum { DKIM_MARK_LEN = 8 };

/* Of one signature. Spans live as long as the lookup, and quote the message byte for byte. */
struct dkim_finding {
	enum dkim_result result;
	const char *why;              /* a phrase; NULL of a pass */
	struct span domain, selector; /* empty where they cannot be read */
	struct span identity;         /* i=; empty: not given */
	struct span mark;             /* how b= begins (RFC 6008); empty where it cannot be read */
};

struct dkim_lookup;

struct dkim_lookup_request {
	struct loop *loop; /* of the calling thread */
	struct resolver *resolver;
	unsigned *under_way;            /* as in struct reading_request */
	struct dkim_verifier *verifier; /* moved; the message was fed whole */
	loop_fn *fn;
	void *arg;
};

/* `fn` is called once, later. */
struct dkim_lookup *dkim_lookup_start(const struct dkim_lookup_request *request);
/* At any time; sets the pointer to NULL. NULL inside is fine. */
void dkim_lookup_free(struct dkim_lookup **lookup);
/* Time is up: what is not known is a temperror. `fn` is not called any more. */
void dkim_lookup_give_up(struct dkim_lookup *lookup);
/* Once `fn` was called, or given up. From the top of the message down; at most DKIM_SIGNATURES_MAX. */
size_t dkim_lookup_findings(const struct dkim_lookup *lookup, const struct dkim_finding **findings_out);

#endif
