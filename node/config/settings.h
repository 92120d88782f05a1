/*
 * settings: what the operator decided, as plain data. The table in schema.c gives every field its name, type,
 * default, bounds and help (docs/config.md is printed from it); this struct says what the node reads.
 *
 * Times are milliseconds, sizes are bytes. Text is never NULL: not set is "". A settings object does not
 * change once it is loaded, so any thread may read it; everything it points to lives as long as it does.
 */
#ifndef NODE_CONFIG_SETTINGS_H
#define NODE_CONFIG_SETTINGS_H

#include "io/tls.h"
#include "skein/cluster/schema/cidr.h"
#include "skein/cluster/schema/table.h"
#include "skein/proto/auth/sasl.h"
#include "skein/proto/base/arena.h"
#include "track/log.h"
#include "track/track_file.h"

enum listener_tls { LISTENER_TLS_NONE, LISTENER_TLS_STARTTLS, LISTENER_TLS_IMPLICIT };
enum hop_tls {
	HOP_TLS_NONE,
	HOP_TLS_MAY,     /* when offered; the certificate is not checked */
	HOP_TLS_ENCRYPT, /* no delivery without it; the certificate is not checked */
	HOP_TLS_VERIFY,  /* no delivery without it, and the certificate is good for the name */
};
enum tls_minimum { TLS_MINIMUM_1_2, TLS_MINIMUM_1_3 };
enum listener_tls_minimum {
	LISTENER_TLS_MINIMUM_DEFAULT, /* tls.minimum */
	LISTENER_TLS_MINIMUM_1_0,
	LISTENER_TLS_MINIMUM_1_1,
	LISTENER_TLS_MINIMUM_1_2,
	LISTENER_TLS_MINIMUM_1_3,
};
enum dns_dnssec {
	DNS_DNSSEC_OFF,
	DNS_DNSSEC_PERMISSIVE, /* what fails validation is taken, as not secure */
	DNS_DNSSEC_ON,
};
enum confine {
	CONFINE_AUTO, /* where the kernel can */
	CONFINE_OFF,
	CONFINE_REQUIRED,
};
enum redundancy { REDUNDANCY_PREFERRED, REDUNDANCY_REQUIRED };
enum sentinel_tls { SENTINEL_TLS_SAME, SENTINEL_TLS_NONE };
enum bare_newline { BARE_NEWLINE_REFUSE, BARE_NEWLINE_NORMALISE };

/* What can tell who a client is. */
enum auth_backend { AUTH_LDAP, AUTH_FILE, AUTH_WINBIND, AUTH_KERBEROS, AUTH_BACKEND_COUNT };
extern const char *const auth_backend_names[AUTH_BACKEND_COUNT];

struct listener_settings {
	const char *name; /* "smtp-1", "smtp-2", ... where the operator gave none */
	struct endpoint address;
	enum listener_tls tls;
	enum listener_tls_minimum tls_minimum;
	enum tls_client_certificate client_certificate;
	const char *client_ca;       /* "": nobody's client certificate is trusted */
	struct cidr_list proxy_from; /* peers in here must send a PROXY header, all others must not */
	uint64_t hold_max_ms;        /* FUTURERELEASE; 0: not offered */
};

struct listener_list {
	const struct listener_settings *items;
	size_t count;
};

struct certificate_settings {
	const char *certificate, *key; /* PEM files */
};

struct certificate_list {
	const struct certificate_settings *items;
	size_t count;
};

struct hop_settings {
	const char *host;
	uint64_t port;
	enum hop_tls tls;
};

struct hop_list {
	const struct hop_settings *items; /* in order of preference */
	size_t count;
};

enum hook_format {
	HOOK_FORMAT_JSON,
	HOOK_FORMAT_NDJSON, /* of web servers: a line per event */
	HOOK_FORMAT_PAIRS,  /* of syslog: KEY=VALUE */
};

struct hook_settings {
	const char *name, *url;
	struct text_list events; /* names of kinds; empty: all */
	enum hook_format format;
	const char *facility; /* of syslog */
	uint64_t batch_events, batch_wait_ms;
	uint64_t queue_size;
	uint64_t timeout_ms;
	uint64_t retry_first_ms, retry_max_ms;
	const char *ca;                            /* PEM; "": the system's */
	const char *header, *secret, *secret_file; /* a header field of web servers; the secret is its end */
	enum track_redact_mode redact;             /* beyond tracking.redact */
};

struct hook_list {
	const struct hook_settings *items;
	size_t count;
};

struct settings {
	struct {
		const char *name;     /* the host's name where the operator gave none */
		const char *hostname; /* in greeting, EHLO, Received, DSN; likewise */
		const char *spool;
		uint64_t workers; /* never 0: the number of processors where the operator gave none */
		enum confine confine;
	} node;

	struct listener_list listeners;

	struct {
		const char *certificate, *key;        /* PEM files; both set or both "" */
		struct certificate_list certificates; /* empty when those are set */
		enum tls_minimum minimum;
		enum tls_ciphers ciphers;
		uint64_t ticket_lifetime_ms;
	} tls;

	struct {
		struct cidr_list allow; /* who may relay; empty: nobody */
	} relay;

	struct {
		const char *file; /* of a node that stands alone; "": none */
	} policy;

	struct {
		struct hop_list next_hops;
		uint64_t connections; /* per worker and hop */
		uint64_t messages_per_connection;
		uint64_t recipients_max; /* in one envelope */
		bool chunking, cut_through;
		const char *ca, *token_ca; /* PEM; "": the system's */
		struct {
			uint64_t connect_ms; /* TCP and TLS */
			uint64_t greeting_ms;
			uint64_t command_ms; /* EHLO, STARTTLS, MAIL, RCPT, RSET */
			uint64_t data_ms;    /* until the answer to DATA */
			uint64_t body_ms;    /* without a byte of the body taken */
			uint64_t dot_ms;     /* until the answer to the final dot */
			uint64_t quit_ms;
		} timeout;
		struct {
			uint64_t failures; /* in a row that open it */
			uint64_t pause_first_ms, pause_max_ms;
		} breaker;
	} route;

	struct {
		struct text_list servers; /* addresses; empty: those of /etc/resolv.conf */
		const char *trust_anchor; /* "": nothing is validated */
		enum dns_dnssec dnssec;
		struct text_list insecure_domains;
		uint64_t timeout_ms;
		uint64_t questions, cache;
	} dns;

	struct {
		uint64_t timeout_ms; /* for SPF, DKIM and DMARC of one message together */
	} inspect;

	struct {
		uint64_t first_ms, max_ms; /* the delay doubles from one to the other */
		uint64_t expire_ms;
		uint64_t warn_ms; /* age at which the sender is told of the delay; 0: never */
	} retry;

	enum redundancy redundancy;

	struct {
		struct endpoint address;    /* see settings_has_redis() */
		struct text_list sentinels; /* in place of address; each with settings_read_sentinel() */
		const char *master_name;
		const char *sentinel_user, *sentinel_password_file;
		enum sentinel_tls sentinel_tls;
		struct {
			bool enabled;
			const char *ca; /* "": the system's */
			const char *certificate, *key;
			const char *server_name; /* "": the host that is connected to */
		} tls;
		const char *user;
		const char *password_file; /* read it with secret_read() */
		const char *prefix;
		uint64_t shards;
		uint64_t wait_replicas;
		uint64_t connect_timeout_ms; /* TCP, TLS and AUTH together */
		uint64_t call_timeout_ms;
		uint64_t reconnect_first_ms, reconnect_max_ms;
	} redis;

	struct {
		uint64_t ttl_ms, renew_ms, margin_ms;
	} lease;

	struct {
		const char *key_file;   /* "": none; read it with cluster_key_read() */
		uint64_t takeovers_max; /* after crashes, before a message is put in quarantine */
		uint64_t claim_batch;
		uint64_t claim_interval_ms;
	} cluster;

	struct {
		uint64_t message_size;
		uint64_t recipients;
		uint64_t command_line;
		uint64_t header_size;
		uint64_t hops; /* Received fields */
		uint64_t errors;
		uint64_t connections;
		uint64_t connections_per_client;
		uint64_t connections_out; /* per worker, to all next hops */
		uint64_t redis_wait_ms;   /* for a decision about a limit */
		uint64_t counters;
		uint64_t bans;
		uint64_t next_hops; /* in trouble */
		uint64_t metric_names;
		uint64_t messages_per_connection;
		uint64_t handshake_timeout_ms; /* PROXY header and TLS handshake */
		uint64_t idle_timeout_ms;      /* between commands, and without a byte inside DATA */
		uint64_t data_timeout_ms;      /* a whole DATA or sequence of BDAT */
	} limits;

	struct {
		uint64_t body; /* a body larger than this goes to a file as it arrives */
		uint64_t budget;
		uint64_t high_percent; /* of the budget: sessions are no longer read */
	} memory;

	struct {
		uint64_t segment_size;
		uint64_t size_max;
		uint64_t disk_free_min;
		bool salvage;
	} journal;

	struct {
		enum bare_newline bare_newline;
		bool utf8;
		bool chunking;
		bool requiretls;
		bool mt_priority, deliverby;
		struct cidr_list priority_from; /* who may raise it without having said who he is */
	} smtp;

	struct {
		struct text_list backends;   /* names, in the order in which passwords are asked about */
		struct text_list mechanisms; /* empty: all that the back ends can do */
		enum sasl_binding channel_binding;
		uint64_t session_age_ms;
		uint64_t timeout_ms; /* of a question to a back end */
		struct {
			uint64_t password_ttl_ms, identity_ttl_ms, wrong_ttl_ms;
			uint64_t entries; /* of each kind */
		} cache;
		struct {
			struct text_list servers; /* URIs, in order of preference */
			bool start_tls;
			const char *ca;
			const char *bind_dn, *password_file;
			const char *bind_secret; /* in place of the file; "": none */
			const char *base, *domain, *realm;
			uint64_t timeout_ms; /* of a step at one server */
			uint64_t threads, queue;
		} ldap;
		struct {
			const char *path;
			uint64_t threads, queue;
		} file;
		struct {
			uint64_t threads, queue;
		} winbind;
		struct {
			const char *keytab;
		} kerberos;
	} auth;

	struct {
		struct endpoint listen; /* host "": no admin HTTP */
	} admin;

	struct {
		enum log_format format;
		enum log_level level;
		const char *file; /* "": standard error */
	} log;

	struct {
		const char *file; /* a folder; "": one in the spool; "off": none */
		enum track_format format;
		uint64_t rotate_size, keep_days, keep_size;
		enum track_redact_mode redact;
		const char *redact_key_file; /* "": none */
		bool cluster;
		uint64_t cluster_size, cluster_age_ms, cluster_queue;
		struct hook_list hooks;
	} tracking;

	struct {
		uint64_t interval_ms; /* 0: never */
		struct text_list domains;
		struct text_list egress; /* addresses */
	} dns_watch;

	struct {
		uint64_t interval_ms;
	} alerts;

	struct {
		const char *from; /* "": no reports */
		const char *organization, *contact;
		uint64_t delay_ms;
		uint64_t interval_ms;
	} tls_reports;

	struct {
		uint64_t timeout_ms;
		uint64_t notice_ms;
		uint64_t linger_ms;
	} drain;

	struct arena arena; /* all that is pointed to above */
};

/* Every field at its default, host name and processors looked up. */
struct settings *settings_new(void);
void settings_free(struct settings **settings);

/* Is there a cluster, or does this node stand alone? */
bool settings_has_redis(const struct settings *settings);
/* One of redis.sentinels. False: it is no "host:port"; a phrase that says why is appended to `why`. */
bool settings_read_sentinel(
	const char *text, struct arena *arena, struct endpoint *endpoint_out, struct buf *why) WARN_UNUSED;

typedef void settings_changed_fn(void *arg, const char *path, bool is_applied);
/*
 * For a reload: makes `loaded` what the node may switch to, by giving each setting that cannot change in a
 * running process its value in `running`. Calls `on_changed` for every setting that differs; `is_applied` is
 * false for those that need a restart. `running` may be freed afterwards.
 */
void settings_reload(
	struct settings *loaded, const struct settings *running, settings_changed_fn *on_changed, void *arg);

/* Whether two hooks say the same. */
bool settings_hook_is_same(const struct hook_settings *a, const struct hook_settings *b);

#endif
