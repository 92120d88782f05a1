/* What the files of custody share. */
#ifndef NODE_CUSTODY_CUSTODY_INTERNAL_H
#define NODE_CUSTODY_CUSTODY_INTERNAL_H

#include "custody/custody.h"

/* --- custody.c */

/* Boottime, the clock of leases and of the Redis link. */
uint64_t custody_now_ms(void);
/* Ours, and nobody is at it: into the queue, to wait, back to the cluster until its time, or frozen. */
void custody_schedule(struct custody *custody, struct message *message);
/* Takes it out of whatever queue it is in. False: it is being tried or reported, and its end will look again.
 */
bool custody_take_out(struct custody *custody, struct message *message);
/* Nothing is pending: DONE in the journal, then it is forgotten. The holding is ENDED. */
void custody_finish(struct custody *custody, struct message *message);
/* To the cluster if possible, else it waits here. Not in a queue; ours or LOCAL. */
void custody_wait(struct custody *custody, struct message *message, uint64_t delay_ms);
/* The envelope changed: an UPDATE, if the journal has the message. */
void custody_update_journal(struct custody *custody, struct message *message);
void custody_away(struct custody *custody, struct message *message);
/* Until the lease is good again (custody_thaw), or the cluster says whose it is. */
void custody_freeze(struct custody *custody, struct message *message);
/* The encoded envelope, borrowed until the next call. */
struct span custody_encode(struct custody *custody, const struct message *message);
/* An event that needs no more than the message's id. */
void custody_log(
	struct custody *custody, enum log_level level, const char *event, const struct message *message);

/* --- owner.c */

/* The body, from Redis; the message is scheduled when it is there. */
void custody_fetch(struct custody *custody, struct message *message);

/* --- intake.c */

enum journal_part { JOURNAL_PENDING, JOURNAL_KEPT, JOURNAL_REFUSED };
enum redis_part { REDIS_PENDING, REDIS_OWNED, REDIS_HELD, REDIS_WEAK, REDIS_ABSENT, REDIS_IN_DOUBT };

struct intake {
	struct custody *custody;
	struct message *message;
	custody_fn *fn; /* NULL: the client is gone */
	void *arg;
	struct buf env;
	enum journal_part journal;
	enum err journal_err;
	enum redis_part redis;
	uint64_t began_us;
	/* Cut-through; see relay.c. */
	bool is_relaying;             /* custody is not begun */
	bool is_attempted;            /* the attempt is over, and its result waits for custody */
	enum attempt_end attempt_end; /* then */
	struct list relay_link;
	uint64_t relay_due_ms; /* loop clock */
};

/* Makes custody: journal and Redis. */
void intake_begin(struct intake *intake);
/* An attempt, begun before there was custody, is over: whatever waited for it goes on. */
void intake_go_on(struct intake *intake);
/* The client hears it, if it is still there. */
void intake_answer(struct intake *intake, enum custody_verdict verdict);
void intake_free(struct intake *intake);

/* The answer to the offer of a message; ignored when nobody waits for it. */
void intake_offered(struct custody *custody, struct message *message, enum offer_end end);

/* --- relay.c */

void relay_init(struct custody *custody);
void relay_fini(struct custody *custody);
/* True: the message is on its way to its next hop, and becomes an intake if that does not work out soon. */
bool relay_begin(struct intake *intake);
/* Its client is gone. */
void relay_cancel(struct intake *intake);
bool relay_may_finish(const struct intake *intake);
/* Out of the queue, if it is in it; custody is made. */
void relay_fall_back(struct intake *intake);
/* Every recipient was taken by a next hop. */
bool relay_is_delivered(const struct intake *intake);
/* custody_attempted() for a message with an intake. */
void relay_attempted(struct intake *intake, enum attempt_end end);

/* --- transfer.c */

typedef void transfer_fn(struct custody *custody, struct message *message, enum err err);

void transfer_init(struct custody *custody);
void transfer_fini(struct custody *custody);
unsigned transfer_pieces(uint64_t size);
/* Puts the body's pieces into Redis. True: done already; false: `fn` runs once, later. ERR_CLOSED: no link.
 */
bool transfer_put(struct custody *custody, struct message *message, transfer_fn *fn);
/* Gets the body from Redis into message->body, sealed. `fn` runs once, later. */
void transfer_get(
	struct custody *custody, struct message *message, uint64_t size, unsigned pieces, transfer_fn *fn);

/* --- result.c */

/* One more attempt: tracked and counted. */
void result_tell(struct custody *custody, struct message *message);

/* It is ours, READY, and its time to be delivered by is over: it goes back to its sender. */
void result_overdue(struct custody *custody, struct message *message);
void result_bounced(
	struct custody *custody, struct message *message, struct message *dsn, enum bounce_end end);
/* A REPORTING message whose ownership, or the link, changed: goes on with its report, or drops it. */
void result_resume(struct custody *custody, struct message *message);

/* --- report.c */

typedef void report_fn(struct custody *custody, struct message *message, struct message *dsn);

/*
 * Builds a DSN about the recipients `idx` of `message`, with an id in the same shard, and puts it into the
 * journal. `fn` runs once, later, with a reference moved to it; NULL when the journal or the disk failed. The
 * DSN's holding is LOCAL.
 */
void report_make(struct custody *custody, struct message *message, int dsn_kind, const size_t *idx,
	size_t count, report_fn *fn);

#endif
