/* What the files that compile routes share. Each reports at the keys below the place it is given. */
#ifndef CLUSTER_POLICY_ROUTE_INTERNAL_H
#define CLUSTER_POLICY_ROUTE_INTERNAL_H

#include "policy/policy_internal.h"

/* Where in the document: "routes[3].to[1]". */
struct place {
	char path[LIMIT_NAME_MAX + 32];
	char below[LIMIT_NAME_MAX + 64];
};

/* "routes[3].to[1].port"; until the next call. */
const char *place_below(struct place *place, const char *key);

/* credentials.c: into policy->credentials */
void policy_compile_credentials(struct policy *policy, const struct policy_text *text, struct report *report);
/* NULL: there are none of this name. */
const struct route_credentials *policy_find_credentials(const struct policy *policy, const char *name);

/* route_targets.c: needs policy->credentials */
void policy_compile_targets(struct policy *policy, struct route *route, const struct route_text *text,
	struct place *place, struct report *report);

/* route_rewrite.c */
void policy_compile_rewrite(struct policy *policy, struct route_rewrite *rewrite,
	const struct rewrite_text *text, struct place *place, struct report *report);

/* All routes with SRS on one domain sign with one secret: nobody can tell from an address which it was. */
void policy_check_return_secrets(const struct policy_text *text, struct report *report);

/* route_digest.c: of the finished routes */
struct policy_routes_digest policy_make_routes_digest(const struct policy *policy);

#endif
