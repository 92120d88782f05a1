/*
 * lookup: where the targets of one destination are, as the DNS says it. Asked when it is wanted, kept for as
 * long as it holds, asked again in the background; what was known is used meanwhile, and when there is no
 * answer. A target that is a plain host needs none of this: its hop asks the system's resolver (hosts, NSS),
 * unless its route wants DANE, which needs answers that are known to be secure.
 */
#ifndef NODE_OUTBOUND_LOOKUP_H
#define NODE_OUTBOUND_LOOKUP_H

#include "dns/hops.h"

struct lookup;
typedef void lookup_fn(void *arg);

/* What all destinations of a worker have in common. All borrowed. */
struct lookup_desk {
	struct loop *loop;
	struct random *random;
	struct resolver *resolver;
	const struct dns_self *self;
};

struct lookup_target {
	struct lookup *lookup;
	struct hops_search *search;
	struct dns_hops *found; /* the last answer; NULL: none yet */
	uint64_t until_ms;      /* it holds; loop clock */
};

struct lookup {
	const struct lookup_desk *desk;
	const struct route *route;
	struct span domain; /* of the recipients, for direct delivery */
	struct lookup_target targets[ROUTE_TARGETS_MAX];
	lookup_fn *fn; /* something was found, or not */
	void *arg;
};

void lookup_init(struct lookup *lookup, const struct lookup_desk *desk, const struct route *route,
	struct span domain, lookup_fn *fn, void *arg);
void lookup_fini(struct lookup *lookup);
/* Asks for what is not known, or no longer holds. */
void lookup_refresh(struct lookup *lookup);
/* Something is asked for that nothing is known of. */
bool lookup_is_pending(const struct lookup *lookup);
/* A plain host: not looked up here. */
bool lookup_is_static(const struct route_target *target);
/* NULL: not known, or no host. Borrowed until the next call of `fn`. */
const struct dns_hops *lookup_found(const struct lookup *lookup, size_t target);

/* Why there is no host: one that may change counts more than one that does not. */
struct lookup_failure {
	bool is_permanent;
	struct enhanced_code enhanced;
	const char *why; /* borrowed as above */
	uint64_t again_ms;
};
/* False: there is a host, or an answer is still to come. */
bool lookup_has_failed(const struct lookup *lookup, struct lookup_failure *failure_out);

#endif
