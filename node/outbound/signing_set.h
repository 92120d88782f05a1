/*
 * signing_set: what mail is signed with now: the policy's entries, each with the active keys of its domain. A
 * set never changes; one thread puts a newer one into the slot when the policy or a secret changed, all
 * others take a reference for as long as they sign a message. Private keys are wiped with the last reference.
 */
#ifndef NODE_OUTBOUND_SIGNING_SET_H
#define NODE_OUTBOUND_SIGNING_SET_H

#include "access/policy_slot.h"
#include "access/secrets.h"
#include "skein/proto/dkim/signer.h"
#include "track/log.h"

struct signing_slot;
struct signing_set;

/* One entry of the policy. */
struct signing_entry {
	const struct dkim_rule *rules; /* without fault */
	size_t rule_count;             /* 0: no key is active, so its mail waits */
	uint32_t lifetime_s;
};

/* `log` is the thread's that refreshes. Nothing is signed before the first signing_slot_refresh(). */
struct signing_slot *signing_slot_new(struct log *log);
/* References that others hold stay good. Sets the pointer to NULL; NULL inside is fine. */
void signing_slot_free(struct signing_slot **slot);
/* The policy or a secret changed. Always the same thread. */
void signing_slot_refresh(struct signing_slot *slot, struct policy_slot *policy, struct secrets *secrets);

/* Any thread. NULL: the policy signs nothing. */
struct signing_set *signing_slot_get(struct signing_slot *slot);
/* Any thread. Sets the pointer to NULL; NULL inside is fine. */
void signing_set_unref(struct signing_set **set);

/* Tells sets apart; from 1. */
uint64_t signing_set_number(const struct signing_set *set);
/* As policy_signing_for(). NULL: such mail is not signed. */
const struct signing_entry *signing_set_find(
	const struct signing_set *set, const struct span *authors, size_t author_count, struct span sender);
/* Why an entry has no rules, with the cure. Borrowed from the set. */
const char *signing_set_why_none(const struct signing_set *set);

#endif
