/*
 * explanation: what the policy says of one client, by the code that the nodes run, and how full the limits
 * are that count for it.
 */
#ifndef CTL_EXPLANATION_H
#define CTL_EXPLANATION_H

#include "explain_case.h"
#include "session.h"

#include <jansson.h>

enum { EXPLANATION_STEPS_MAX = 200 };

/* Whether an address, or a size, is one that the rule allows. */
struct explained_address {
	bool is_allowed;
	const char *entry; /* of the rule; "": it has no such list. NULL: not allowed */
};

/* One counter of a limit, or a limit whose counter is not known. */
struct explained_limit {
	const struct limit_rule *rule;
	struct span value;   /* whom it counts; empty: not known, or nobody */
	const char *missing; /* then: why there is no value; otherwise NULL */
	uint64_t cost;       /* of what is asked about, at least 1 */
	bool is_known;       /* owed_us is what Redis says */
	uint64_t owed_us;
};

struct explanation {
	const struct explain_case *asked;
	const char *source; /* a file's path; NULL: the version in Redis */
	uint64_t version;
	const struct policy *policy;

	struct policy_decision decision;
	struct policy_step steps[EXPLANATION_STEPS_MAX]; /* those not of other networks only */
	size_t step_count, elsewhere;
	/* Asked only when it may send at all. */
	bool has_sender, has_recipients, has_size;
	struct explained_address sender, recipients[CALL_TEXTS_MAX];
	const struct route *routes[CALL_TEXTS_MAX]; /* of each recipient; NULL: the node's own, or it is
							   not allowed */
	/* What signs it on its way to each recipient; NULL: nothing, or it is not allowed. */
	const struct policy_signing *signings[CALL_TEXTS_MAX];
	bool is_size_allowed;
	const struct inspection *inspection; /* NULL: none, or it may not send */
	struct explained_limit *limits;
	size_t limit_count;
	struct arena arena;
};

/* `asked` is finished, and borrowed like all else; source, version and policy are set. */
void explanation_make(struct explanation *explanation, const struct explain_case *asked);
void explanation_fini(struct explanation *explanation);
/* Asks Redis how full the limits are. Complains; what could not be asked stays unknown. */
WARN_UNUSED enum ctl_exit explanation_look(struct explanation *explanation, struct session *session);

/* What is used of the limit, in its units, rounded up. */
uint64_t explained_limit_used(const struct explained_limit *limit);
/* 0: it would let this one in; otherwise the time until it does, if nobody else comes. */
uint64_t explained_limit_wait_us(const struct explained_limit *limit);

/* Is it known who writes, so that `signings` means something? */
bool explanation_has_author(const struct explanation *explanation, size_t recipient);
/* Where it listens; 0: its SRV record says that. */
unsigned explained_target_port(const struct route_target *target);

/* explanation_print.c */
void explanation_print(const struct explanation *explanation, struct buf *out);
/* explanation_json.c */
json_t *explanation_json(const struct explanation *explanation);

#endif
