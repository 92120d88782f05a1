/*
 * node_rates: what nodes do in a second, from the counts that they tell with each lease, as of two looks. A
 * node that started anew, or told nothing new, keeps what was known of it.
 */
#ifndef CTL_NODE_RATES_H
#define CTL_NODE_RATES_H

#include "roster.h"

enum node_count {
	NODE_CONNECTIONS,
	NODE_ACCEPTED,
	NODE_REJECTED,
	NODE_DELIVERED,
	NODE_DEFERRED,
	NODE_FAILED, /* given up, expired too */
	NODE_COUNTS
};

struct node_rate {
	struct node_uuid node;
	uint64_t epoch;
	uint64_t at_ms; /* by the node's clock; 0: it tells no counts */
	uint64_t counts[NODE_COUNTS];
	uint64_t sessions;
	bool is_known; /* `per_second` */
	double per_second[NODE_COUNTS];
};

struct node_rates {
	struct node_rate *rows; /* one for each node of the roster, in its order */
	size_t count;
};

/* Takes in what the roster says now. All zero bytes is a valid beginning. */
void node_rates_look(struct node_rates *rates, const struct roster *roster);
void node_rates_fini(struct node_rates *rates);
/* "accepted" */
const char *node_count_name(enum node_count count);

#endif
