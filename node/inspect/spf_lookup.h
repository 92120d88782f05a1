/*
 * spf_lookup: one evaluation of SPF (proto/spf), its questions put to the resolver one after the other.
 */
#ifndef NODE_INSPECT_SPF_LOOKUP_H
#define NODE_INSPECT_SPF_LOOKUP_H

#include "dns/resolver.h"
#include "skein/proto/spf/spf.h"

struct spf_lookup;

/* Borrowed during the call, but for loop and resolver. */
struct spf_lookup_request {
	struct loop *loop; /* of the calling thread */
	struct resolver *resolver;
	struct dns_ip client;
	struct span helo, sender; /* as the client said them */
	struct span hostname;     /* ours */
	loop_fn *fn;
	void *arg;
};

/* `fn` is called once, later: then there is a verdict. */
struct spf_lookup *spf_lookup_start(const struct spf_lookup_request *request);
/* At any time; sets the pointer to NULL. NULL inside is fine. */
void spf_lookup_free(struct spf_lookup **lookup);
/* Time is up: what is not known cannot be had. There is a verdict now, and `fn` is not called any more. */
void spf_lookup_give_up(struct spf_lookup *lookup);
/* When there is one; lives as long as the lookup. */
const struct spf_verdict *spf_lookup_verdict(const struct spf_lookup *lookup);

#endif
