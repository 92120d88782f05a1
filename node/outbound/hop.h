/*
 * hop: one next hop of a destination as one worker sees it: where it is, whether it is worth a connection
 * (breaker), how many it is worth (window), and these connections. Messages are pulled: a connection that can
 * start a transaction asks the destination for one, so a connect that fails costs no message an attempt.
 *
 * The window: one connection until the first is ready, then as many as the route allows; halved when a
 * connection is lost in mid-transaction or told 421, one more with each message that is taken. A hop that
 * says it is too much (421, or 4xx to MAIL, DATA or the final dot) gets messages one after the other (pace).
 */
#ifndef NODE_OUTBOUND_HOP_H
#define NODE_OUTBOUND_HOP_H

#include "io/address.h"
#include "outbound/breaker.h"
#include "outbound/credentials.h"
#include "outbound/outbound.h"
#include "outbound/pace.h"
#include "outbound/transport.h"
#include "outbound/route_gate.h"
#include "skein/cluster/hop_store.h"
#include "skein/cluster/route.h"
#include "skein/proto/smtp/client.h"

struct destination;

enum {
	HOP_ADDRESSES_MAX = 8,
	HOP_ERROR_MAX = 200,
	HOP_PATIENCE_MS = 2000, /* without a sign of life, while there is work: doubtful */
};

struct hop {
	struct outbound *outbound;
	struct destination *destination;
	const struct route *route;
	const struct route_target *target;
	unsigned bit; /* one of message.tried; its own among the hops of the destination */
	struct breaker breaker;
	enum hop_state heard;     /* see hop_health.h */
	bool is_forbidden;        /* by an operator */
	bool is_in_question;      /* the cluster is asked who may try it */
	struct list leaving_link; /* destination.leaving */
	struct list conns;        /* hop_conn.link */
	unsigned conn_count;      /* connecting ones included */
	unsigned connecting;
	struct list permits; /* route_permit.held: asked for, and granted, for connections to come */
	uint64_t woken_ms;   /* when a connection was last wanted */
	unsigned window;
	struct pace pace;
	unsigned trying;   /* messages that its connections have */
	uint64_t taken;    /* messages pulled, in units of 1 / weight, for ROUTE_WEIGHTED */
	uint64_t alive_ms; /* the last sign of life, or when it was first waited for one */
	struct address addresses[HOP_ADDRESSES_MAX];
	size_t address_count, address_next;
	uint64_t resolved_at_ms; /* UINT64_MAX: the addresses stay */
	struct transport transport;
	uint64_t held_since_ms; /* while is_held */
	bool is_held;           /* nothing is tried there: no login is possible */
	bool is_proven;         /* a connection was ready since it was made */
	bool is_resolving;
	bool is_leaving; /* no longer one of the destination's: goes when it is idle */
	uv_getaddrinfo_t resolver;
	const char *host; /* owned */
	uint16_t port;
	char label[300]; /* "host:port" in lower case, for the cluster, the log and DSNs */
	char last_error[HOP_ERROR_MAX];
	struct enhanced_code last_code; /* of that error */
};

/* `host` is copied. */
struct hop *hop_new(struct destination *destination, const struct route_target *target, const char *host,
	uint16_t port, unsigned bit);
/* What the DNS says of it, for as long as it is one of the destination's: its addresses, and how secure that
 * is. */
void hop_found(struct hop *hop, const struct dns_hop *at, const char *domain);
/* It is idle. Sets the pointer to NULL. */
void hop_free(struct hop **hop);
/* Connections are closed at once; the resolver must have come back (hop_is_idle()). */
void hop_abort(struct hop *hop);
bool hop_is_idle(const struct hop *hop);
/* There is work: opens connections if that helps, and wakes idle ones. `ready` is how many messages wait. */
void hop_wake(struct hop *hop, size_t ready);
/* What was asked for in vain is given up. */
void hop_tidy(struct hop *hop);
void hop_drop_permits(struct hop *hop);
/* No more work will come: idle connections say QUIT. */
void hop_retire(struct hop *hop);
/* Closed breaker, and it gives signs of life while it has work. */
bool hop_is_well(const struct hop *hop, uint64_t now_ms);

/* A secret was set, or another connection has logged in: what was impossible may be possible. */
void hop_credentials_changed(struct hop *hop);
/* Whether there is something to log in with, where that is due. Where there is none the hop is down. */
bool hop_may_log_in(struct hop *hop);
/* How long what waits for a hop that is down stays away, when that is for `wait_ms`. */
uint64_t hop_put_off_ms(const struct hop *hop, uint64_t wait_ms);

/* For connections. */
/* Login is due. False: as above. True: one of the three below follows. */
bool hop_log_in(struct hop *hop, struct login *login_out);
void hop_login_accepted(struct hop *hop, const struct login_mark *mark);
void hop_login_refused(struct hop *hop, const struct login_mark *mark, const char *why);
void hop_login_untried(struct hop *hop, const struct login_mark *mark);
void hop_conn_opened(struct hop *hop);
void hop_conn_failed(struct hop *hop, const char *why);
/* It is there, but must not be used as it is: trying again at once would change nothing, or do harm. */
void hop_conn_barred(struct hop *hop, struct enhanced_code code, const char *why);
/* For a connection that is opened: a permit that is held, which is its own from now on. NULL: it needs none.
 */
struct route_permit *hop_take_permit(struct hop *hop);
/* It said something. */
void hop_is_alive(struct hop *hop);
/* A transaction ended: with an answer, or in trouble that is the hop's (lost, 421). */
void hop_served(struct hop *hop);
void hop_troubled(struct hop *hop);
/* It said that this was too much, or too fast. True: it gets less now than before. */
bool hop_pushed_back(struct hop *hop, struct span text);
/* May a message be pulled for it now? 0: yes; else how long until then. */
uint64_t hop_pace_wait_ms(const struct hop *hop);

#endif
