/*
 * visitor: the client of one session as the policy sees it: what is known of it, and what it may do. The
 * owner tells each fact when it is learned and asks when it matters; between two questions the policy may
 * have changed. What was answered last holds until the next question, whatever the policy is meanwhile.
 */
#ifndef NODE_ACCESS_VISITOR_H
#define NODE_ACCESS_VISITOR_H

#include "access/policy_slot.h"
#include "skein/cluster/schema/table.h"

struct visitor {
	/* Facts. What is const is the owner's, the rest freed with the visitor. */
	const struct sockaddr *address;
	const char *listener;
	char *helo; /* NULL: not said yet */
	enum policy_tls tls;
	char *cert_subject;                 /* of a client certificate that is trusted; NULL: none */
	char cert_sha256[65];               /* of any that it has shown, in hex; "": none */
	const char *user;                   /* authenticated; NULL: nobody */
	struct text_list groups, addresses; /* of the user */
	unsigned later;                     /* set of enum policy_later: what may be learned yet */

	/* The last answer; the decision points into the snapshot. */
	struct policy_snapshot *snapshot; /* NULL: never asked */
	struct policy_decision decision;
};

/* All zero bytes is a visitor of whom nothing is known. */
void visitor_fini(struct visitor *visitor);
/* Sets snapshot and decision. */
void visitor_ask(struct visitor *visitor, struct policy_slot *slot);

/* By the last answer, which was POLICY_ALLOW. An address is local@domain; empty: the null sender. */
bool visitor_may_send_as(const struct visitor *visitor, struct span sender);
bool visitor_may_send_to(const struct visitor *visitor, struct span address);
/* Bytes of a message, 0: no limit of the policy's. */
uint64_t visitor_size_max(const struct visitor *visitor);
/* What its messages are looked at for. NULL: nothing. Borrowed from the snapshot. */
const struct inspection *visitor_inspection(const struct visitor *visitor);
/* The name of the rule that decided; "" when none did. */
const char *visitor_rule(const struct visitor *visitor);

#endif
