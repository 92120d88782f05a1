/* What member.c (our own lease) and leader.c (the others') share. */
#ifndef CLUSTER_MEMBER_INTERNAL_H
#define CLUSTER_MEMBER_INTERNAL_H

#include "skein/cluster/member.h"
#include "skein/cluster/queue.h"
#include "skein/cluster/registry.h"

enum member_phase {
	MEMBER_OFFLINE,
	MEMBER_OPENING,
	MEMBER_REGISTERING,
	MEMBER_PERSISTING, /* the epoch is granted; the spool must have it before it is used */
	MEMBER_RENEWING,
	MEMBER_RESTING, /* refused: again in a moment */
	MEMBER_PHASE_COUNT,
};

enum { WATCHED_MAX = REGISTRY_NODES_MAX };

/* A node as we have watched it on this connection. */
struct watched {
	struct node_uuid node;
	uint64_t epoch, counter, floor;
	uint64_t moved_ms;    /* when the counter was last seen to move, by our clock */
	uint64_t sweep_floor; /* what the round under way says */
	uint64_t swept_floor; /* all shards are swept up to here, by this leader on this connection */
	enum registry_state state;
};

/* An incarnation that owns messages and that no registration tells of: lost with a failover (finding 49). */
struct stray {
	struct incarnation node;
	uint64_t seen_ms;
};

enum { STRAYS_MAX = 16 };

struct member {
	struct member_options options;
	struct member_owner owner;
	struct redis_link *link;
	enum member_phase phase;
	struct lease lease;
	uint64_t now_ms;
	uint64_t sent_ms; /* of the register under way */
	uint64_t granted; /* epoch that the spool is being given */
	uint64_t epoch_last, told_fence;
	uint64_t switched_epoch;
	uint64_t counter; /* of the lease */
	uint64_t next_renew_ms, rest_until_ms;
	const char *load;
	unsigned in_flight;
	bool renewing, settled, is_draining;
	bool is_refused; /* by what may be dead, and nobody there to say so */

	/* leader.c */
	struct watched *watched;
	size_t watched_count;
	unsigned nodes_alive, nodes_before;
	uint64_t living_from_ms; /* before, nobody can know who lives on this Redis */
	struct registry_leader leader_seen;
	uint64_t leader_moved_ms;
	bool leads, looking, leading;
	uint64_t connection; /* grows with each link: replies of an older one are not acted on */
	unsigned sweeping;   /* shards whose sweep is under way */
	uint64_t sweep_began_ms;
	bool sweep_incomplete;
	struct stray strays[STRAYS_MAX];
	size_t stray_count;
	unsigned swept_moved, swept_quarantined;
	unsigned upkeep_shard;
	uint64_t scan_cursor;
	bool scanning;
};

struct member_renewal {
	struct member *member;
	uint64_t sent_ms, epoch;
};

struct incarnation member_self(const struct member *member);

/* Once per renewal: looks at all nodes, takes or keeps the lead, and as the leader declares deaths and
 * sweeps. */
void leader_tick(struct member *member);
/* The link or the epoch is gone: what was watched counts no more. */
void leader_stop(struct member *member);
void leader_fini(struct member *member);

#endif
