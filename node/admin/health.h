/*
 * health: whether this node may be given mail, and if not, why. Threads report what they see (their journal
 * failed, Redis is away, the disk is full); one function decides what follows, for GET /readyz and for the
 * SMTP side alike. Only a node that leaves tells the balancer before it tells clients.
 *
 * Deciding is a few atomic loads and may be done for each connection and each MAIL. A part of the node is
 * well as long as no reporter says otherwise.
 */
#ifndef NODE_ADMIN_HEALTH_H
#define NODE_ADMIN_HEALTH_H

#include "skein/proto/base/buf.h"

struct health;
struct loop;

/* The steps of a node's life; they only go forward. */
enum health_phase { HEALTH_STARTING, HEALTH_SERVING, HEALTH_DRAINING };

/* What a thread can report about. */
enum health_part {
	HEALTH_JOURNAL,
	HEALTH_DISK,   /* less free space than journal.disk_free_min, or no room in the journal */
	HEALTH_MEMORY, /* memory.budget is used up */
	HEALTH_REDIS,  /* cannot be used; decides only under `redundancy: required` */
	HEALTH_PART_COUNT
};

enum readiness {
	READINESS_READY,
	READINESS_STARTING,
	READINESS_DRAINING,
	READINESS_JOURNAL,
	READINESS_DISK,
	READINESS_MEMORY,
	READINESS_REDIS,
	READINESS_COUNT
};

/* The voice of one thread. Embedded in its owner, used by one thread, outlived by the health. */
struct health_reporter {
	struct health *health;
	bool is_failing[HEALTH_PART_COUNT];
};

/* In phase HEALTH_STARTING, all parts well. */
struct health *health_new(void);
void health_free(struct health **health);

void health_reporter_init(struct health_reporter *reporter, struct health *health);
/*
 * Says how the part looks from here; cheap when nothing changed. `reason` is one line for people ("no
 * connection to 127.0.0.1:6379"), copied, cut to HEALTH_REASON_MAX bytes and shown while the part fails; NULL
 * when it is well.
 */
void health_set(struct health_reporter *reporter, enum health_part part, bool is_ok, const char *reason);
enum { HEALTH_REASON_MAX = 200 };

/* From any thread; a step back is ignored, so that a late "serving" cannot end a drain. */
void health_set_phase(struct health *health, enum health_phase phase);
/* `redundancy: required`: without Redis this node takes no mail. From any thread. */
void health_require_redis(struct health *health, bool is_required);

/* The one decision, from any thread: the first of enum readiness that applies, READINESS_READY if none. */
enum readiness health_readiness(const struct health *health);
/* The same for clients: of the parts alone, as a node that listens goes on until its sessions are told to end. */
enum readiness health_trouble(const struct health *health);
/* "ready", "starting", "draining", "journal", "disk", "memory", "redis". */
const char *readiness_name(enum readiness readiness);
/* Whether a part is well, whatever follows from that, and its reason if it is not (may be NULL). From any
 * thread. */
bool health_part_is_ok(struct health *health, enum health_part part, struct buf *reason_out);
const char *health_part_name(enum health_part part);
enum health_phase health_phase(const struct health *health);

/*
 * A loop that GET /livez watches. Before its thread starts, and all of them before the admin server does;
 * `name` (a literal or longer-lived) and `loop` outlive the admin server.
 */
void health_watch(struct health *health, const char *name, const struct loop *loop);

/* The name of a loop that has not turned for longer than `max_ms`, and for how long; NULL when all turn. */
const char *health_find_stalled(const struct health *health, uint64_t max_ms, uint64_t *stalled_ms_out);
/* What GET /livez and the service manager's watchdog go by. */
enum { HEALTH_STALL_MAX_MS = 10000 };

/* Walks the watched loops: false when there is no such index. */
bool health_loop(
	const struct health *health, unsigned index, const char **name_out, uint64_t *stalled_ms_out);

#endif
