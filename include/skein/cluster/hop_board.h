/*
 * hop_board: what the cluster knows about next hops, so that one node's discovery spares the others. One per
 * node, for all workers; the thread that has the link ticks it. A hop that is not on the board is up.
 *
 * A worker tells what it finds out with hop_board_report() and asks before it connects. Nodes hear of it
 * within HOP_BOARD_TICK_MS + HOP_BOARD_POLL_MS. While a hop is down nobody connects; when its pause is over
 * one worker of the cluster is let through by hop_board_probe(), and what it reports ends the state or
 * prolongs it. Until then the others ask again. A report that the hop is up, from whoever delivered there,
 * clears what is known.
 *
 * What an operator says holds until it ends, and is not overruled by reports.
 *
 * Without Redis the board knows what this node found out, and what it had heard before until that ends; one
 * worker of the node probes. What was found out meanwhile is told when Redis is back.
 */
#ifndef SKEIN_CLUSTER_HOP_BOARD_H
#define SKEIN_CLUSTER_HOP_BOARD_H

#include "skein/cluster/hop_store.h"
#include "skein/cluster/shared_lock.h"

struct hop_board;

enum {
	HOP_BOARD_TICK_MS = 200,
	HOP_BOARD_POLL_MS = 1000,
	HOP_BOARD_AGAIN_MS = 250, /* while Redis is asked who probes */
	HOP_PROBE_MS = 30000,     /* that a probe may take; then another is let through */
};

struct hop_board_options {
	size_t hops_max;  /* 1..; a full board forgets what ends first */
	uint64_t seed[2]; /* random */
	struct shared_lock lock;
};

struct hop_board *hop_board_new(const struct hop_board_options *options);
/* The link has ended its calls. */
void hop_board_free(struct hop_board **board);
/* Our name, for reports and probes; without blanks. Until then, and without a link, nothing is told. */
void hop_board_set_self(struct hop_board *board, const char *name);

/*
 * `label`: "host:port", in one spelling, 1..HOP_LABEL_MAX bytes without blanks. `pause_ms` is cut to
 * HOP_PAUSE_MAX_MS, `why` to HOP_WHY_MAX bytes, and what is not printable ASCII becomes '?'. Cheap where
 * nothing changes, such as HOP_UP for a hop that is not on the board.
 */
void hop_board_report(struct hop_board *board, struct span label, enum hop_state state, uint64_t pause_ms,
	struct span why, uint64_t now_ms);

struct hop_view {
	enum hop_state state;
	uint64_t left_ms; /* of the pause; 0 and HOP_DOWN: see hop_board_probe() */
	bool is_forced;   /* by an operator */
};
struct hop_view hop_board_state(struct hop_board *board, struct span label, uint64_t now_ms);

/*
 * 0: connect. If the hop is down this is the cluster's probe, for one connection, and a report has to follow.
 * Otherwise the time after which to ask again.
 */
uint64_t hop_board_probe(struct hop_board *board, struct span label, uint64_t now_ms);

/* Grows with each state that changes: a worker that sees another number looks at its hops again. */
uint64_t hop_board_changes(struct hop_board *board);
/* Hops that are in this state, as known here; not for HOP_UP. */
size_t hop_board_count(struct hop_board *board, enum hop_state state);

/* ---- by the thread of the link ---- */

/* Tells, asks and reads; returns when it wants to be called again. */
uint64_t hop_board_tick(struct hop_board *board, struct redis_link *link, uint64_t now_ms);
/* The next tick that finds a link reads all. */
void hop_board_link_lost(struct hop_board *board);

#endif
