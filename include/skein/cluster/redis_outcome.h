/*
 * redis_outcome: how one call of the function library ended. All typed calls (queue.h, registry.h,
 * queue_view.h) report with it.
 */
#ifndef SKEIN_CLUSTER_REDIS_OUTCOME_H
#define SKEIN_CLUSTER_REDIS_OUTCOME_H

#include "skein/cluster/incarnation.h"

enum outcome_kind {
	OUTCOME_OK,
	/* Executed, and the answer was OK, but fewer replicas than asked for have it yet. What OK carries is
	   valid. */
	OUTCOME_UNREPLICATED,
	OUTCOME_HELD,    /* Redis has the message; it is not the caller's to deliver */
	OUTCOME_PENDING, /* noted; done when the owner lets go of the message */
	OUTCOME_GONE,    /* ended (`why`), or never known (SETTLED_PENDING) */
	OUTCOME_NOT,     /* somebody else's, or another turn's: nothing was changed */
	OUTCOME_BODY,    /* a piece of the body is missing or has the wrong length: put the pieces again */
	OUTCOME_FENCED,  /* the caller's epoch has ended; `fence` is the highest refused one */
	OUTCOME_NEWGEN,  /* the shard has not seen this replication id: re-assert, queue_recover() first */
	OUTCOME_WAIT,    /* nodes are re-asserting: again in `wait_ms` */
	OUTCOME_ALIVE,   /* kill: the lease moved meanwhile */
	OUTCOME_REFUSED, /* register, open: `refusal` */
	OUTCOME_UNKNOWN, /* written, no answer: executed or not */
	OUTCOME_ERROR,   /* Redis refused: nothing was changed; `error` */
};

enum outcome_error {
	ERROR_OTHER,
	ERROR_READONLY, /* a replica: this link is to the wrong server */
	ERROR_FULL,     /* maxmemory */
	ERROR_BUSY,     /* loading, or a slot that moves: again later */
	ERROR_FUNCTION, /* the library is not loaded: reconnect */
	ERROR_REPLY,    /* the reply is not of the expected form: another version wrote it */
};

enum outcome_refusal {
	REFUSAL_NONE,
	REFUSAL_NAME,      /* the name belongs to another living node */
	REFUSAL_HOST,      /* the same UUID lives on another host: a cloned spool */
	REFUSAL_FORGOTTEN, /* an operator forgot this UUID */
	REFUSAL_FORMAT,    /* the cluster's data has another format */
	REFUSAL_CLUSTER,   /* not the cluster this node belongs to */
};

/*
 * What became of one recipient, as a character, and why a message ended. A string of them has one per
 * recipient, in the envelope's order. Two reports about one recipient: the greater holds.
 */
enum settled {
	SETTLED_PENDING = '0',
	SETTLED_WITHDRAWN = '1', /* the client was not told 250 */
	SETTLED_CANCELLED = '2', /* by an operator */
	SETTLED_EXPIRED = '3',   /* given up, reported to the sender */
	SETTLED_FAILED = '4',    /* refused by the next hop, reported to the sender */
	SETTLED_DELIVERED = '5',
};

struct outcome {
	enum outcome_kind kind;
	enum settled why;             /* GONE */
	enum outcome_refusal refusal; /* REFUSED */
	enum outcome_error error;     /* ERROR */
	uint64_t fence;               /* FENCED */
	uint64_t wait_ms;             /* WAIT */
	struct span text;             /* ERROR: Redis' words, borrowed */
};

/* OK, replicated or not. */
static inline bool outcome_is_ok(const struct outcome *outcome)
{
	return outcome->kind == OUTCOME_OK || outcome->kind == OUTCOME_UNREPLICATED;
}

/* A constant word for the log: "ok", "fenced", ... */
const char *outcome_kind_name(enum outcome_kind kind);
const char *outcome_error_name(enum outcome_error error);
const char *settled_name(enum settled why);

#endif
