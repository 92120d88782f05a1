/*
 * message: one message that this worker knows: what the cluster says about it (holding), who it is for
 * (envelope), and its bytes (body). Counted, because the journal, Redis, a courier and the queue look at it
 *at the same time; all on one loop.
 *
 * The stage says whose turn it is. Only message_enter() writes it:
 *
 *	ARRIVING → READY → TRYING → REPORTING → READY (more recipients) | WAITING (local retry) | AWAY | ENDED
 *	READY → FROZEN (Redis is away and the lease ran out) → READY | AWAY
 *	AWAY → READY (claimed again)         WAITING → READY | AWAY | ENDED
 *
 * With cut-through: ARRIVING → READY → TRYING → ENDED, or back to ARRIVING, when custody is made after all.
 */
#ifndef NODE_CUSTODY_MESSAGE_H
#define NODE_CUSTODY_MESSAGE_H

#include "custody/body.h"
#include "skein/cluster/ownership.h"
#include "skein/proto/base/heap.h"
#include "skein/proto/base/list.h"
#include "skein/proto/mail/envelope.h"

enum message_stage {
	MESSAGE_ARRIVING,  /* custody is being made, or an old holding is being asserted */
	MESSAGE_READY,     /* in the scheduler's queue */
	MESSAGE_TRYING,    /* a courier has it */
	MESSAGE_REPORTING, /* the result of an attempt is being recorded */
	MESSAGE_WAITING,   /* for its next try, here */
	MESSAGE_FROZEN,    /* Redis may have given it to somebody else: nothing may be started */
	MESSAGE_AWAY, /* not ours to deliver: due in Redis, held, or another's. Our journal may have a copy */
	MESSAGE_ENDED, /* only the journal's DONE is left to do */
	MESSAGE_STAGE_COUNT,
};

struct intake;
struct fair_flow;

/* DKIM-Signature fields that were made for it (outbound/signing.h): they go in front of the body. */
struct message_signature {
	struct buf fields;
	uint64_t set;  /* by what keys and rules; 0: none were made */
	uint64_t form; /* for the message in which form (struct signing_form) */
	int64_t good_until_s;
};

struct message {
	struct holding holding; /* the key in the ownership table is holding.id */
	enum message_stage stage;
	unsigned refs;
	struct arena arena; /* of the envelope */
	struct envelope envelope;
	struct buf packed;      /* the encoded envelope instead, while nobody works on it; else empty */
	struct body *body;      /* NULL: only Redis has it */
	struct intake *intake;  /* custody is being taken; else NULL */
	struct message *report; /* the DSN about recipients that failed, until it is bounced; counted */
	size_t *reported;       /* which recipients those are; in the arena */
	size_t reported_count;
	struct message
		*original;   /* of a DSN that is to be bounced: outlives it as `report` is counted there */
	uint64_t delay_ms;   /* REPORTING: until the next try */
	bool is_restored;    /* from the journal, and nobody has said yet that it is ours */
	bool is_building;    /* REPORTING: the DSN is being made */
	bool is_fetching;    /* the body is on its way from Redis */
	unsigned readers;    /* of the envelope, who are not done yet: it is not packed */
	bool wants_copy;     /* its origin is dead: our journal is to have it too */
	bool is_inspected;   /* before custody: its client has waited enough, it is not cut through */
	bool is_cut_through; /* its next hop had all of it before its client heard 250 */
	struct message_signature signature;
	struct list queue_link;
	struct fair_flow *flow; /* READY: where it waits */
	uint16_t route;         /* that it goes by, as its number in the metrics, */
	uint16_t routing;       /* in which of outbound's routings; 0: nobody has looked */
	uint32_t tried;         /* hops that had it in this attempt: bits that its destination gives out */
	struct heap_node due;
	uint64_t accepted_us; /* boottime; 0: not accepted by this process */
	uint64_t session;     /* that it came by, for tracking; 0: not by one of this process */
};

/* One reference. The envelope is empty: fill it from the arena. */
struct message *message_new(const struct msg_id *id);
struct message *message_ref(struct message *message);
void message_unref(struct message **message);
void message_enter(struct message *message, enum message_stage stage);
const char *message_stage_name(enum message_stage stage);
/* For one that will not be worked on soon: the envelope is kept encoded, body and signature leave memory. */
void message_pack(struct message *message);
void message_drop_signature(struct message *message);
/* Has its envelope again. Harmless when it never was packed. What we packed decodes (CHECK). */
void message_unpack(struct message *message);
/* Takes over a stored envelope as it is; ERR_CORRUPT or ERR_INVALID when it does not decode. */
WARN_UNUSED enum err message_set_packed(struct message *message, struct span bytes);

/* One character of enum settled for each recipient; borrowed from `arena`. */
struct span message_settled(const struct message *message, struct arena *arena);
/* What others settled is settled here too. True when something was news. */
bool message_merge_settled(struct message *message, struct span settled);

static inline struct message *message_of_holding(struct holding *holding)
{
	return CONTAINER_OF(holding, struct message, holding);
}

#endif
