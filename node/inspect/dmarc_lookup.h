/*
 * dmarc_lookup: the DMARC policy of one domain of From, fetched while it is still open whether SPF and DKIM
 * stand for it, and then the verdict (proto/dmarc).
 */
#ifndef NODE_INSPECT_DMARC_LOOKUP_H
#define NODE_INSPECT_DMARC_LOOKUP_H

#include "dns/resolver.h"
#include "skein/proto/dmarc/dmarc.h"

struct dmarc_lookup;

struct dmarc_lookup_request {
	struct loop *loop; /* of the calling thread */
	struct resolver *resolver;
	struct span domain; /* borrowed during the call */
	loop_fn *fn;
	void *arg;
};

/* `fn` is called once, later: then it can judge. */
struct dmarc_lookup *dmarc_lookup_start(const struct dmarc_lookup_request *request);
/* At any time; sets the pointer to NULL. NULL inside is fine. */
void dmarc_lookup_free(struct dmarc_lookup **lookup);
/* Time is up: what is not known cannot be had. It can judge now, and `fn` is not called any more. */
void dmarc_lookup_give_up(struct dmarc_lookup *lookup);
/* `identities`: its from_domain is not looked at. Called once; the verdict lives as long as the lookup. */
const struct dmarc_verdict *dmarc_lookup_judge(
	struct dmarc_lookup *lookup, const struct dmarc_request *identities);

#endif
