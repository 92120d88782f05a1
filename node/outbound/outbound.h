/*
 * outbound: how one worker's messages leave: the destinations that they go to, each with a queue and hops of
 * its own, and a heap of what waits here for its next try.
 *
 * A message goes to one destination at a time: that of the first recipient that was not tried in this
 * attempt. Those for other destinations follow when it comes back.
 *
 * Who may deliver what is custody's business: it is asked before a message is started (custody_may_start) and
 * again just before each final dot (custody_may_finish), and it is told what came of it (custody_attempted).
 */
#ifndef NODE_OUTBOUND_OUTBOUND_H
#define NODE_OUTBOUND_OUTBOUND_H

#include "config/settings.h"
#include "custody/message.h"
#include "io/loop.h"
#include "io/tls.h"
#include "io/random.h"
#include "outbound/lookup.h"
#include "outbound/preparation.h"
#include "outbound/route_gate.h"
#include "outbound/signing.h"
#include "outbound/sts.h"
#include "skein/proto/base/table.h"
#include "skein/proto/mail/retry.h"
#include "track/metrics.h"

struct credentials;
struct custody;
struct destination;
struct hop_certificates;
struct hop_news;
struct routing;

enum attempt_end {
	ATTEMPT_DONE,    /* each recipient that took part has a verdict */
	ATTEMPT_LOST,    /* the connection ended before the final dot */
	ATTEMPT_UNKNOWN, /* after it, without an answer */
};

enum { OUTBOUND_PRIORITIES = 10 };

struct outbound {
	struct loop *loop;
	const struct settings *settings;
	struct custody *custody;
	struct log *log;
	struct meter *meter;
	struct random *random;
	struct tls_context *tls; /* client side; who is verified, and how, is for each connection to say */
	struct lookup_desk lookup;
	struct hop_news *news;                 /* of the node */
	struct hop_certificates *certificates; /* of the node; NULL: nobody wants to know */
	struct limit_desk *limits;             /* of the worker, like its link to Redis */
	struct redis_link *link;
	char holder[SLOT_HOLDER_MAX]; /* who has connections: "<uuid>.<worker>" */
	struct gate_desk gates;
	uint64_t changes_seen; /* of hop_board_changes() */
	struct policy_slot *policy;
	struct policy_snapshot *policy_seen; /* the last one that was looked at; counted */
	struct routing *routing;
	uint16_t routings;                       /* which one that is: 1.., and round again */
	struct table destinations;               /* of this routing, by route and domain */
	struct list all;                         /* destination.all_link, leaving ones too */
	struct list kicked[OUTBOUND_PRIORITIES]; /* destination.kick_link, by rank */
	struct list capped;                      /* destination.cap_link */
	size_t ready_count;                      /* messages in all queues */
	size_t trying;                           /* messages that a courier has */
	size_t connections;
	struct signing_desk signing;
	struct preparation_desk preparation;
	struct credentials *credentials;
	uint64_t credentials_seen; /* credentials_changes() */
	struct sts_desk sts;
	struct heap waiting;   /* message.due of those that wait here for their next try, unix ms */
	struct heap deadlines; /* the same of READY ones that are to come back by then */
	struct loop_timer due_timer, tidy_timer, news_timer;
	struct loop_task dispatch;
	int64_t rate_waiting; /* what the metrics know */
	bool is_stopping;
	struct buf scratch; /* command bytes of one turn, shared by all connections */
};

void outbound_init(struct outbound *outbound);
/* Stops starting anything; what is past its final dot may end until outbound_abort(). */
void outbound_stop(struct outbound *outbound);
/* Closes all connections; attempts under way are reported as lost. */
void outbound_abort(struct outbound *outbound);
void outbound_fini(struct outbound *outbound);
/* No connection, no resolver, no attempt is left. */
bool outbound_is_idle(const struct outbound *outbound);
/* New settings after a reload: new hops for new connections. */
void outbound_reload(struct outbound *outbound, const struct settings *settings);

/*
 * Looks whether there is a newer policy, and moves what waits if its routes are other ones; and whether
 * credentials have changed, for hops that wait for them.
 */
void outbound_watch(struct outbound *outbound);

/* The message joins the end of the queue (stage READY). Holds a reference while it is in here. */
void outbound_add(struct outbound *outbound, struct message *message);
/* Joins at unix time `at_ms` (stage WAITING). */
void outbound_add_later(struct outbound *outbound, struct message *message, uint64_t at_ms);
/* Takes a READY or WAITING message out again; its stage is the caller's to set. */
void outbound_remove(struct outbound *outbound, struct message *message);

/* A READY message waits in a destination's queue now: one that is to come back in time does, from there too.
 */
void outbound_watch_time(struct outbound *outbound, struct message *message);

/* Something changed that may let messages move. */
void outbound_kick(struct outbound *outbound);
/*
 * Is there room for one more, that goes where this one goes? Where many wait, a sender with few of them still
 * has room. Otherwise: how long it should stay away; 0 when it may come back at once.
 */
bool outbound_has_room(struct outbound *outbound, const struct message *message, uint64_t *away_ms_out);
/*
 * May a message be passed on while its client waits? Where its only route says so, the hop works, little
 * waits for it, and nothing was asked that only custody can keep (a report of success, a time, TLS all the
 * way).
 */
bool outbound_takes_at_once(struct outbound *outbound, const struct envelope *envelope);
/* How many more messages this worker likes to claim. */
size_t outbound_appetite(const struct outbound *outbound);
/* For the metrics, now and then. */
void outbound_count(struct outbound *outbound);
/* What message->route is now; looks the route up where that is not known. */
bool outbound_knows_route(const struct outbound *outbound, const struct message *message);
void outbound_find_route(struct outbound *outbound, struct message *message);
/* The retry schedule of the first recipient that is still pending. */
struct retry_schedule outbound_retry(const struct outbound *outbound, const struct envelope *envelope);

/* --- for destinations and their hops -------------------------------------------------------------- */

/* False: the worker has all the connections that it may have. The destination is kicked when one is free. */
bool outbound_may_connect(struct outbound *outbound, struct destination *destination);
/* One more, or one less. */
void outbound_connected(struct outbound *outbound, int change);
/* A TRYING message is done with for now. */
void outbound_attempted(struct outbound *outbound, struct message *message, enum attempt_end end);

#endif
