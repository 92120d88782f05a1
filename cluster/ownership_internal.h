/*
 * What the parts of ownership share: the holdings, link and lease (ownership.c), calls about one holding
 * (ownership_calls.c), assertion (assertion.c), facts (facts.c), claims (claims.c).
 */
#ifndef CLUSTER_OWNERSHIP_INTERNAL_H
#define CLUSTER_OWNERSHIP_INTERNAL_H

#include "skein/cluster/ownership.h"

enum {
	FACT_LIFE_MS = 600000, /* protocol.md, finding 17 */
	FACTS_MAX = 1000000,
	SEEN_FLUSH = 100,
	UPKEEP_MS = 1000,
	RECONCILE_MS = 10000,
	ASSERT_IN_FLIGHT = 500,
	FACTS_IN_FLIGHT = 5000,
	BODY_PATIENCE_MS = 5000,
	FIRST_TURN = 1, /* of a record that accept, bounce or publishing made */
};

enum assertion_phase {
	ASSERTION_NONE, /* no link, or no lease */
	ASSERTION_RECOVERING,
	ASSERTION_ADOPTING,
	ASSERTION_SETTLING, /* facts are being repeated */
	ASSERTION_OPEN,
};

/* Something settled: told to Redis, and remembered in case Redis forgets. */
struct fact {
	struct list link;
	struct ownership *ownership;
	struct msg_id id;
	uint64_t at_ms;
	bool is_in_flight;
	uint32_t len;
	char settled[];
};

struct seen {
	struct msg_id id;
	struct span settled; /* heap; empty for DONE */
};

struct shard_state {
	struct seen *seen; /* to be told */
	size_t seen_count, seen_cap;
	uint64_t claim_at_ms;
	size_t asked; /* by the claim under way */
	bool is_claiming, is_reading_news, is_reconciling;
	unsigned number;
	struct ownership *ownership;
};

struct ownership {
	struct ownership_options options;
	struct ownership_owner owner;
	struct redis_link *link;
	struct table holdings; /* by id */
	size_t counts[HOLDING_ENDED + 1];
	struct lease lease;
	uint64_t now_ms;
	bool is_up;
	bool is_fenced; /* under lease.epoch; until a new one comes */

	/* assertion.c */
	enum assertion_phase phase;
	uint64_t round;      /* replies of older rounds do not move this one */
	bool is_regenerated; /* Redis may have lost writes since the last round */
	uint64_t asserted_epoch;
	char asserted_generation[GENERATION_LEN + 1];
	struct list to_adopt, to_keep; /* holding.queue */
	struct list awaiting_body;     /* likewise: adopted once their pieces are put */
	uint64_t bodies_until_ms;      /* the round waits for them no longer than that */
	unsigned recovering, adopting;
	bool has_keeps_due; /* a keep was not taken: once more, with the next retry */

	/* facts.c */
	struct list facts_pending, facts_told; /* in the order of time */
	size_t facts_told_count, facts_in_flight;

	/* claims.c */
	struct shard_state *shards;
	size_t shard_count;
	size_t appetite, next_claim;
	uint64_t upkeep_at_ms, reconcile_at_ms;
};

struct incarnation ownership_self(const struct ownership *ownership);
struct span ownership_generation(const struct ownership *ownership);
void ownership_enter(struct ownership *ownership, struct holding *holding, enum holding_state next);
void ownership_own(struct ownership *ownership, struct holding *holding, uint64_t turn);
/* KEPT, or out of the table when our journal has no copy. Tells the owner. */
void ownership_lose(struct ownership *ownership, struct holding *holding);
/* Nothing is pending any more, says Redis. Tells the owner. */
void ownership_end(
	struct ownership *ownership, struct holding *holding, enum settled why, struct span settled);
/* Between the two a holding is not released, whatever the owner does in a callback. */
void ownership_pin(struct holding *holding);
void ownership_unpin(struct ownership *ownership, struct holding *holding);
void ownership_fence(struct ownership *ownership, uint64_t epoch, uint64_t fence);
/*
 * Offered under the present epoch, which was good until now, and not answered: nobody else can have owned it
 * meanwhile, so it has the turn that the answer would have told, if there was one. Without it an adopt in a
 * grace would make it nobody's, and somebody's while we are in its window (protocol.md, finding 25).
 */
void ownership_vouch(const struct ownership *ownership, struct holding *holding);
/* False when nothing was written. */
bool ownership_adopt(struct ownership *ownership, struct holding *holding);
bool ownership_keep(struct ownership *ownership, struct holding *holding);
/* The adopt of this holding, sent in `round`, is answered. */
void assertion_adopted(struct ownership *ownership, uint64_t round);
struct shard_state *ownership_shard(struct ownership *ownership, unsigned number);

/* Redis lacks its body: the round waits until it can be adopted. */
void assertion_await_body(struct ownership *ownership, struct holding *holding);
/* What is still in doubt although the link is up is asked again, and what was not kept is kept. */
void assertion_retry(struct ownership *ownership);
/* Link and lease may allow a new round, or end this one. */
void assertion_restart(struct ownership *ownership);
void assertion_pump(struct ownership *ownership);

void facts_init(struct ownership *ownership);
void facts_fini(struct ownership *ownership);
void facts_add(struct ownership *ownership, const struct msg_id *id, struct span settled);
/* Redis may have lost them: all are told again. */
void facts_repeat(struct ownership *ownership);
void facts_pump(struct ownership *ownership);
void facts_expire(struct ownership *ownership);
/* Is something about this message still to be told? */
bool facts_are_told(const struct ownership *ownership);

void claims_init(struct ownership *ownership);
void claims_fini(struct ownership *ownership);
/* The link is gone: nothing is under way. */
void claims_reset(struct ownership *ownership);
uint64_t claims_tick(struct ownership *ownership);

#endif
