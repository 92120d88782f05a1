/*
 * custody: what this worker has promised to deliver, from the final dot of its client to the last word about
 *each recipient. It brings together the journal, the cluster (ownership) and the queue of what is to be sent
 *(outbound).
 *
 *	intake.c    a new message: journal and Redis in parallel, then the verdict for the client
 *	relay.c     cut-through: the next hop takes it while the client waits, or it becomes an intake
 *	custody.c   whose turn a message is, and what stage that means
 *	owner.c     what the cluster says about messages we know, and what that does to them
 *	result.c    what came of an attempt: settled, put off, or reported to the sender
 *	report.c    the DSNs
 *	transfer.c  bodies to and from Redis
 *
 * A node without `redis.address` runs the same code over a link that never comes up: every message stays
 *LOCAL.
 */
#ifndef NODE_CUSTODY_CUSTODY_H
#define NODE_CUSTODY_CUSTODY_H

#include "config/settings.h"
#include "custody/message.h"
#include "io/loop.h"
#include "io/random.h"
#include "outbound/outbound.h"
#include "track/metrics.h"

struct custody {
	struct loop *loop;
	const struct settings *settings;
	struct log *log;
	struct track *track; /* NULL: nothing is tracked */
	struct meter *meter;
	struct random *random;
	struct journal *journal;
	struct body_store *bodies;
	struct ownership *ownership;
	struct outbound *outbound;
	bool is_cluster; /* false: no Redis is meant to be there */
	bool is_leaving; /* everything is handed over, nothing is begun */
	/* Told on: the worker knows the member. */
	void *worker;
	void (*on_asserted)(void *worker, uint64_t epoch);
	void (*on_fenced)(void *worker, uint64_t epoch, uint64_t fence);
	struct list relays; /* intake.relay_link, oldest first */
	struct loop_timer relay_timer;
	struct list frozen; /* message.queue_link; those that wait for the lease alone */
	struct buf scratch; /* an encoded envelope during one call */
	struct arena scratch_arena;
	size_t transfers; /* bodies on their way to or from Redis */
	size_t puts;      /* of those, the ones to Redis that have begun; the others wait */
	struct list puts_waiting;
	struct loop_task begin_puts;
	size_t appends; /* journal entries whose answer is awaited */
};

/* The fields above are set by the worker. */
void custody_init(struct custody *custody);
void custody_fini(struct custody *custody);
/* For ownership_new(). */
struct ownership_owner custody_as_owner(struct custody *custody);

/* --- a new message ------------------------------------------------------------------------------- */

enum custody_verdict {
	CUSTODY_TAKEN,       /* 250 */
	CUSTODY_FULL,        /* 452 4.3.1: no room; nothing is kept */
	CUSTODY_UNAVAILABLE, /* 451 4.3.0: redundancy is required and not to be had; nothing is kept */
	CUSTODY_UNKNOWN,     /* Redis may have it: the client must hear neither yes nor no */
};
typedef void custody_fn(void *arg, enum custody_verdict verdict);
struct intake;

/* An id in a shard of this worker. */
struct msg_id custody_new_id(struct custody *custody);
/* Would a message be taken now? False early, at MAIL, saves the client its body. */
bool custody_can_take(const struct custody *custody);
/*
 * Takes custody of a message with a complete envelope and a sealed body; a reference is moved in. `fn` runs
 * once, later, unless intake_cancel() is called before; NULL when nobody waits.
 */
struct intake *custody_take(struct custody *custody, struct message *message, custody_fn *fn, void *arg);
/* The client is gone: what is in custody is kept all the same, nobody hears the verdict. */
void intake_cancel(struct intake *intake);

/* --- replay -------------------------------------------------------------------------------------- */

/* A live message of the journal, before the loop runs. ERR_CORRUPT: its envelope does not decode. */
WARN_UNUSED enum err custody_restore(struct custody *custody, const struct journal_live *live);

/* --- for outbound -------------------------------------------------------------------------------- */

/* Called for a READY message that has left the queue. False: it was dealt with (frozen, or away). */
bool custody_may_start(struct custody *custody, struct message *message);
/* Immediately before the final dot. */
bool custody_may_finish(struct custody *custody, struct message *message);
void custody_window(struct custody *custody, struct message *message, bool is_windowed);
/* A TRYING message comes back; the verdicts are in its envelope. */
void custody_attempted(struct custody *custody, struct message *message, enum attempt_end end);
/* No next hop can be reached: back to the cluster for `delay_ms`, without an attempt. `status` and `why` are
 * noted. READY, out of the queue. */
void custody_put_off(struct custody *custody, struct message *message, uint64_t delay_ms,
	struct mail_status status, const char *why);
/* A WAITING message, out of the heap: its time has come. */
void custody_due(struct custody *custody, struct message *message);

/* What waits for the lease goes on if the lease is good. Cheap when nothing waits. */
void custody_thaw(struct custody *custody);

/* --- the end ------------------------------------------------------------------------------------- */

/* Hands over whatever is not being tried; to be called again until custody_is_quiet(). */
void custody_hand_over(struct custody *custody);
/* Nothing is under way that should be waited for. */
bool custody_is_quiet(const struct custody *custody);

#endif
