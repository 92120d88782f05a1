/*
 * hop_store: what nodes have found out about next hops, in Redis, as typed calls over one redis_link. The
 * rules for the calls are those of queue.h. hop_board.h keeps a node's copy with these; skeinctl lists and
 * forces.
 */
#ifndef SKEIN_CLUSTER_HOP_STORE_H
#define SKEIN_CLUSTER_HOP_STORE_H

#include "skein/cluster/redis_link.h"
#include "skein/cluster/redis_outcome.h"

enum {
	HOP_LABEL_MAX = 272,  /* "host:port", without blanks */
	HOP_BY_MAX = 200,     /* without blanks */
	HOP_WHY_MAX = 200,    /* one line */
	HOP_KEEP_MS = 600000, /* that a hop is down after its pause, when nobody probes it */
};
#define HOP_PAUSE_MAX_MS (365ull * 24 * 3600000)

enum hop_state {
	HOP_UP,
	HOP_SLOW, /* it answers, and asked for less: until its pause is over */
	HOP_DOWN, /* nothing is sent there; after its pause one node probes it */
	HOP_STATES,
};
/* "up", "slow", "down" */
extern const char *const hop_state_names[HOP_STATES];

struct hop_report {
	struct span label;
	enum hop_state state;
	uint64_t pause_ms; /* up to HOP_PAUSE_MAX_MS; nothing with HOP_UP */
	bool is_forced;    /* by an operator: holds until its pause is over, whatever nodes find out */
	struct span by, why;
};
/* NOT: an operator has said something else, and that holds. `fn` may be NULL. */
typedef void hop_outcome_fn(void *arg, const struct outcome *outcome);
bool hop_store_report(struct redis_link *link, const struct hop_report *report, uint64_t now_ms,
	hop_outcome_fn *fn, void *arg);

/* OK: 0, the caller may probe within `claim_ms`; otherwise the time after which to ask again. */
typedef void hop_probe_fn(void *arg, const struct outcome *outcome, uint64_t wait_ms);
bool hop_store_probe(struct redis_link *link, struct span label, struct span by, uint64_t claim_ms,
	uint64_t now_ms, hop_probe_fn *fn, void *arg);

struct hop_row {
	struct span label; /* borrowed, as all text here */
	enum hop_state state;
	uint64_t left_ms;      /* of its pause */
	uint64_t ended_ago_ms; /* since its pause is over */
	uint64_t since_ms;     /* that it has been in this state */
	bool is_forced;
	struct span prober; /* who probes it now; empty: nobody */
	struct span by, why;
};
struct hop_changes {
	uint64_t version;
	bool is_all; /* what is not in here is up */
	const struct hop_row *rows;
	size_t count;
};
/* OK: what changed after `version`; 0: all that is not up. */
typedef void hop_board_fn(void *arg, const struct outcome *outcome, const struct hop_changes *changes);
bool hop_store_board(struct redis_link *link, uint64_t version, uint64_t now_ms, hop_board_fn *fn, void *arg);

#endif
