/*
 * toll: what one message, connection or login takes of the limits that hold for it: asked for before it goes
 * on, and given back when it came to nothing. Many recipient domains are asked for in several pieces.
 *
 *     toll_ask() ──→ let in ──→ (asked for more) ──→ toll_keep()
 *                └─→ refused: all is given back          or toll_give_back()
 */
#ifndef NODE_INBOUND_TOLL_H
#define NODE_INBOUND_TOLL_H

#include "access/limit_desk.h"
#include "access/policy_slot.h"
#include "skein/cluster/limit_subject.h"
#include "skein/proto/base/arena.h"

struct toll_verdict {
	bool is_let_in;
	const struct limit_rule *rule; /* that refused; borrowed from the policy */
	uint64_t wait_us;              /* until it may be otherwise */
};
typedef void toll_fn(void *arg, const struct toll_verdict *verdict);

/* The limits of a decision, for what is counted in some of `units`: a set of 1u << enum limit_unit. */
struct toll_limits {
	const struct limit_rule *const *items;
	size_t count;
	unsigned units;
	const struct policy_snapshot *policy; /* whose limits they are; NULL: they are not counted by name */
};

struct toll_charge;

/* Embedded. All zero bytes: nothing asked, nothing taken. */
struct toll {
	struct limit_desk *desk;
	struct arena arena;
	struct limit_question question;
	const struct policy_snapshot *policy; /* of the question under way, as are: */
	const struct limit_take *takes;
	size_t count, next;          /* next: the first that is not let in yet */
	struct toll_charge *charges; /* that were let in, of all questions */
	toll_fn *fn;
	void *arg;
};

/* Limits of these units are among them: without any there is nothing to ask. */
bool toll_is_due(const struct toll_limits *limits);
/*
 * True: decided, see *verdict_out. False: `fn` runs later, once, unless toll_give_back() or toll_keep() comes
 * before. The limits' policy stays until one of the two; `subject` is borrowed for the call.
 */
bool toll_ask(struct toll *toll, struct limit_desk *desk, const struct toll_limits *limits,
	const struct limit_subject *subject, toll_fn *fn, void *arg, struct toll_verdict *verdict_out);
bool toll_is_asked(const struct toll *toll);

/* It was used. Begins anew. */
void toll_keep(struct toll *toll);
/* It was not, or nobody waits for the answer any more. */
void toll_give_back(struct toll *toll);

#endif
