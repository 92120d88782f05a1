/*
 * queue: the shared queue, as typed calls over one redis_link. Who owns which message, what is settled, what
 * is due. The functions run inside Redis (cluster/redis/functions); each checks first and then writes, so
 * that a call has either all of its effect or none, and each may be repeated.
 *
 * All calls have one form: false when the link is not ready (nothing was written, the callback never runs);
 * otherwise the callback runs exactly once, later. Arguments are borrowed for the call, results for the
 * callback. Several calls on one link are executed in order; calls about one message may also go over
 * different links, in any order.
 *
 * A message is an id and opaque bytes. Recipients are positions in a string of `enum settled` characters. All
 * times are relative: Redis' clock is the only one that several nodes look at.
 *
 * FENCED can answer every call that takes an incarnation, UNKNOWN and ERROR every call; they are not repeated
 * below.
 */
#ifndef SKEIN_CLUSTER_QUEUE_H
#define SKEIN_CLUSTER_QUEUE_H

#include "skein/cluster/msg_id.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	QUEUE_PIECE_BYTES = 1024 * 1024, /* every piece of a body but the last */
	QUEUE_PIECES_MAX = 1024,
	QUEUE_RECIPIENTS_MAX = 10000,
	QUEUE_CLAIM_MAX = 100,
	QUEUE_BATCH_MAX = 500, /* ids, news or moves of one call */
	QUEUE_HOLDERS_MAX = 16,
};

typedef void outcome_fn(void *arg, const struct outcome *outcome);

/* ---- bodies: written before the function that names them, and read back piece by piece ---- */

/*
 * Stores piece `index` (from 0) for an hour; accept, adopt, keep and bounce make it permanent. A piece that
 * exists is left alone, so a late copy of the call does no harm. `fn` may be NULL: the function that names
 * the pieces checks them.
 */
bool queue_put_piece(struct redis_link *link, const struct msg_id *id, unsigned index, struct span bytes,
	uint64_t now_ms, outcome_fn *fn, void *arg);

/* OK: the bytes. GONE: not there. */
typedef void queue_piece_fn(void *arg, const struct outcome *outcome, struct span bytes);
bool queue_get_piece(struct redis_link *link, const struct msg_id *id, unsigned index, uint64_t now_ms,
	queue_piece_fn *fn, void *arg);

/* ---- custody and ownership ---- */

/* What a caller knows of a message that it wants Redis to have. */
struct queue_message {
	struct msg_id id;
	struct span env;
	struct span settled; /* one character per recipient */
	uint64_t size;       /* of the body */
	unsigned pieces; /* put before; 0: the body stays with the caller alone, and so does the delivery */
	uint64_t age_ms;
	uint64_t expires_in_ms; /* shown to operators; ending a message is the owner's decision */
	unsigned attempts;
};

struct queue_turn {
	uint64_t turn;       /* names this turn of ownership in defer, bounce, adopt, keep */
	struct span settled; /* what is settled by now: more than the caller knew, maybe */
};
/* `turn` is only meaningful with OK and UNREPLICATED; turn->turn is 0 then if nothing is the caller's. */
typedef void queue_turn_fn(void *arg, const struct outcome *outcome, const struct queue_turn *turn);

/*
 * Takes a new message into Redis, owned by the caller, who is its origin and a holder (has it in its
 * journal). OK: owned (again OK when repeated). HELD: Redis has it and somebody else owns it: custody yes,
 * delivery no. GONE: it ended meanwhile. BODY. Waits for replicas.
 */
struct queue_accept {
	struct incarnation node;
	const struct queue_message *message;
};
bool queue_accept(struct redis_link *link, const struct queue_accept *args, uint64_t now_ms,
	queue_turn_fn *fn, void *arg);

/*
 * "I own it": after a new registration or when Redis lost writes. `turn` is the last one known, 0 after a
 * restart. The higher turn wins. OK: owned, with a new turn. HELD: Redis has it, for others to claim (grace
 * after a loss, held, or taken over more than takeovers_max times: quarantined). NOT: another node's, which
 * hears that the caller has a copy. GONE: ended; also when absent and the caller is not a holder, unless a
 * grace is open and it has a turn. BODY. Waits for replicas.
 */
struct queue_adopt {
	struct incarnation node;
	uint64_t turn;
	bool holder;            /* the caller's journal has it */
	unsigned takeovers_max; /* 0: no limit. Counted with turn 0: each is the end of a process that owned
				   it */
	const struct queue_message *message;
};
bool queue_adopt(struct redis_link *link, const struct queue_adopt *args, uint64_t now_ms, queue_turn_fn *fn,
	void *arg);

/*
 * "I hold a copy and do not own it." `turn` is the last one known, 0 when none is. OK: the caller is a
 * holder; a missing record is made, for anyone to claim; one that an older state gives to the caller is let
 * go. GONE. BODY. Waits for replicas.
 */
struct queue_keep {
	struct incarnation node;
	uint64_t turn;
	const struct queue_message *message;
};
bool queue_keep(struct redis_link *link, const struct queue_keep *args, uint64_t now_ms, queue_turn_fn *fn,
	void *arg);

/* One record, given out with its ownership. Everything is borrowed. */
struct queue_record {
	struct msg_id id;
	uint64_t turn;
	struct span env;
	struct span settled;
	uint64_t size;
	unsigned pieces; /* 0: Redis has no body; only the node `body_at` has, or had */
	unsigned attempts;
	unsigned takeovers; /* owners that died since the last attempt that came to an end */
	uint64_t age_ms;
	uint64_t expires_in_ms;
	struct node_uuid origin;
	struct node_uuid body_at;
	bool to_journal; /* the caller counts as a holder: write it to the journal unless it is there */
	bool cancel;     /* an operator wants it ended; letting go ends it */
};
/* `records` has `count` elements with OK, else none. */
typedef void queue_records_fn(
	void *arg, const struct outcome *outcome, const struct queue_record *records, size_t count);

/*
 * Up to `count` messages that are due and that the caller may have become its own. The origin may have them 2
 * s before others. Where the origin is dead or forgotten the caller becomes a holder (to_journal). NEWGEN,
 * WAIT. If the answer is lost: queue_own() and queue_takeup().
 */
struct queue_claim {
	struct incarnation node;
	unsigned shard;
	struct span generation; /* redis_identity.replication_id as the link saw it on connecting */
	unsigned count;         /* 1..QUEUE_CLAIM_MAX */
};
bool queue_claim(struct redis_link *link, const struct queue_claim *args, uint64_t now_ms,
	queue_records_fn *fn, void *arg);

/*
 * One message that Redis says is the caller's and the caller does not know: OK with one record and a new
 * turn; NOT: it is not (and it leaves the caller's set). NEWGEN, WAIT.
 */
struct queue_takeup {
	struct incarnation node;
	struct msg_id id;
	struct span generation;
};
bool queue_takeup(struct redis_link *link, const struct queue_takeup *args, uint64_t now_ms,
	queue_records_fn *fn, void *arg);

/* A page of the ids that Redis says are this incarnation's. Start with cursor 0; the walk is over when it
 * comes back 0. */
struct queue_own {
	struct incarnation node;
	unsigned shard;
	uint64_t cursor;
};
typedef void queue_ids_fn(
	void *arg, const struct outcome *outcome, uint64_t cursor, const struct msg_id *ids, size_t count);
bool queue_own(
	struct redis_link *link, const struct queue_own *args, uint64_t now_ms, queue_ids_fn *fn, void *arg);

/* ---- ends and delays ---- */

/* "My journal has this": DONE when `settled` is empty (the message ended), else an UPDATE with these settled
 * recipients. */
struct queue_seen_item {
	struct msg_id id;
	struct span settled;
};

/*
 * Facts about recipients; taken from any node, at any time, whoever owns the message. `settled` has a
 * character for each recipient, SETTLED_PENDING where there is nothing to say. The record ends when none is
 * pending; every journal holder is told through queue_news(). OK always. A fact about an unknown message is
 * kept for when it comes back.
 */
struct queue_settle {
	struct node_uuid node;
	struct msg_id id;
	struct span settled;
	const struct node_uuid *holders;    /* that the caller knows of; the origin always */
	size_t holder_count;                /* <= QUEUE_HOLDERS_MAX */
	const struct queue_seen_item *seen; /* of the same shard, taken along */
	size_t seen_count;                  /* <= QUEUE_BATCH_MAX */
};
bool queue_settle(
	struct redis_link *link, const struct queue_settle *args, uint64_t now_ms, outcome_fn *fn, void *arg);

/*
 * Lets go: due for anyone after delay_ms. Needs the turn it was owned in. OK, NOT, GONE (also when an
 * operator's cancel was waiting for this). `attempts` is the new count; a higher one than before says that
 * the owner survived an attempt.
 */
struct queue_defer {
	struct incarnation node;
	struct msg_id id;
	uint64_t turn;
	uint64_t delay_ms;
	unsigned attempts;
	struct span env; /* empty: as it was */
};
bool queue_defer(
	struct redis_link *link, const struct queue_defer *args, uint64_t now_ms, outcome_fn *fn, void *arg);

/*
 * Settles recipients and takes the report about them into the queue, in one step. The caller has `dsn`
 * durable in its journal; its id is chosen once per (message, recipients), with the shard of `id`. OK: the
 * recipients are settled; a turn other than 0 means that the DSN is the caller's to deliver. 0: it was
 * delivered meanwhile, or the recipients had been settled before by somebody else and no DSN is wanted: drop
 * it. HELD: settled, and the DSN belongs to another node by now. NOT, GONE: nothing was done, drop the DSN.
 * BODY: of the DSN. Waits for replicas.
 */
struct queue_bounce {
	struct incarnation node;
	struct msg_id id;
	uint64_t turn;
	struct span settled; /* FAILED or EXPIRED for those that the DSN reports, else PENDING */
	const struct queue_message *dsn;
};
bool queue_bounce(struct redis_link *link, const struct queue_bounce *args, uint64_t now_ms,
	queue_turn_fn *fn, void *arg);

/*
 * Takes back an accept that was not answered in time. OK: ended as withdrawn (or will never begin: a late
 * accept finds GONE). NOT: another node owns it, or it ended otherwise. Once written, the client must not
 * hear 250.
 */
struct queue_withdraw {
	struct node_uuid node;
	struct msg_id id;
};
bool queue_withdraw(struct redis_link *link, const struct queue_withdraw *args, uint64_t now_ms,
	outcome_fn *fn, void *arg);

/* ---- what journal holders must hear ---- */

struct queue_news_item {
	struct msg_id id;
	enum settled why; /* PENDING: some recipients only; else the message ended */
	struct span settled;
};
/* Also carries the cursor of the next page; 0: that was the last. */
typedef void queue_news_fn(void *arg, const struct outcome *outcome, uint64_t cursor,
	const struct queue_news_item *items, size_t count);
struct queue_news {
	struct node_uuid node;
	unsigned shard;
	uint64_t cursor; /* 0: from the start */
};
bool queue_news(struct redis_link *link, const struct queue_news *args, uint64_t now_ms, queue_news_fn *fn,
	void *arg);

/* Only after DONE or UPDATE is durable, and not while an adopt of that id is unanswered. */
struct queue_seen {
	struct node_uuid node;
	unsigned shard;
	const struct queue_seen_item *items;
	size_t count; /* 1..QUEUE_BATCH_MAX */
};
bool queue_seen(
	struct redis_link *link, const struct queue_seen *args, uint64_t now_ms, outcome_fn *fn, void *arg);

/* ---- after a change of Redis ---- */

/* First contact with a shard on a new replication id: opens the grace (6 s; each adopt in it extends it, up
 * to a minute). OK. */
struct queue_recover {
	unsigned shard;
	struct span generation;
};
bool queue_recover(struct redis_link *link, const struct queue_recover *args, uint64_t now_ms, outcome_fn *fn,
	void *arg);

/*
 * The caller has re-asserted all it owns and settled here. When all of `living` have, the grace ends; with
 * none, it goes on. OK, NEWGEN.
 */
struct queue_asserted {
	struct incarnation node;
	unsigned shard;
	struct span generation;
	const struct node_uuid *living; /* that are known to be alive; none: the caller does not know yet */
	size_t living_count;
};
bool queue_asserted(struct redis_link *link, const struct queue_asserted *args, uint64_t now_ms,
	outcome_fn *fn, void *arg);

/* ---- the leader's upkeep ---- */

enum node_fate { FATE_ALIVE, FATE_DEAD, FATE_FORGOTTEN };

/* One row per node that the registry knows, living or not. */
struct queue_sweep_node {
	struct node_uuid node;
	uint64_t floor; /* everything owned by this epoch or an older one is let go */
	uint64_t epoch; /* the highest registered one */
	enum node_fate fate;
};
/*
 * Raises fences and makes due what ended incarnations owned, at most QUEUE_BATCH_MAX per call; sets right
 * what waits longer than wait_max_ms. FORGOTTEN: their unread news is dropped, and bodies that only they had
 * are given up. NEWGEN, WAIT.
 */
struct queue_sweep {
	unsigned shard;
	struct span generation;
	unsigned takeovers_max; /* 0: no limit. Past it a message is quarantined instead of due */
	uint64_t wait_max_ms;   /* 0: no limit */
	const struct queue_sweep_node *nodes;
	size_t node_count;
};
struct queue_swept {
	unsigned moved;
	unsigned quarantined;
	bool more; /* call again */
	const struct incarnation
		*unknown; /* own messages, but are in no row, or newer than their row's epoch */
	size_t unknown_count;
};
typedef void queue_swept_fn(void *arg, const struct outcome *outcome, const struct queue_swept *swept);
bool queue_sweep(struct redis_link *link, const struct queue_sweep *args, uint64_t now_ms, queue_swept_fn *fn,
	void *arg);

typedef void queue_count_fn(void *arg, const struct outcome *outcome, unsigned count);

/* Removes up to QUEUE_BATCH_MAX tombstones and facts that are old enough and that no journal holder still has
 * to see. */
struct queue_trim {
	unsigned shard;
	uint64_t age_min_ms; /* 600 000 unless Redis runs out of memory */
};
bool queue_trim(struct redis_link *link, const struct queue_trim *args, uint64_t now_ms, queue_count_fn *fn,
	void *arg);

/* A page of the ids of all records in Redis, of any shard: what queue_repair() is to look at. Slow and
 * steady. */
bool queue_scan(struct redis_link *link, uint64_t cursor, uint64_t now_ms, queue_ids_fn *fn, void *arg);

/* Puts records that no index has back into one: due, or their owner's set. Counts them. NEWGEN, WAIT. */
struct queue_repair {
	unsigned shard;
	struct span generation;
	const struct msg_id *ids; /* of that shard */
	size_t count;             /* 1..QUEUE_BATCH_MAX */
};
bool queue_repair(struct redis_link *link, const struct queue_repair *args, uint64_t now_ms,
	queue_count_fn *fn, void *arg);

/* ---- the operator ---- */

/* Not tried until released. OK; PENDING: when its owner lets go; GONE. */
bool queue_hold(struct redis_link *link, const struct msg_id *id, uint64_t now_ms, outcome_fn *fn, void *arg);
/* Ends hold and quarantine, and makes due now (so it is "retry" too). OK; PENDING: owned at the moment; GONE.
 */
bool queue_release(
	struct redis_link *link, const struct msg_id *id, uint64_t now_ms, outcome_fn *fn, void *arg);
/* OK: ended as cancelled. PENDING: when its owner lets go, unless it is delivered first. GONE: had ended
 * (`why`). */
bool queue_cancel(
	struct redis_link *link, const struct msg_id *id, uint64_t now_ms, outcome_fn *fn, void *arg);

#endif
