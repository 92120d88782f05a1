/*
 * limit_subject: what a connection, a login or a message is counted by. The server asks with it, and
 * `skeinctl explain` shows it: the same counters by the same names.
 */
#ifndef SKEIN_CLUSTER_LIMIT_SUBJECT_H
#define SKEIN_CLUSTER_LIMIT_SUBJECT_H

#include "skein/cluster/limit.h"
#include "skein/cluster/network.h"
#include "skein/proto/base/arena.h"

/* Everything is borrowed. Addresses are local@domain. */
struct limit_subject {
	struct network client;
	struct span user;              /* empty: nobody has authenticated, and limits per user do not count */
	struct span sender;            /* empty: the null sender, which is counted as "<>" */
	const struct span *recipients; /* none: limits per recipient domain do not count */
	size_t recipient_count;
	uint64_t bytes;
};

/*
 * What the limits among them that count in one of the units (a set of 1u << enum limit_unit) take for the
 * subject; each counter once. Messages, connections and failed logins cost 1 at each counter, recipients as
 * many as there are (of that domain), bytes `bytes`. There may be more than LIMIT_TAKES_MAX, for each domain
 * is one. Takes and their values, cut at LIMIT_VALUE_MAX, live in the arena.
 */
size_t limit_subject_takes(const struct limit_subject *subject, const struct limit_rule *const *limits,
	size_t limit_count, unsigned units, struct arena *arena, const struct limit_take **takes_out);

#endif
