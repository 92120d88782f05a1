/*
 * inbound: one worker's way in: its listeners and the SMTP sessions on them.
 */
#ifndef NODE_INBOUND_INBOUND_H
#define NODE_INBOUND_INBOUND_H

#include "access/policy_slot.h"
#include "access/throttle.h"
#include "admin/health.h"
#include "auth/authenticator.h"
#include "config/settings.h"
#include "custody/budget.h"
#include "custody/custody.h"
#include "inbound/login_guard.h"
#include "inbound/toll.h"
#include "inspect/inspector.h"
#include "io/listener.h"
#include "io/loop.h"
#include "io/tls.h"
#include "skein/proto/smtp/server.h"
#include "track/metrics.h"

enum { INBOUND_LISTENERS_MAX = 64 };

struct alert_ledger;
struct inbound;
struct inherited;
struct secrets;

/* What sessions of a listener are told; those of a reload go in front of the older ones. */
struct options_set {
	struct options_set *older;
	struct smtp_server_options options;
};

struct inbound_listener {
	struct inbound *inbound;
	size_t index; /* in settings->listeners */
	struct listener *listener;
	struct options_set *options; /* of new sessions: the first */
};

enum inbound_mode {
	INBOUND_OPEN,
	INBOUND_LINGERING, /* nobody new; sessions go on until they fall silent */
	INBOUND_ENDING,    /* sessions end with the message they are in */
};

struct inbound {
	struct loop *loop;
	const struct settings *settings;
	struct custody *custody;
	struct body_store *bodies;
	struct budget *budget;
	struct health *health;
	atomic_size_t *connections; /* those of all workers that were let in */
	struct policy_slot *policy;
	struct authenticator *authenticator; /* NULL: nobody can authenticate */
	struct secrets *secrets;             /* NULL: there are none */
	struct throttle *throttle;
	struct redis_link *link; /* of this loop */
	struct limit_desk *limits;
	struct random *random;
	struct tls_slot *tls; /* one for each of settings->listeners */
	struct log *log;
	struct track *track; /* NULL: nothing is tracked */
	struct meter *meter;
	struct resolver *resolver;
	struct inherited *inherited; /* until inbound_bind(); may be NULL */
	struct alert_ledger *ledger; /* NULL: nobody counts senders */
	uint64_t next_session;       /* its number: of this worker alone, and of no earlier run of the node */
	unsigned session_step;
	struct inspector_desk inspector;
	struct login_guard_desk guard_desk;
	struct inbound_listener listeners[INBOUND_LISTENERS_MAX];
	size_t listener_count;
	struct list sessions; /* session.link */
	size_t session_count;
	struct list stalled; /* sessions whose MAIL waits for memory */
	struct loop_timer stall_timer;
	struct buf scratch; /* replies of one turn */
	enum inbound_mode mode;
};

/* The fields down to `session_step` are set. */
void inbound_init(struct inbound *inbound);
/* Binds all listeners that no inherited socket is for; who connects is refused. On failure appends a line to
 * `why_out`. */
WARN_UNUSED enum err inbound_bind(struct inbound *inbound, struct buf *why_out);
/* Takes connections at what is still open, from now on. On failure appends a line to `why_out`. */
WARN_UNUSED enum err inbound_listen(struct inbound *inbound, struct buf *why_out);
/*
 * Takes who waits to be accepted, then closes the listeners. Sessions may send further messages; one that is
 * silent between two of them is ended. A socket from outside stays open unless the process leaves: nobody
 * else would answer there, and it says 421.
 */
void inbound_linger(struct inbound *inbound, bool is_leaving);
/* Sessions between messages are ended with 421, the others with their message. */
void inbound_end_sessions(struct inbound *inbound);
/* Stops listening; sessions go on. */
void inbound_stop_listening(struct inbound *inbound);
/* No session is left, nor anything that one had begun. */
bool inbound_is_idle(const struct inbound *inbound);
/* Ends all sessions at once. */
void inbound_abort(struct inbound *inbound);
void inbound_fini(struct inbound *inbound);
/* For sessions that begin from now on. */
void inbound_reload(struct inbound *inbound, const struct settings *settings);

#endif
