/*
 * world: everything that one simulation is made of. One process, one thread, one seed; a real Redis executes
 * the real functions, everything else (time, network, disks, next hop, clients, operator) is simulated here.
 * A node is the real member, ownership and custody machines.
 */
#ifndef SIM_WORLD_H
#define SIM_WORLD_H

#include "agenda.h"
#include "custody/custody.h"
#include "skein/cluster/member.h"
#include "skein/proto/base/arena.h"
#include "skein/proto/base/buf.h"
#include "skein/proto/base/table.h"

struct redisContext;

enum {
	NODES_MAX = 4,
	WORKERS_MAX = 2,
	SHARDS_MAX = 8,
	RECIPIENTS_MAX = 3,
	GENERATION_TEXT = 41,
};
#define SECOND_US ((uint64_t)1000000)
#define MS_US     ((uint64_t)1000)

struct world;
struct node;
struct scenario;

/* --- mail, as the world outside sees it --------------------------------------------------------- */

enum told { TOLD_NOTHING, TOLD_TAKEN, TOLD_NO };

/* What the next hop does with an attempt. */
enum hop_verdict {
	HOP_TAKES,
	HOP_DEFERS,       /* 4xx to the dot */
	HOP_REFUSES,      /* 5xx to the dot */
	HOP_REFUSES_RCPT, /* 5xx to the first recipient that is tried, the others are taken */
	HOP_DEFERS_RCPT,  /* 4xx likewise */
	HOP_BREAKS,       /* the connection ends before the dot */
	HOP_LOSES_DOT,    /* it ends after the dot, which the hop never saw */
	HOP_LOSES_ANSWER, /* it ends after the hop took the message */
};

/* One attempt, from its final dot on. Outlives the process that made it. */
struct attempt {
	struct attempt *next; /* of the same mail, newest first */
	struct mail *mail;
	struct life *life;
	struct worker *worker;
	unsigned recipients; /* bit per recipient that takes part */
	unsigned taken;      /* by the hop, bit per recipient */
	uint64_t dot_us;
	uint64_t given_us;     /* when Redis last gave its mail to a node, before */
	uint64_t recorded_us;  /* see is_recorded */
	bool is_in_window;     /* dot sent, the answer not yet read by a living process */
	bool is_answer_lost;   /* the hop's connection broke after the dot */
	bool is_recorded;      /* Redis or the journal heard what was taken */
	bool was_beside_fault; /* when the dot was sent some node was down, paused or cut off */
	bool was_cut;          /* when the dot was sent its node was already cut off, or had been paused */
	unsigned lapses;       /* of its worker, when the dot was sent; likewise: */
	unsigned node_faults, redis_faults, faults; /* of its node, of Redis, of all, when the dot was sent */
};

struct mail {
	struct mail *next; /* all, newest first */
	unsigned number;
	struct msg_id id;
	struct msg_id_text text;
	struct mail *about; /* of a report: what it reports; else NULL */
	unsigned recipient_count;
	unsigned receipts[RECIPIENTS_MAX]; /* by the hop */
	unsigned covers;                   /* of a report: bit per recipient that it is about */
	bool is_ended;                     /* of a report: refused or given up, which nobody is told */
	unsigned reports[RECIPIENTS_MAX];  /* received about this recipient */
	enum told told;
	struct node *origin;
	bool is_degraded;             /* acknowledged with a copy in one place only */
	bool is_cancelled;            /* an operator asked for it */
	unsigned cancels;             /* ... so often */
	bool is_excused;              /* two faults together may have lost it */
	unsigned losses;              /* faults that took a copy of it, until it has two again */
	uint64_t given_us;            /* when Redis last gave it to a node */
	unsigned copies;              /* before the fault that happens now */
	bool was_written;             /* some byte about it went to Redis */
	uint64_t cancelled_us;        /* when an operator was told that it is; 0: never */
	unsigned cancel_redis_faults; /* of Redis, then */
	struct attempt *attempts;
	const enum hop_verdict *plan; /* what the hop does with the next attempts; then it takes */
	size_t plan_len;
};

/* --- Redis -------------------------------------------------------------------------------------- */

enum { DB_MAIN, DB_OTHER, DB_SNAPSHOT, DB_REPLICA, DB_COUNT };

struct store {
	struct redisContext *context;
	int db;                      /* selected */
	uint64_t clock_us[DB_COUNT]; /* as last told to the functions */
	char generation[GENERATION_TEXT], other_generation[GENERATION_TEXT];
	unsigned generations;
	bool is_down;
	int64_t skew_us; /* of Redis' clock */
	bool has_replica, replica_is_reachable;
	uint64_t commands;
};

/* --- the network between a node and Redis ------------------------------------------------------- */

enum conn_state { CONN_DOWN, CONN_CONNECTING, CONN_UP };

struct conn {
	struct world *world;
	struct life *life;
	struct node *node; /* NULL: the operator */
	unsigned worker;   /* WORKERS_MAX: the member's */
	struct redis_link *link;
	void (*on_ready)(void *arg);
	void (*on_lost)(void *arg);
	void *arg;
	enum conn_state state;
	bool is_closing;
	bool is_stuck; /* nothing that is sent arrives any more */
	int db;
	uint64_t number; /* of the connection; grows with each */
	uint64_t last_arrival_us, last_reply_us;
	uint64_t tick_us; /* when the planned tick is due; 0: none */
	struct buf out;   /* of a command, not yet complete */
};

/* --- a node --------------------------------------------------------------------------------------- */

/* What survives the process. */
struct disk {
	struct table lives; /* struct disk_live by id */
};

struct body_store {
	struct worker *worker;
};

struct worker {
	struct node *node;
	struct life *life;
	unsigned index;
	struct conn *conn;
	struct loop loop; /* never runs: only its address is used */
	struct journal *journal;
	struct body_store bodies;
	struct ownership *ownership;
	struct outbound outbound;
	struct list ready; /* message.queue_link: hop.c has one queue for all */
	struct custody custody;
	struct random random;
	bool is_dispatching;
	uint64_t due_us;       /* when the planned look at what waits is; 0: none */
	uint64_t trust_max_ms; /* the most that was ever promised to this process */
	unsigned lapses;       /* how often that had passed before it was promised more */
	bool is_drained;
};

struct node {
	struct world *world;
	unsigned index;
	char name[8], host[8], cluster_id[8];
	struct node_uuid uuid;
	uint64_t spool_epoch;
	struct disk disks[WORKERS_MAX];
	unsigned lives;
	struct life *life; /* NULL: down */
	struct conn *conn; /* the member's */
	struct member *member;
	struct worker *workers[WORKERS_MAX];
	uint64_t asserted_epoch[WORKERS_MAX];
	bool is_leaving, is_draining;
	bool is_killed;        /* and not yet started again */
	uint64_t cut_until_us; /* from Redis */
	bool is_across;        /* of a split: reaches DB_OTHER */
	unsigned faults;       /* crashes, pauses, cuts: of this node alone */
	uint64_t faulty_until_us;
};

/* --- odds ----------------------------------------------------------------------------------------- */

/* Of faults that come by themselves: parts per thousand, or mean seconds between two (0: never). */
struct odds {
	unsigned mails_mean_ms; /* between two mails */
	unsigned crash_s, crash_disk_s, pause_s, cut_s, snip_s, redis_down_s, redis_older_s, redis_empty_s,
		jump_s, operator_s, leave_s;
	unsigned hop_defers, hop_refuses, hop_breaks, hop_loses_dot, hop_loses_answer; /* ‰ of attempts */
	unsigned hop_slow;                                                             /* ‰ */
	unsigned ghosts;       /* ‰ of commands in flight when their connection ends that arrive later */
	unsigned lost_replies; /* ‰ of commands after which the connection ends */
	unsigned disk_full;    /* ‰ of journal entries for messages */
	unsigned impatient;    /* ‰ of clients that leave before their answer */
	unsigned expire_s;     /* age at which mail is given up */
	unsigned apart_s;      /* faults that take copies keep this distance */
};

/* Rules that are not kept: each is what an invariant must see. Those of the function library are patched
 * there. */
enum broken {
	BROKEN_NOTHING,
	BROKEN_RECONCILE,  /* a node never sees what Redis says is its own */
	BROKEN_DECLARE,    /* settled is said before everything is adopted */
	BROKEN_LEASE,      /* a lease is trusted for ever */
	BROKEN_WINDOW,     /* nobody looks at it before the final dot */
	BROKEN_DONE,       /* the journal says durable before it is */
	BROKEN_CUSTODY,    /* ... also for new messages */
	BROKEN_REPORT,     /* reports are in Redis only */
	BROKEN_NEGATIVE,   /* the client hears no although Redis may have the message */
	BROKEN_FACTS,      /* what is settled is told once only */
	BROKEN_WAIT,       /* WAIT waits for no replica */
	BROKEN_GENERATION, /* nobody sees that Redis is another one */
	BROKEN_BODY,       /* a body comes back changed */
};

/* Where the scenario's script is. */
struct script {
	unsigned step;
	uint64_t at_us; /* when the step began */
	struct mail *mail, *first;
	struct node *from, *to;
	/* Nothing that this node sends arrives, until then. */
	struct node *held_up;
	uint64_t held_up_until_us;
};

struct world {
	struct agenda agenda;
	struct random random;
	uint64_t seed;
	const struct scenario *scenario;
	struct odds odds;
	enum broken broken;
	struct settings *settings;
	unsigned node_count, worker_count, shards;
	struct node nodes[NODES_MAX];
	struct store store;
	struct conn *operator;
	struct mail *mails;
	struct table mails_by_id;
	unsigned mail_count;
	bool is_calm; /* no new faults, no new mail */
	uint64_t calm_since_us;
	unsigned redis_faults, faults;
	uint64_t loss_us;      /* of the last fault that took copies */
	bool is_snapshot_kept; /* an older state waits to come back */
	unsigned uuids;
	struct node_uuid gone_uuids[256]; /* of lost spools */
	unsigned gone_uuid_count;
	uint64_t hop_latency_us, journal_latency_us; /* more than usual */
	uint64_t steps_max;                          /* of the command line; 0: the scenario's */
	struct script script;
	bool has_bodies_in_files; /* all of them */
};

/* The one world, for what has no argument: the clocks, and the functions that stand in for the node's. */
extern struct world *the_world;

/* Fixes time for the real code: milliseconds of the clock of leases. */
uint64_t world_now_ms(const struct world *world);
uint64_t world_wall_us(const struct world *world);
uint64_t world_random(struct world *world, uint64_t below);
uint64_t world_between(struct world *world, uint64_t low, uint64_t high);
/* Per thousand. */
bool world_chance(struct world *world, unsigned odds);
void world_plan(struct world *world, uint64_t delay_us, event_fn *fn, void *arg);

/* A line of the trace: kept, shown when something fails. */
void trace(struct world *world, const char *fmt, ...) PRINTF_LIKE(2, 3);
void trace_print(void);
/* With --trace all lines are printed as they come. */
extern bool trace_is_loud;

/* An invariant does not hold: prints the trace and ends the process with this exit code. */
enum { EXIT_VIOLATION = 3 };
_Noreturn void violation(struct world *world, const char *invariant, const char *fmt, ...) PRINTF_LIKE(3, 4);

#endif
