/*
 * budget: how much memory all bodies of the process hold together. Shared by the workers, without a lock. It
 * counts and tells; who is told acts:
 *
 *   BUDGET_EASY   everything stays in memory
 *   BUDGET_TIGHT  a body that is durable leaves memory as soon as nobody reads it (body.c does)
 *   BUDGET_HIGH   sessions are not read between messages, so that no new message begins
 *   BUDGET_FULL   new mail is answered 452
 *
 * A message that has begun can always end: at the limit its body goes to a file.
 */
#ifndef NODE_CUSTODY_BUDGET_H
#define NODE_CUSTODY_BUDGET_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>

enum budget_level { BUDGET_EASY, BUDGET_TIGHT, BUDGET_HIGH, BUDGET_FULL };

struct budget {
	atomic_size_t used;
	size_t tight, high, limit; /* fixed after budget_init() */
};

/* Tight at half of the limit, high at high_percent of it. */
void budget_init(struct budget *budget, size_t limit, unsigned high_percent);
/* False, and nothing is taken, when it would pass the limit. */
bool budget_take(struct budget *budget, size_t bytes);
/* Takes in any case: for what must go on, such as reading a body back to deliver it. */
void budget_force(struct budget *budget, size_t bytes);
void budget_give(struct budget *budget, size_t bytes);
size_t budget_used(const struct budget *budget);
enum budget_level budget_level(const struct budget *budget);

#endif
