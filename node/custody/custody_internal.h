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
/* The encoded envelope, borrowed until the next call. */
struct span custody_encode(struct custody *custody, const struct message *message);

/* --- intake.c */

/* The answer to the offer of a message; ignored when nobody waits for it. */
void intake_offered(struct custody *custody, struct message *message, enum offer_end end);

/* --- transfer.c */

typedef void transfer_fn(struct custody *custody, struct message *message, enum err err);

unsigned transfer_pieces(uint64_t size);
/* Puts the body's pieces into Redis. True: done already; false: `fn` runs once, later. ERR_CLOSED: no link.
 */
bool transfer_put(struct custody *custody, struct message *message, transfer_fn *fn);
/* Gets the body from Redis into message->body, sealed. `fn` runs once, later. */
void transfer_get(
	struct custody *custody, struct message *message, uint64_t size, unsigned pieces, transfer_fn *fn);

/* --- result.c */

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
