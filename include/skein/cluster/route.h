/*
 * route: where mail goes and how: what one entry of the policy's `routes` says, or, where none matches, the
 * node's own settings. Compiled once, then never changed, like the policy that it belongs to.
 *
 * A route has targets. A target is a host, the MX hosts of a domain, the hosts of an SRV record, or the MX
 * hosts of each recipient's own domain (direct delivery). What a target stands for is found out when mail
 * leaves; here are only words.
 */
#ifndef SKEIN_CLUSTER_ROUTE_H
#define SKEIN_CLUSTER_ROUTE_H

#include "skein/cluster/limit.h"

enum {
	ROUTE_NAME_MAX = LIMIT_NAME_MAX - 6, /* behind "route:" it names a limit */
	ROUTE_TARGETS_MAX = 16,
	ROUTE_FIELDS_MAX = 64, /* header fields to remove, to add */
	ROUTE_PRIORITY_MAX = 9,
};

enum route_place {
	ROUTE_HOST,   /* a name or an address */
	ROUTE_MX,     /* the MX hosts of a fixed domain */
	ROUTE_SRV,    /* RFC 2782, such as _submission._tcp.example.com */
	ROUTE_DIRECT, /* the MX hosts of the recipient's domain, RFC 5321 5.1 */
	ROUTE_PLACES,
};

enum route_tls {
	ROUTE_TLS_NONE,      /* never */
	ROUTE_TLS_MAY,       /* when offered, unverified; in clear for a while after a broken handshake */
	ROUTE_TLS_ENCRYPT,   /* always, unverified */
	ROUTE_TLS_VERIFY,    /* always; the certificate is good for the name */
	ROUTE_TLS_DANE,      /* RFC 7672: as TLSA records say where they are secure, else as MAY */
	ROUTE_TLS_DANE_ONLY, /* without secure TLSA records it is deferred */
	ROUTE_TLS_MTA_STS,   /* RFC 8461: as the domain's policy says where it has one, else as MAY */
	ROUTE_TLS_AUTO,      /* DANE where there are records, else MTA-STS, else MAY */
	ROUTE_TLS_LEVELS,
};

enum route_order {
	ROUTE_LISTED,   /* the next target only while those before it are down */
	ROUTE_WEIGHTED, /* each message by chance, as the weights say */
	ROUTE_ORDERS,
};

enum route_mechanism {
	ROUTE_AUTH_AUTO, /* what the hop offers: XOAUTH2 with a token, else PLAIN, else LOGIN */
	ROUTE_AUTH_PLAIN,
	ROUTE_AUTH_LOGIN,
	ROUTE_AUTH_XOAUTH2,
	ROUTE_MECHANISMS,
};

/* How this cluster logs in at a hop. Never over a connection without TLS. */
struct route_credentials {
	const char *name;
	enum route_mechanism mechanism;
	const char *user;
	const char *secret; /* name of the secret with the password, or with the OAuth client's secret */
	const char *token_url, *client_id, *scope; /* OAuth 2 client credentials; "" without */
};

struct route_target {
	enum route_place place;
	const char *name; /* host, domain or SRV name; "" for ROUTE_DIRECT */
	uint16_t port;    /* 0: 25, or 465 with tls_first; SRV has its own */
	unsigned weight;  /* 1.., for ROUTE_WEIGHTED */
	enum route_tls tls;
	bool tls_first;       /* TLS from the first byte (RFC 8314) */
	const char *tls_name; /* what the certificate must be good for; "": the host's name */
	const struct route_credentials *credentials; /* NULL: none */
};

enum route_return_path {
	ROUTE_RETURN_KEEP,
	ROUTE_RETURN_SRS,  /* rewritten so that it is of `return_domain` and bounces come back (SRS0, SRS1) */
	ROUTE_RETURN_VERP, /* one envelope for each recipient, named in the sender's local part */
	ROUTE_RETURN_PATHS,
};

struct route_field {
	const char *name, *value;
};

/* How messages are changed on their way out. All empty: not at all. */
struct route_rewrite {
	const char *const *remove; /* header fields by name */
	size_t remove_count;
	const struct route_field *add; /* in front */
	size_t add_count;
	const char *from_domain;   /* the domain of From and Sender becomes this; "": it stays */
	const char *sender_domain; /* the same for the envelope's sender */
	enum route_return_path return_path;
	const char *return_domain;
	const char *return_secret; /* name of the secret that SRS signs with */
};

struct route {
	const char *name;    /* "routes[2]" where the author gave none */
	const char *comment; /* "" when there is none */
	size_t number;       /* its place among the routes, from 0 */
	const struct route_target *targets;
	size_t target_count; /* 1..ROUTE_TARGETS_MAX */
	enum route_order order;

	unsigned connections;          /* per worker and hop, at most */
	unsigned cluster_connections;  /* of all nodes to this route, at most; 0: no bound */
	const struct limit_rule *rate; /* "route:<name>", of messages, for all nodes: mail waits for it. NULL:
					  none */
	unsigned messages_per_connection;
	unsigned recipients_max; /* in one transaction */
	unsigned priority; /* 0..ROUTE_PRIORITY_MAX: where several wait for a worker, the higher goes first */
	bool chunking;     /* BDAT (RFC 3030) where it is offered */
	bool cut_through;  /* pass it on while the client waits (docs/delivery.md) */
	struct {
		uint32_t connect_ms, greeting_ms, command_ms, data_ms, body_ms, dot_ms, quit_ms;
	} timeout;
	struct {
		uint64_t first_ms, max_ms, expire_ms, warn_ms;
	} retry;
	struct {
		unsigned failures;
		uint64_t pause_first_ms, pause_max_ms;
	} breaker;
	struct route_rewrite rewrite;
};

/* "host", "dane-only", "listed", "xoauth2", "srs": as documents write them. */
extern const char *const route_place_names[ROUTE_PLACES];
extern const char *const route_tls_names[ROUTE_TLS_LEVELS];
extern const char *const route_order_names[ROUTE_ORDERS];
extern const char *const route_mechanism_names[ROUTE_MECHANISMS];
extern const char *const route_return_path_names[ROUTE_RETURN_PATHS];

#endif
