/*
 * outbound: how one worker's messages leave: a queue of what is ready, a heap of what waits here for its next
 * try, the next hops of the default route in their order, and their connections.
 *
 * Who may deliver what is custody's business: it is asked before a message is started (custody_may_start) and
 * again just before each final dot (custody_may_finish), and it is told what came of it (custody_attempted).
 */
#ifndef NODE_OUTBOUND_OUTBOUND_H
#define NODE_OUTBOUND_OUTBOUND_H

#include "config/settings.h"
#include "custody/message.h"
#include "io/loop.h"
#include "io/tls.h"
#include "io/random.h"
#include "track/metrics.h"

struct custody;
struct hop;

enum { OUTBOUND_HOPS_MAX = 16 };

struct outbound {
	struct loop *loop;
	const struct settings *settings;
	struct custody *custody;
	struct log *log;
	struct meter *meter;
	struct random *random;
	struct tls_context *tls; /* client side, no verification yet: hops are "may" or "encrypt" */
	struct list ready;       /* message.queue_link */
	size_t ready_count;
	struct heap waiting; /* message.due, unix ms */
	struct loop_timer due_timer, hop_timer;
	struct loop_task dispatch;
	struct hop *hops[OUTBOUND_HOPS_MAX];
	size_t hop_count;
	size_t trying; /* messages that a courier has */
	bool is_stopping;
	struct buf scratch; /* command bytes of one turn, shared by all connections */
};

void outbound_init(struct outbound *outbound);
/* Stops starting anything; what is past its final dot may end until outbound_abort(). */
void outbound_stop(struct outbound *outbound);
/* Closes all connections; attempts under way are reported as lost. */
void outbound_abort(struct outbound *outbound);
void outbound_fini(struct outbound *outbound);
/* No connection, no resolver, no attempt is left. */
bool outbound_is_idle(const struct outbound *outbound);
/* New settings after a reload: new hops for new connections. */
void outbound_reload(struct outbound *outbound, const struct settings *settings);

/* The message joins the end of the queue (stage READY). Holds a reference while it is in here. */
void outbound_add(struct outbound *outbound, struct message *message);
/* Joins at unix time `at_ms` (stage WAITING). */
void outbound_add_later(struct outbound *outbound, struct message *message, uint64_t at_ms);
/* Takes a READY or WAITING message out again; its stage is the caller's to set. */
void outbound_remove(struct outbound *outbound, struct message *message);

/* For connections to `hop`: the next message to try there, or NULL. Moves it to TRYING, with the reference.
 */
struct message *outbound_pull(struct outbound *outbound, const struct hop *hop);
/* Something changed that may let messages move. */
void outbound_kick(struct outbound *outbound);
/* More is ready than the next hops will take in a while. */
bool outbound_is_long(const struct outbound *outbound);
/* How many more messages this worker likes to claim. */
size_t outbound_appetite(const struct outbound *outbound);

#endif
