/*
 * ownership: one worker's part in the protocol of protocol.md: which messages it may deliver, and what it
 *must tell Redis and hear from it so that no other node delivers them too and none is forgotten. A pure
 *machine over one link; the worker and the simulation are its two owners.
 *
 * A worker has the shards s with s % workers == worker, of which it makes ids, claims, and hears news.
 *
 * A holding is one message that this worker knows:
 *
 *	LOCAL ──offer, publish──▶ OFFERED ──OK──▶ OWNED ──let go, lost──▶ KEPT ──claimed──▶ OWNED
 *	  │                          │               │                      │
 *	  └────────settled───────────┴───────────────┴──────────────────────┴──▶ ENDED ──journaled──▶ released
 *
 * "Offered" is the state of doubt: something was written about it, the answer is not known. It counts as ours
 *while the lease lasts and is frozen after that, until an adopt of it is answered.
 *
 * After each change of link, epoch or generation the machine asserts: recover its shards, adopt what it owns
 *(what is past its final dot first), repeat the facts of the last ten minutes if Redis may have lost them,
 *asserted, keep the rest. Only then does it claim. Calls of an epoch that lost its lease are never repeated
 *on a new connection, facts are.
 */
#ifndef SKEIN_CLUSTER_OWNERSHIP_H
#define SKEIN_CLUSTER_OWNERSHIP_H

#include "skein/cluster/member.h"
#include "skein/cluster/queue.h"
#include "skein/proto/base/list.h"
#include "skein/proto/base/table.h"

enum holding_state {
	HOLDING_LOCAL,   /* no byte about it was ever written: only this node knows it */
	HOLDING_OFFERED, /* written, the outcome is not known */
	HOLDING_OWNED,
	HOLDING_KEPT,  /* not ours to deliver; our journal has a copy */
	HOLDING_ENDED, /* nothing is pending any more; the journal's DONE is on its way */
};

enum holding_call { CALL_NONE, CALL_ACCEPT, CALL_ADOPT, CALL_KEEP, CALL_DEFER, CALL_BOUNCE };

/* Embedded in its owner's message; only the machine writes the fields. */
struct holding {
	struct msg_id id;
	enum holding_state state;
	enum holding_call call; /* under way; one at a time */
	bool is_holder;         /* our journal has it */
	bool is_journaling;     /* our journal has not answered yet: not adopted before that */
	bool is_windowed;       /* past its final dot, the answer awaited */
	bool is_registered;     /* in the table */
	bool is_keep_due;       /* Redis may lack it: a keep is to be answered yet */
	unsigned char pins;     /* the machine is at work on it further up the stack */
	uint64_t turn, epoch;   /* of our ownership */
	uint64_t offered_epoch; /* under which it was first offered; 0: it was not, it came from elsewhere */
	struct list queue;      /* in the machine's list of those to assert */
};

void holding_init(struct holding *holding, const struct msg_id *id);

enum offer_end {
	OFFER_OWNED,   /* custody and delivery are ours */
	OFFER_HELD,    /* Redis has it; another delivers */
	OFFER_WEAK,    /* owned, but too few replicas have it yet */
	OFFER_REFUSED, /* Redis said no, nothing was changed there; LOCAL again */
	OFFER_UNKNOWN, /* no answer: OFFERED until it is adopted */
};

enum bounce_end {
	BOUNCE_DONE,    /* the recipients are settled; the DSN is ours (its holding is OWNED) */
	BOUNCE_SETTLED, /* the recipients are settled, by us or before; the DSN is another's or not wanted:
			   forget it */
	BOUNCE_DROP,    /* the message is not ours: forget the DSN; on_lost or on_ended follows */
	BOUNCE_AGAIN,   /* no answer, or the turn was not right: both are in doubt, bounce again once owned */
};

struct ownership_owner {
	void *ctx;
	/* What Redis must know of a holding. `pieces` as if the body had been put; spans borrowed until the
	 * next call. */
	void (*describe)(void *ctx, struct holding *holding, struct queue_message *message_out);
	/* Redis lacks the body: put the pieces, then ownership_body_is_put(). */
	void (*on_body_wanted)(void *ctx, struct holding *holding);
	void (*on_offered)(void *ctx, struct holding *holding, enum offer_end end);
	/* It is ours (again): after publish, replay, re-assertion. Deliver it when its time comes. */
	void (*on_owned)(void *ctx, struct holding *holding, struct span settled);
	/* Not ours any more, or never was. KEPT if we are a holder; otherwise released when this returns. */
	void (*on_lost)(void *ctx, struct holding *holding);
	/* The end of ownership_defer(). False: Redis did not take it now; still ours. */
	void (*on_let_go)(void *ctx, struct holding *holding, bool done);
	void (*on_bounced)(void *ctx, struct holding *holding, struct holding *dsn, enum bounce_end end);
	/* Finished elsewhere, cancelled, or found finished: write DONE, then ownership_forget(). */
	void (*on_ended)(void *ctx, struct holding *holding, enum settled why, struct span settled);
	/* Some recipients were settled elsewhere: write an UPDATE, then ownership_journaled(). */
	void (*on_news)(void *ctx, struct holding *holding, struct span settled);
	/* One that we knew is ours (again), and this is what Redis says of it. */
	void (*on_claimed)(void *ctx, struct holding *holding, const struct queue_record *record);
	/* One that we did not know is ours: a holding that was ownership_add()ed as OWNED; NULL leaves it for
	 * later. */
	struct holding *(*on_new)(void *ctx, const struct queue_record *record);
	/* All calls about it are answered and it was forgotten: it may be freed. */
	void (*on_released)(void *ctx, struct holding *holding);
	/* Everything that goes on is adopted under this epoch; claims begin. */
	void (*on_asserted)(void *ctx, uint64_t epoch);
	void (*on_fenced)(void *ctx, uint64_t epoch, uint64_t fence);
};

struct ownership_options {
	struct node_uuid node;
	unsigned shards, worker, workers;
	unsigned takeovers_max;
	unsigned claim_batch;
	uint64_t claim_interval_ms;
	uint64_t seed[2]; /* of the table; random */
};

struct ownership;

struct ownership *ownership_new(const struct ownership_options *options, struct redis_link *link,
	const struct ownership_owner *owner);
/* Holdings that are left are released. */
void ownership_free(struct ownership **ownership);

void ownership_link_ready(struct ownership *ownership, uint64_t now_ms);
void ownership_link_lost(struct ownership *ownership, uint64_t now_ms);
/* The member's lease, whenever it changed. */
void ownership_set_lease(struct ownership *ownership, const struct lease *lease, uint64_t now_ms);
/* Claims, news, reconciliation, batches: does what is due and says when it wants to be called again at the
 * latest. */
uint64_t ownership_tick(struct ownership *ownership, uint64_t now_ms);
/* How many more messages the owner can take; 0 stops claims. */
void ownership_set_appetite(struct ownership *ownership, size_t count);

/* Asserted under the present lease, and the link is up: offers, defers and bounces go through. */
bool ownership_is_open(const struct ownership *ownership);
/* The lease is good and so is the link, as far as is known. */
bool ownership_is_trusted(const struct ownership *ownership, uint64_t now_ms);
struct redis_link *ownership_link(const struct ownership *ownership);
/* A shard of ours, for a new id; `random` is any number. */
unsigned ownership_pick_shard(const struct ownership *ownership, uint64_t random);
size_t ownership_count(const struct ownership *ownership, enum holding_state state);
struct holding *ownership_find(const struct ownership *ownership, const struct msg_id *id);
/* Walks all holdings, as table_next(). A walk that rests while holdings come and go may miss some, or have
 * them twice. */
struct holding *ownership_next(const struct ownership *ownership, size_t *cursor);

/*
 * Takes the holding in; from here to on_released the memory must stay. LOCAL: a new message, or one that is
 * not for Redis. OFFERED: of a replay, to be adopted. OWNED: inside on_claimed.
 */
void ownership_add(
	struct ownership *ownership, struct holding *holding, enum holding_state state, bool is_holder);
/* Our journal is being given it; ownership_set_holder() follows. */
void ownership_set_journaling(struct holding *holding);
/* The journal has it now, or could not take it. */
void ownership_set_holder(struct holding *holding, bool is_holder);
/* The final dot is being written, or its answer has come. */
void ownership_set_window(struct holding *holding, bool is_windowed);

/*
 * May it be delivered now? Asked before an attempt with reserve_ms 0, and before the final dot with a second
 * of reserve (protocol.md, finding 10).
 */
bool ownership_may_deliver(const struct ownership *ownership, const struct holding *holding, uint64_t now_ms,
	uint64_t reserve_ms);

/* A new message whose pieces are put. False: nothing was written, it stays LOCAL; else on_offered comes. */
bool ownership_offer(struct ownership *ownership, struct holding *holding, uint64_t now_ms) WARN_UNUSED;
/* A LOCAL one that no attempt is under way for. False as above; else on_owned, on_lost or on_ended comes. */
bool ownership_publish(struct ownership *ownership, struct holding *holding, uint64_t now_ms) WARN_UNUSED;
void ownership_body_is_put(struct ownership *ownership, struct holding *holding, uint64_t now_ms);
/*
 * What became of recipients, one character each. When none is pending the holding is ENDED. Never refused:
 * told to Redis now or as soon as there is one, unless it is LOCAL.
 */
void ownership_settle(
	struct ownership *ownership, struct holding *holding, struct span settled, uint64_t now_ms);
/* Back to the cluster, due after `delay_ms`. False: not owned, or no link: it stays here; else on_let_go
 * comes. */
bool ownership_defer(struct ownership *ownership, struct holding *holding, uint64_t delay_ms,
	unsigned attempts, struct span env, uint64_t now_ms) WARN_UNUSED;
/* `dsn` is LOCAL, durable in our journal, its pieces put. False: nothing was written; else on_bounced comes.
 */
bool ownership_bounce(struct ownership *ownership, struct holding *holding, struct span settled,
	struct holding *dsn, uint64_t now_ms) WARN_UNUSED;
/* A LOCAL or refused one ends without Redis: ENDED. */
void ownership_end_local(struct ownership *ownership, struct holding *holding);
/* DONE (`settled` empty) or an UPDATE with these settled is durable: the other side may forget it. */
void ownership_journaled(struct ownership *ownership, const struct holding *holding, struct span settled);
/* The attempt that outlived our ownership is over: a KEPT one that our journal does not have leaves too. */
void ownership_abandon(struct ownership *ownership, struct holding *holding);
/* An ENDED one whose DONE is durable: leaves the table; on_released follows, maybe at once. */
void ownership_forget(struct ownership *ownership, struct holding *holding);

#endif
