/*
 * alert_ledger: who has sent how many messages, and whose logins have failed, until a node tells Redis of it
 * (alert_store.h). Shared by the workers of a node. Bounded: of more names nothing is counted.
 *
 * A sender is the user who has authenticated, else the client's address, and the domain of the envelope's
 * sender behind it: a program that uses a stolen password, and one that relays by address, are told apart,
 * and so are the domains that one application server sends for.
 */
#ifndef NODE_ALERTS_ALERT_LEDGER_H
#define NODE_ALERTS_ALERT_LEDGER_H

#include "skein/cluster/alert_store.h"
#include "skein/proto/base/arena.h"

enum { ALERT_LEDGER_NAMES_MAX = 4096 };

struct alert_ledger;

struct alert_ledger *alert_ledger_new(const uint64_t seed[2]);
/* NULL is fine. Sets the pointer to NULL. */
void alert_ledger_free(struct alert_ledger **ledger);

/* The rest is for any thread. A ledger that is NULL counts nothing. */

/* `user` "": it has not authenticated. `sender` is an address; empty: the null sender. */
void alert_ledger_sent(struct alert_ledger *ledger, const char *user, const char *client, struct span sender);
/* `user` "": nobody was named. */
void alert_ledger_login_failed(struct alert_ledger *ledger, const char *user, const char *client);

enum alert_ledger_side { ALERT_LEDGER_SENDERS, ALERT_LEDGER_LOGINS, ALERT_LEDGER_SIDES };

/* What was counted since the last time, the most first, at most ALERT_TELL_NAMES_MAX; in the arena. */
struct alert_counts alert_ledger_take(
	struct alert_ledger *ledger, enum alert_ledger_side side, struct arena *arena);

#endif
