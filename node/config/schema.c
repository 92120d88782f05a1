#include "config/schema.h"

#include "config/settings.h"

#include <stddef.h>

#define KIB 1024ull
#define MIB (1024 * KIB)
#define GIB (1024 * MIB)
#define TIB (1024 * GIB)

#define MS      1ull
#define SECONDS (1000 * MS)
#define MINUTES (60 * SECONDS)
#define HOURS   (60 * MINUTES)
#define DAYS    (24 * HOURS)

#define AT(field)                  .offset = offsetof(struct settings, field)
#define IN_LISTENER(field)         .offset = offsetof(struct listener_settings, field)
#define IN_CERTIFICATE(field)      .offset = offsetof(struct certificate_settings, field)
#define IN_HOP(field)              .offset = offsetof(struct hop_settings, field)
#define IN_HOOK(field)             .offset = offsetof(struct hook_settings, field)
#define STRING(high)               .type = SETTING_STRING, .max = (high)
#define NAME(high)                 .type = SETTING_NAME, .max = (high)
#define PREFIX(high)               .type = SETTING_PREFIX, .max = (high)
#define DOMAIN                     .type = SETTING_DOMAIN, .max = 253
#define HOST                       .type = SETTING_HOST, .max = 253
#define PATH                       .type = SETTING_PATH, .max = 1024
#define FILE_TO_READ               PATH, .file = SETTING_FILE_READABLE
#define SECRET                     PATH, .file = SETTING_FILE_SECRET
#define TEXT(high)                 .type = SETTING_TEXT, .max = (high)
#define STRINGS(high)              .type = SETTING_STRINGS, .max = (high)
#define BOOL                       .type = SETTING_BOOL
#define INTEGER(low, high)         .type = SETTING_INTEGER, .min = (low), .max = (high)
#define SIZE(low, high)            .type = SETTING_SIZE, .min = (low), .max = (high)
#define DURATION(low, high)        .type = SETTING_DURATION, .min = (low), .max = (high)
#define ENUM(array)                .type = SETTING_ENUM, .names = (array), .name_count = ARRAY_LEN(array)
#define LISTEN                     .type = SETTING_LISTEN, .max = 300
#define ENDPOINT                   .type = SETTING_ENDPOINT, .max = 300
#define NETWORKS                   .type = SETTING_NETWORKS, .max = 1024
#define SECTIONS(table, low, high) .type = SETTING_SECTIONS, .items = &(table), .min = (low), .max = (high)
#define RELOADABLE                 .is_reloadable = true

static const char *const listener_tls_names[] = {
	[LISTENER_TLS_NONE] = "none",
	[LISTENER_TLS_STARTTLS] = "starttls",
	[LISTENER_TLS_IMPLICIT] = "implicit",
};
static const char *const hop_tls_names[] = {
	[HOP_TLS_NONE] = "none",
	[HOP_TLS_MAY] = "may",
	[HOP_TLS_ENCRYPT] = "encrypt",
	[HOP_TLS_VERIFY] = "verify",
};
static const char *const tls_minimum_names[] = { [TLS_MINIMUM_1_2] = "1.2", [TLS_MINIMUM_1_3] = "1.3" };
static const char *const tls_ciphers_names[] = {
	[TLS_CIPHERS_MODERN] = "modern",
	[TLS_CIPHERS_COMPATIBLE] = "compatible",
};
static const char *const listener_tls_minimum_names[] = {
	[LISTENER_TLS_MINIMUM_DEFAULT] = "default",
	[LISTENER_TLS_MINIMUM_1_0] = "1.0",
	[LISTENER_TLS_MINIMUM_1_1] = "1.1",
	[LISTENER_TLS_MINIMUM_1_2] = "1.2",
	[LISTENER_TLS_MINIMUM_1_3] = "1.3",
};
static const char *const client_certificate_names[] = {
	[TLS_CLIENT_CERTIFICATE_NONE] = "none",
	[TLS_CLIENT_CERTIFICATE_REQUEST] = "request",
	[TLS_CLIENT_CERTIFICATE_REQUIRE] = "require",
};
static const char *const dnssec_names[] = {
	[DNS_DNSSEC_OFF] = "off",
	[DNS_DNSSEC_PERMISSIVE] = "permissive",
	[DNS_DNSSEC_ON] = "on",
};
static const char *const sentinel_tls_names[] = {
	[SENTINEL_TLS_SAME] = "same",
	[SENTINEL_TLS_NONE] = "none",
};
static const char *const confine_names[] = {
	[CONFINE_AUTO] = "auto",
	[CONFINE_OFF] = "off",
	[CONFINE_REQUIRED] = "required",
};
static const char *const redundancy_names[] = {
	[REDUNDANCY_PREFERRED] = "preferred",
	[REDUNDANCY_REQUIRED] = "required",
};
static const char *const bare_newline_names[] = {
	[BARE_NEWLINE_REFUSE] = "refuse",
	[BARE_NEWLINE_NORMALISE] = "normalise",
};
const char *const auth_backend_names[AUTH_BACKEND_COUNT] = {
	[AUTH_LDAP] = "ldap",
	[AUTH_FILE] = "file",
	[AUTH_WINBIND] = "winbind",
	[AUTH_KERBEROS] = "kerberos",
};
static const char *const channel_binding_names[] = {
	[SASL_BINDING_OFF] = "off",
	[SASL_BINDING_ACCEPT] = "accept",
	[SASL_BINDING_REQUIRE] = "require",
};
static const char *const log_format_names[] = { [LOG_FORMAT_TEXT] = "text", [LOG_FORMAT_JSON] = "json" };
static const char *const track_format_names[] = { [TRACK_FORMAT_JSON] = "json", [TRACK_FORMAT_W3C] = "w3c" };
static const char *const track_redact_names[] = {
	[TRACK_REDACT_NONE] = "none",
	[TRACK_REDACT_MASKED] = "masked",
	[TRACK_REDACT_HASHED] = "hashed",
};
static const char *const hook_format_names[] = {
	[HOOK_FORMAT_JSON] = "json",
	[HOOK_FORMAT_NDJSON] = "ndjson",
	[HOOK_FORMAT_PAIRS] = "pairs",
};
static const char *const log_level_names[] = {
	[LOG_ERROR] = "error",
	[LOG_WARN] = "warn",
	[LOG_INFO] = "info",
	[LOG_DEBUG] = "debug",
};

static const struct setting_row listener_rows[] = {
	{ "address", NULL, LISTEN, IN_LISTENER(address), .help = "Where to listen: 0.0.0.0:25, '[::]:25'." },
	{ "tls", "none", ENUM(listener_tls_names), IN_LISTENER(tls),
		.help = "none, starttls (offered) or implicit (from the first byte)." },
	{ "tls_minimum", "default", ENUM(listener_tls_minimum_names), IN_LISTENER(tls_minimum),
		.help = "Oldest TLS version here; default: tls.minimum. 1.0 and 1.1 bring weak ciphers: for "
			"old devices only." },
	{ "client_certificate", "none", ENUM(client_certificate_names), IN_LISTENER(client_certificate),
		.help = "none, request (any is taken, trusted or not) or require (one from client_ca, or no "
			"connection)." },
	{ "client_ca", "", FILE_TO_READ, IN_LISTENER(client_ca),
		.help = "PEM file with the authorities whose client certificates are trusted. The same on "
			"all nodes." },
	{ "proxy_from", "", NETWORKS, IN_LISTENER(proxy_from),
		.help = "Balancers: connections from here must start with a PROXY header, all others must "
			"not." },
	{ "hold_max", "0s", DURATION(0, 60 * DAYS), IN_LISTENER(hold_max_ms),
		.help = "Offer FUTURERELEASE here: clients may have mail held for so long. 0s: not "
			"offered." },
	{ "name", "", NAME(32), IN_LISTENER(name),
		.help = "What the log calls it. Not set: smtp-1, smtp-2 and so on." },
};
static const struct setting_table listener_table = { listener_rows, ARRAY_LEN(listener_rows),
	sizeof(struct listener_settings) };

static const struct setting_row certificate_rows[] = {
	{ "certificate", NULL, FILE_TO_READ, IN_CERTIFICATE(certificate),
		.help = "PEM file with the certificate, then the chain." },
	{ "key", NULL, SECRET, IN_CERTIFICATE(key), .help = "PEM file with its key." },
};
static const struct setting_table certificate_table = { certificate_rows, ARRAY_LEN(certificate_rows),
	sizeof(struct certificate_settings) };

static const struct setting_row hop_rows[] = {
	{ "host", NULL, HOST, IN_HOP(host), .help = "Domain name or IP address." },
	{ "port", "25", INTEGER(1, 65535), IN_HOP(port), .help = "TCP port." },
	{ "tls", "may", ENUM(hop_tls_names), IN_HOP(tls),
		.help = "none, may (when offered), encrypt (or it waits) or verify (with a certificate good "
			"for "
			"the host's name)." },
};
static const struct setting_table hop_table = { hop_rows, ARRAY_LEN(hop_rows), sizeof(struct hop_settings) };

static const struct setting_row hook_rows[] = {
	{ "name", NULL, NAME(64), IN_HOOK(name), .help = "For the log." },
	{ "url", NULL, TEXT(2048), IN_HOOK(url),
		.help = "Webhook: https:// or http://. Syslog: udp://HOST[:514], tcp://HOST[:601] or "
			"tls://HOST[:6514]." },
	{ "events", "", STRINGS(64), IN_HOOK(events),
		.help = "Events that it is told of, as in [DELIVER, FAIL]. Not set: all." },
	{ "format", "json", ENUM(hook_format_names), IN_HOOK(format),
		.help = "json; of a webhook also ndjson, a line per event; of syslog also pairs: "
			"KEY=VALUE." },
	{ "facility", "mail", NAME(16), IN_HOOK(facility), .help = "Of syslog: mail, local0 and so on." },
	{ "batch_events", "100", INTEGER(1, 1000), IN_HOOK(batch_events),
		.help = "Most events in one request." },
	{ "batch_wait", "1s", DURATION(10 * MS, 10 * MINUTES), IN_HOOK(batch_wait_ms),
		.help = "How long an event waits for others to go with." },
	{ "queue_size", "16MiB", SIZE(256 * KIB, 1 * GIB), IN_HOOK(queue_size),
		.help = "What waits while the receiver is away. When it is full, the oldest events fall "
			"out." },
	{ "timeout", "10s", DURATION(100 * MS, 5 * MINUTES), IN_HOOK(timeout_ms),
		.help = "For one request, or for a message of syslog to be taken." },
	{ "retry_first", "1s", DURATION(10 * MS, 1 * HOURS), IN_HOOK(retry_first_ms),
		.help = "Pause after a failure; it doubles, up to retry_max." },
	{ "retry_max", "1m", DURATION(10 * MS, 1 * DAYS), IN_HOOK(retry_max_ms),
		.help = "Longest pause between two attempts." },
	{ "ca", "", FILE_TO_READ, IN_HOOK(ca),
		.help = "PEM file with the authorities that the receiver's certificate comes from. Not set: "
			"the "
			"system's." },
	{ "header", "Authorization: Bearer", TEXT(128), IN_HOOK(header),
		.help = "Header field of a webhook that the secret is put behind." },
	{ "secret", "", NAME(128), IN_HOOK(secret),
		.help = "Name of the cluster's secret that ends it. `skeinctl secret set`." },
	{ "secret_file", "", SECRET, IN_HOOK(secret_file),
		.help = "In place of it: file that holds the secret; read again on SIGHUP." },
	{ "redact", "none", ENUM(track_redact_names), IN_HOOK(redact),
		.help = "As tracking.redact, for this receiver alone." },
};
static const struct setting_table hook_table = { hook_rows, ARRAY_LEN(hook_rows),
	sizeof(struct hook_settings) };

static const struct setting_row rows[] = {
	{ "node.name", "", NAME(64), AT(node.name),
		.help = "Name of this node, unique in the cluster. Not set: the host's name." },
	{ "node.hostname", "", DOMAIN, AT(node.hostname),
		.help = "Name in greeting, EHLO, Received and delivery reports. Not set: the host's name." },
	{ "node.spool", "/var/lib/skein", PATH, .min = 1, AT(node.spool),
		.help = "Folder of journal and bodies. On a disk of its own, and never shared by two "
			"nodes." },
	{ "node.workers", "0", INTEGER(0, 256), AT(node.workers),
		.help = "Threads that speak SMTP. 0: one per processor, up to 32." },
	{ "node.confine", "auto", ENUM(confine_names), AT(node.confine),
		.help = "Give up, by Landlock, all files that are not needed: auto (where the kernel can), "
			"off or required." },

	{ "listeners", "", SECTIONS(listener_table, 1, 64), AT(listeners), .help = "Where clients connect." },

	{ "tls.certificate", "", FILE_TO_READ, AT(tls.certificate), RELOADABLE,
		.help = "PEM file with this node's certificate, then the chain." },
	{ "tls.key", "", SECRET, AT(tls.key), RELOADABLE, .help = "PEM file with the certificate's key." },
	{ "tls.certificates", "", SECTIONS(certificate_table, 0, 1000), AT(tls.certificates), RELOADABLE,
		.help = "Instead of these two: several, chosen by the name that a client asks for. The first "
			"is for the rest." },
	{ "tls.minimum", "1.2", ENUM(tls_minimum_names), AT(tls.minimum), RELOADABLE,
		.help = "Oldest version of TLS that listeners speak." },
	{ "tls.ciphers", "modern", ENUM(tls_ciphers_names), AT(tls.ciphers), RELOADABLE,
		.help = "For TLS 1.2: modern (ECDHE and AES-GCM or ChaCha20) or compatible (AES-CBC, RSA key "
			"exchange too)." },
	{ "tls.ticket_lifetime", "12h", DURATION(10 * SECONDS, 7 * DAYS), AT(tls.ticket_lifetime_ms),
		RELOADABLE,
		.help = "How long a client may come back, to any node, without a full handshake. The same on "
			"all nodes." },

	{ "relay.allow", "", NETWORKS, AT(relay.allow), RELOADABLE,
		.help = "Networks whose hosts may relay, as long as there is no policy. Empty: nobody may." },

	{ "policy.file", "", FILE_TO_READ, AT(policy.file), RELOADABLE,
		.help = "The policy of a node without Redis. A cluster's is put there: skeinctl policy "
			"apply." },

	{ "route.next_hops", "", SECTIONS(hop_table, 0, 16), AT(route.next_hops),
		.help = "Where mail goes, in order of preference: the next is tried when one fails." },
	{ "route.connections", "4", INTEGER(1, 100), AT(route.connections), RELOADABLE,
		.help = "Connections per worker to one next hop, at most." },
	{ "route.messages_per_connection", "1000", INTEGER(1, 1000000), AT(route.messages_per_connection),
		RELOADABLE, .help = "Messages sent on one connection before it is closed." },
	{ "route.recipients_max", "100", INTEGER(1, 10000), AT(route.recipients_max), RELOADABLE,
		.help = "Recipients in one outgoing transaction. More are sent in several." },
	{ "route.chunking", "true", BOOL, AT(route.chunking), RELOADABLE,
		.help = "Send bodies by BDAT (RFC 3030) where the hop offers CHUNKING and PIPELINING." },
	{ "route.cut_through", "false", BOOL, AT(route.cut_through), RELOADABLE,
		.help = "Pass a message on while its client waits; custody only where that fails. See "
			"docs/delivery.md." },
	{ "route.ca", "", FILE_TO_READ, AT(route.ca),
		.help = "PEM file with the authorities that next hops and MTA-STS web servers are verified "
			"by. Not set: the system's." },
	{ "route.token_ca", "", FILE_TO_READ, AT(route.token_ca),
		.help = "PEM file with the authorities that servers of OAuth tokens are verified by. Not "
			"set: "
			"the system's." },
	{ "route.timeout.connect", "30s", DURATION(100 * MS, 10 * MINUTES), AT(route.timeout.connect_ms),
		RELOADABLE, .help = "TCP connection and TLS handshake, each." },
	{ "route.timeout.greeting", "5m", DURATION(100 * MS, 1 * HOURS), AT(route.timeout.greeting_ms),
		RELOADABLE, .help = "The greeting." },
	{ "route.timeout.command", "5m", DURATION(100 * MS, 1 * HOURS), AT(route.timeout.command_ms),
		RELOADABLE, .help = "The answer to EHLO, STARTTLS, MAIL, RCPT or RSET." },
	{ "route.timeout.data", "2m", DURATION(100 * MS, 1 * HOURS), AT(route.timeout.data_ms), RELOADABLE,
		.help = "The answer to DATA." },
	{ "route.timeout.body", "3m", DURATION(100 * MS, 1 * HOURS), AT(route.timeout.body_ms), RELOADABLE,
		.help = "The next hop takes no byte of the message for this long." },
	{ "route.timeout.dot", "10m", DURATION(100 * MS, 1 * HOURS), AT(route.timeout.dot_ms), RELOADABLE,
		.help = "The answer to the end of the message." },
	{ "route.timeout.quit", "10s", DURATION(100 * MS, 10 * MINUTES), AT(route.timeout.quit_ms),
		RELOADABLE, .help = "The answer to QUIT." },
	{ "route.breaker.failures", "5", INTEGER(1, 1000), AT(route.breaker.failures), RELOADABLE,
		.help = "Failed connections in a row after which a next hop is left alone." },
	{ "route.breaker.pause_first", "5s", DURATION(100 * MS, 1 * HOURS), AT(route.breaker.pause_first_ms),
		RELOADABLE, .help = "For how long, the first time. Doubles each time the next try fails." },
	{ "route.breaker.pause_max", "5m", DURATION(100 * MS, 1 * DAYS), AT(route.breaker.pause_max_ms),
		RELOADABLE, .help = "For how long, at most." },

	{ "dns.servers", "", STRINGS(16), AT(dns.servers),
		.help = "Addresses of resolvers: [192.0.2.1, 192.0.2.2:5353]. Not set: those of "
			"/etc/resolv.conf at the start." },
	{ "dns.trust_anchor", "", FILE_TO_READ, AT(dns.trust_anchor),
		.help = "The root's DS or DNSKEY records (dns-root-data has /usr/share/dns/root.key). Not "
			"set: no validation." },
	{ "dns.dnssec", "on", ENUM(dnssec_names), AT(dns.dnssec),
		.help = "on, permissive (what fails validation is used, as not secure) or off. Needs "
			"dns.trust_anchor." },
	{ "dns.insecure_domains", "", STRINGS(256), AT(dns.insecure_domains),
		.help = "Domains that are not validated, such as the unsigned inside of a split one." },
	{ "dns.timeout", "10s", DURATION(100 * MS, 1 * MINUTES), AT(dns.timeout_ms),
		.help = "An answer later than this is none." },
	{ "dns.questions", "1000", INTEGER(10, 100000), AT(dns.questions),
		.help = "Questions under way at once." },
	{ "dns.cache", "10000", INTEGER(100, 1000000), AT(dns.cache),
		.help = "Answers that are kept, for as long as their TTL says and an hour at most." },

	{ "inspect.timeout", "20s", DURATION(100 * MS, 5 * MINUTES), AT(inspect.timeout_ms), RELOADABLE,
		.help = "SPF, DKIM and DMARC of a message, together: what is not known then is a "
			"temporary error." },

	{ "retry.first", "1m", DURATION(100 * MS, 1 * DAYS), AT(retry.first_ms), RELOADABLE,
		.help = "Wait before the second try. Doubles with each further one." },
	{ "retry.max", "1h", DURATION(100 * MS, 2 * DAYS), AT(retry.max_ms), RELOADABLE,
		.help = "Wait between two tries, at most." },
	{ "retry.expire", "5d", DURATION(1 * SECONDS, 60 * DAYS), AT(retry.expire_ms), RELOADABLE,
		.help = "Age at which a message is given up and its sender told." },
	{ "retry.warn", "4h", DURATION(0, 60 * DAYS), AT(retry.warn_ms), RELOADABLE,
		.help = "Age at which the sender is told of the delay. 0s: never." },

	{ "redundancy", "preferred", ENUM(redundancy_names), AT(redundancy), RELOADABLE,
		.help = "Without Redis, preferred accepts with one copy, and required answers 451." },

	{ "redis.address", "", ENDPOINT, AT(redis.address),
		.help = "Address and port of Redis. Neither this nor sentinels set: this node stands "
			"alone." },
	{ "redis.sentinels", "", STRINGS(16), AT(redis.sentinels),
		.help = "Addresses and ports of all Sentinels that watch over Redis, in place of address." },
	{ "redis.master_name", "mymaster", NAME(128), .min = 1, AT(redis.master_name),
		.help = "How the Sentinels call the master." },
	{ "redis.sentinel_user", "", STRING(128), AT(redis.sentinel_user),
		.help = "ACL user at the Sentinels." },
	{ "redis.sentinel_password_file", "", SECRET, AT(redis.sentinel_password_file),
		.help = "File that holds the password for the Sentinels and nothing else." },
	{ "redis.sentinel_tls", "same", ENUM(sentinel_tls_names), AT(redis.sentinel_tls),
		.help = "same: the Sentinels are spoken to as redis.tls says. none: in clear." },
	{ "redis.user", "", STRING(128), AT(redis.user), .help = "ACL user." },
	{ "redis.password_file", "", SECRET, AT(redis.password_file),
		.help = "File that holds the password and nothing else." },
	{ "redis.prefix", "skein:", PREFIX(32), .min = 1, AT(redis.prefix),
		.help = "Start of every key, the same on all nodes." },
	{ "redis.shards", "64", INTEGER(1, 4096), AT(redis.shards),
		.help = "Parts the queue is split into, fixed when the cluster is made." },
	{ "redis.wait_replicas", "0", INTEGER(0, 8), AT(redis.wait_replicas),
		.help = "Replicas that must have a message before it counts as stored." },
	{ "redis.connect_timeout", "5s", DURATION(100 * MS, 1 * MINUTES), AT(redis.connect_timeout_ms),
		.help = "TCP, TLS and AUTH together." },
	{ "redis.call_timeout", "5s", DURATION(100 * MS, 1 * MINUTES), AT(redis.call_timeout_ms),
		.help = "An answer later than this ends the connection." },
	{ "redis.reconnect_first", "100ms", DURATION(10 * MS, 1 * MINUTES), AT(redis.reconnect_first_ms),
		.help = "Wait before connecting again. Doubles with each failure." },
	{ "redis.reconnect_max", "2s", DURATION(10 * MS, 10 * MINUTES), AT(redis.reconnect_max_ms),
		.help = "Wait before connecting again, at most." },
	{ "redis.tls.enabled", "false", BOOL, AT(redis.tls.enabled),
		.help = "Use TLS from the first byte. The server's certificate is checked." },
	{ "redis.tls.ca", "", FILE_TO_READ, AT(redis.tls.ca),
		.help = "PEM file with the authorities to trust. Not set: the system's." },
	{ "redis.tls.certificate", "", FILE_TO_READ, AT(redis.tls.certificate),
		.help = "PEM file with our certificate, if Redis asks for one." },
	{ "redis.tls.key", "", SECRET, AT(redis.tls.key), .help = "PEM file with its key." },
	{ "redis.tls.server_name", "", HOST, AT(redis.tls.server_name),
		.help = "Name in the server's certificate. Not set: the host that is connected to." },

	{ "lease.ttl", "5s", DURATION(1 * SECONDS, 5 * MINUTES), AT(lease.ttl_ms),
		.help = "A node that does not renew for this long is dead. The same on all nodes." },
	{ "lease.renew", "1s", DURATION(100 * MS, 1 * MINUTES), AT(lease.renew_ms),
		.help = "How often a node renews." },
	{ "lease.margin", "500ms", DURATION(50 * MS, 1 * MINUTES), AT(lease.margin_ms),
		.help = "How much earlier a node stops trusting its own lease, for clocks that run "
			"unevenly." },

	{ "cluster.key_file", "", SECRET, AT(cluster.key_file),
		.help = "File with the key that seals what is secret in Redis, the same on all nodes; a "
			"second line holds the previous key." },
	{ "cluster.takeovers_max", "5", INTEGER(1, 100), AT(cluster.takeovers_max),
		.help = "A message taken over from crashed nodes more often than this goes into "
			"quarantine." },
	{ "cluster.claim_batch", "100", INTEGER(1, 100), AT(cluster.claim_batch),
		.help = "Messages without an owner that a node takes at once, per shard." },
	{ "cluster.claim_interval", "500ms", DURATION(10 * MS, 1 * MINUTES), AT(cluster.claim_interval_ms),
		.help = "How often a node looks for them." },

	{ "limits.message_size", "50MiB", SIZE(64 * KIB, 1 * GIB), AT(limits.message_size), RELOADABLE,
		.help = "Largest message, header included. Announced by SIZE." },
	{ "limits.recipients", "1000", INTEGER(100, 10000), AT(limits.recipients), RELOADABLE,
		.help = "Recipients of one message." },
	{ "limits.command_line", "4KiB", SIZE(1 * KIB, 64 * KIB), AT(limits.command_line), RELOADABLE,
		.help = "Longest command line." },
	{ "limits.header_size", "256KiB", SIZE(4 * KIB, 4 * MIB), AT(limits.header_size), RELOADABLE,
		.help = "Largest header of a message." },
	{ "limits.hops", "100", INTEGER(10, 1000), AT(limits.hops), RELOADABLE,
		.help = "Received fields that a message may have: more is a loop." },
	{ "limits.errors", "20", INTEGER(1, 1000), AT(limits.errors), RELOADABLE,
		.help = "Refused or wrong commands in a session before it is closed." },
	{ "limits.connections", "10000", INTEGER(1, 1000000), AT(limits.connections), RELOADABLE,
		.help = "SMTP clients connected to this node at once." },
	{ "limits.connections_per_client", "1000", INTEGER(1, 1000000), AT(limits.connections_per_client),
		RELOADABLE, .help = "From one client, in the whole cluster. An IPv6 client is its /64." },
	{ "limits.connections_out", "500", INTEGER(1, 100000), AT(limits.connections_out), RELOADABLE,
		.help = "Per worker, to all next hops together." },
	{ "limits.messages_per_connection", "100000", INTEGER(1, 1000000000),
		AT(limits.messages_per_connection), RELOADABLE, .help = "Messages in one session." },
	{ "limits.redis_wait", "300ms", DURATION(10 * MS, 10 * SECONDS), AT(limits.redis_wait_ms),
		.help = "A limit of the policy waits so long for Redis; then the node's own share decides." },
	{ "limits.counters", "100000", INTEGER(100, 10000000), AT(limits.counters),
		.help = "Counters of limits that the node keeps while Redis is away; as many of failed "
			"logins." },
	{ "limits.bans", "10000", INTEGER(100, 1000000), AT(limits.bans),
		.help = "Banned clients that the node remembers." },
	{ "limits.next_hops", "10000", INTEGER(100, 1000000), AT(limits.next_hops),
		.help = "Next hops in trouble that the node remembers." },
	{ "limits.metric_names", "200", INTEGER(10, 1000), AT(limits.metric_names),
		.help = "Routes, and limits, that metrics tell apart by name; what is more counts as "
			"other." },
	{ "limits.handshake_timeout", "30s", DURATION(100 * MS, 10 * MINUTES),
		AT(limits.handshake_timeout_ms), RELOADABLE,
		.help = "PROXY header and TLS handshake, each." },
	{ "limits.idle_timeout", "5m", DURATION(100 * MS, 1 * HOURS), AT(limits.idle_timeout_ms), RELOADABLE,
		.help = "Nothing comes from the client for this long, between commands or within a "
			"message." },
	{ "limits.data_timeout", "30m", DURATION(100 * MS, 1 * DAYS), AT(limits.data_timeout_ms), RELOADABLE,
		.help = "From the start of a message's data to its end." },

	{ "memory.body", "256KiB", SIZE(4 * KIB, 16 * MIB), AT(memory.body),
		.help = "A message larger than this goes to a file as it arrives." },
	{ "memory.budget", "256MiB", SIZE(8 * MIB, 1 * TIB), AT(memory.budget),
		.help = "Memory for messages, of all workers. When it is used up, new mail is answered "
			"452." },
	{ "memory.high_percent", "80", INTEGER(10, 100), AT(memory.high_percent),
		.help = "Part of the budget above which clients in the middle of a message have to wait." },

	{ "journal.segment_size", "64MiB", SIZE(1 * MIB, 1 * GIB), AT(journal.segment_size),
		.help = "Size of one file of the journal." },
	{ "journal.size_max", "16GiB", SIZE(8 * MIB, 64 * TIB), AT(journal.size_max),
		.help = "Size of the journal of all workers. When it is full, new mail is answered 452." },
	{ "journal.disk_free_min", "256MiB", SIZE(0, 1 * TIB), AT(journal.disk_free_min), RELOADABLE,
		.help = "With less free space in the spool the node takes no new mail." },
	{ "journal.salvage", "false", BOOL, AT(journal.salvage),
		.help = "For one start after damage was told: keep what can be read, put damaged files "
			"aside." },

	{ "smtp.bare_newline", "refuse", ENUM(bare_newline_names), AT(smtp.bare_newline), RELOADABLE,
		.help = "A CR or LF alone in a message: refuse it, or normalise it to CRLF on the way in." },
	{ "smtp.utf8", "true", BOOL, AT(smtp.utf8), RELOADABLE, .help = "Offer SMTPUTF8." },
	{ "smtp.chunking", "true", BOOL, AT(smtp.chunking), RELOADABLE, .help = "Offer CHUNKING (BDAT)." },
	{ "smtp.requiretls", "true", BOOL, AT(smtp.requiretls), RELOADABLE,
		.help = "Offer REQUIRETLS once TLS is on: such mail goes on by TLS all the way, or comes "
			"back." },
	{ "smtp.mt_priority", "true", BOOL, AT(smtp.mt_priority), RELOADABLE,
		.help = "Offer MT-PRIORITY: what has a higher priority goes before the rest." },
	{ "smtp.priority_from", "", NETWORKS, AT(smtp.priority_from), RELOADABLE,
		.help = "Networks whose hosts may ask for more than 0 without authentication." },
	{ "smtp.deliverby", "true", BOOL, AT(smtp.deliverby), RELOADABLE,
		.help = "Offer DELIVERBY: mail that is not delivered in the time that it gives comes back, "
			"or is reported." },

	{ "auth.backends", "", STRINGS(4), AT(auth.backends),
		.help = "Who knows users: ldap, file, winbind, kerberos. Passwords are asked about in this "
			"order." },
	{ "auth.mechanisms", "", STRINGS(8), AT(auth.mechanisms),
		.help = "What is offered, as in [PLAIN, LOGIN]. Not set: all that the back ends can do." },
	{ "auth.channel_binding", "accept", ENUM(channel_binding_names), AT(auth.channel_binding),
		.help = "accept refuses a wrong one; require also none; off: TLS ends before this node." },
	{ "auth.timeout", "10s", DURATION(500 * MS, 1 * MINUTES), AT(auth.timeout_ms), RELOADABLE,
		.help = "A back end that does not answer for this long: the client hears 454." },
	{ "auth.session_age", "5m", DURATION(0, 1 * DAYS), AT(auth.session_age_ms), RELOADABLE,
		.help = "Whoever authenticated longer ago has to connect again (421) for the next "
			"message. 0s: never." },
	{ "auth.cache.password", "2m", DURATION(0, 1 * HOURS), AT(auth.cache.password_ttl_ms), RELOADABLE,
		.help = "How long a password that was right is not asked about again. 0s: not at all." },
	{ "auth.cache.identity", "1m", DURATION(1 * SECONDS, 1 * HOURS), AT(auth.cache.identity_ttl_ms),
		RELOADABLE, .help = "How long groups, addresses and state of an account count as known." },
	{ "auth.cache.wrong", "1m", DURATION(0, 1 * HOURS), AT(auth.cache.wrong_ttl_ms), RELOADABLE,
		.help = "How long the same wrong password is refused without asking, so that it locks no "
			"account." },
	{ "auth.cache.entries", "10000", INTEGER(100, 1000000), AT(auth.cache.entries), RELOADABLE,
		.help = "How many of each are remembered." },
	{ "auth.ldap.servers", "", STRINGS(16), AT(auth.ldap.servers),
		.help = "URIs of domain controllers, in order of preference: ldaps://dc1.example.com." },
	{ "auth.ldap.start_tls", "false", BOOL, AT(auth.ldap.start_tls),
		.help = "Servers are ldap:// and TLS begins with StartTLS. Nothing goes in clear." },
	{ "auth.ldap.ca", "", FILE_TO_READ, AT(auth.ldap.ca),
		.help = "PEM file with the authorities that servers' certificates come from." },
	{ "auth.ldap.bind_dn", "", TEXT(512), AT(auth.ldap.bind_dn), .help = "The account that searches." },
	{ "auth.ldap.password_file", "", SECRET, AT(auth.ldap.password_file),
		.help = "File that holds its password and nothing else." },
	{ "auth.ldap.bind_secret", "", NAME(128), AT(auth.ldap.bind_secret),
		.help = "In place of the file: name of the cluster's secret that is its password, followed "
			"as it changes. `skeinctl secret set`." },
	{ "auth.ldap.base", "", TEXT(512), AT(auth.ldap.base),
		.help = "Where users and groups are: DC=example,DC=com." },
	{ "auth.ldap.domain", "", NAME(15), AT(auth.ldap.domain),
		.help = "NetBIOS name of the domain, as clients write it before a backslash." },
	{ "auth.ldap.realm", "", DOMAIN, AT(auth.ldap.realm),
		.help = "DNS name of the domain. Users are known as account@realm." },
	{ "auth.ldap.timeout", "3s", DURATION(100 * MS, 1 * MINUTES), AT(auth.ldap.timeout_ms),
		.help = "Connection, handshake and each answer of one server; then the next is tried." },
	{ "auth.ldap.threads", "4", INTEGER(1, 64), AT(auth.ldap.threads),
		.help = "Questions to the directory at once, each with connections of its own." },
	{ "auth.ldap.queue", "200", INTEGER(1, 100000), AT(auth.ldap.queue),
		.help = "Questions that may wait; more are answered 454." },
	{ "auth.file.path", "", SECRET, AT(auth.file.path),
		.help = "File of local users, read again when it changes." },
	{ "auth.file.threads", "2", INTEGER(1, 64), AT(auth.file.threads),
		.help = "Password hashes that are computed at once; for Kerberos tickets, too." },
	{ "auth.file.queue", "200", INTEGER(1, 100000), AT(auth.file.queue),
		.help = "How many may wait; more are answered 454." },
	{ "auth.winbind.threads", "2", INTEGER(1, 64), AT(auth.winbind.threads),
		.help = "NTLM checks at once: not more than smb.conf's winbind max domain connections." },
	{ "auth.winbind.queue", "100", INTEGER(1, 100000), AT(auth.winbind.queue),
		.help = "How many may wait; more are answered 454." },
	{ "auth.kerberos.keytab", "", SECRET, AT(auth.kerberos.keytab),
		.help = "Keys of smtp/ and SMTPSVC/, and of nothing else." },

	{ "admin.listen", "", LISTEN, AT(admin.listen),
		.help = "HTTP for health and metrics, without authentication. Not set: none." },

	{ "log.format", "text", ENUM(log_format_names), AT(log.format),
		.help = "text or json, a line per event." },
	{ "log.level", "info", ENUM(log_level_names), AT(log.level), RELOADABLE,
		.help = "The least important lines that are written." },
	{ "log.file", "", PATH, AT(log.file), .help = "Opened anew on SIGHUP. Not set: standard error." },

	{ "tracking.file", "", PATH, AT(tracking.file),
		.help = "Folder for what happens to sessions and messages; off: none. Not set: tracking in "
			"the spool." },
	{ "tracking.format", "json", ENUM(track_format_names), AT(tracking.format),
		.help = "json, or w3c: W3C extended format, with columns as the SMTP service of IIS wrote "
			"them." },
	{ "tracking.rotate_size", "64MiB", SIZE(64 * KIB, 16 * GIB), AT(tracking.rotate_size), RELOADABLE,
		.help = "A file of this size is put aside and a new one begun; so is one of another day "
			"(UTC)." },
	{ "tracking.keep_days", "30", INTEGER(0, 36500), AT(tracking.keep_days), RELOADABLE,
		.help = "Files put aside that are older are removed. 0: never." },
	{ "tracking.keep_size", "1GiB", SIZE(0, 1 * TIB), AT(tracking.keep_size), RELOADABLE,
		.help = "Files put aside take no more than this; the oldest go first." },
	{ "tracking.redact", "none", ENUM(track_redact_names), AT(tracking.redact),
		.help = "Of addresses and users: none, masked (j***@example.net), hashed (needs "
			"redact_key_file)." },
	{ "tracking.redact_key_file", "", SECRET, AT(tracking.redact_key_file),
		.help = "One line that hashes are made with; the same on all nodes." },
	{ "tracking.hooks", "", SECTIONS(hook_table, 0, 8), AT(tracking.hooks), RELOADABLE,
		.help = "Who is told of events: webhooks and collectors of syslog." },

	{ "tracking.cluster", "true", BOOL, AT(tracking.cluster),
		.help = "Into Redis too, for `skeinctl trace` and `log`." },
	{ "tracking.cluster_size", "256MiB", SIZE(64 * KIB, 64 * GIB), AT(tracking.cluster_size), RELOADABLE,
		.help = "What events of all nodes take in Redis at most; the oldest go first." },
	{ "tracking.cluster_age", "30d", DURATION(60 * SECONDS, 3660 * DAYS), AT(tracking.cluster_age_ms),
		RELOADABLE, .help = "Older ones are removed from Redis." },
	{ "tracking.cluster_queue", "16MiB", SIZE(1 * MIB, 4 * GIB), AT(tracking.cluster_queue), RELOADABLE,
		.help = "Memory for those that wait while Redis is away; the oldest are dropped." },

	{ "dns_watch.interval", "1d", DURATION(0, 30 * DAYS), AT(dns_watch.interval_ms),
		.help = "How often the leader checks them, as `skeinctl dns check` does. 0s: never." },
	{ "dns_watch.domains", "", STRINGS(100), AT(dns_watch.domains),
		.help = "Domains that are checked besides those that the policy signs for." },
	{ "dns_watch.egress", "", STRINGS(64), AT(dns_watch.egress),
		.help = "Addresses that the cluster sends from. Not set: SPF and reverse DNS are not "
			"judged." },

	{ "alerts.interval", "5s", DURATION(100 * MS, 5 * MINUTES), AT(alerts.interval_ms),
		.help = "How often nodes tell Redis what they have counted, and the leader looks at it." },

	{ "tls_reports.from", "", STRING(320), AT(tls_reports.from),
		.help = "Address that reports come from, of a domain that the policy signs for. Not set: no "
			"reports." },
	{ "tls_reports.organization", "", TEXT(128), AT(tls_reports.organization),
		.help = "Who reports. Not set: the domain of tls_reports.from." },
	{ "tls_reports.contact", "", STRING(320), AT(tls_reports.contact),
		.help = "Address for questions about a report. Not set: tls_reports.from." },
	{ "tls_reports.delay", "4h", DURATION(0, 12 * HOURS), AT(tls_reports.delay_ms),
		.help = "Reports leave at a random time up to so long after the end of the day (UTC)." },
	{ "tls_reports.interval", "20s", DURATION(1 * SECONDS, 1 * HOURS), AT(tls_reports.interval_ms),
		.help = "How often nodes bring their counts to Redis, and the leader looks for what is "
			"due." },

	{ "drain.timeout", "30s", DURATION(0, 1 * HOURS), AT(drain.timeout_ms), RELOADABLE,
		.help = "How long a drain may take, from the end of drain.notice; what is left then is cut "
			"off." },
	{ "drain.notice", "3s", DURATION(0, 5 * MINUTES), AT(drain.notice_ms), RELOADABLE,
		.help = "How long a node goes on as usual after /readyz says draining; with admin.listen "
			"only." },
	{ "drain.linger", "10s", DURATION(0, 1 * HOURS), AT(drain.linger_ms), RELOADABLE,
		.help = "Sessions may send further messages for so long, or half of drain.timeout if that is "
			"less." },
};

const struct setting_table schema = { rows, ARRAY_LEN(rows), sizeof(struct settings) };

static const struct setting_group groups[] = {
	{ "node", "This node." },
	{ "listeners", "At least one is needed." },
	{ "tls", "TLS of the listeners." },
	{ "tls.certificates", "For a name both RSA and ECDSA may be here: the client's abilities decide." },
	{ "relay", "Who may send mail through this node." },
	{ "policy", "The rules by which clients are judged; see docs/policy.md." },
	{ "route", "How mail leaves." },
	{ "dns_watch",
		"What the domains publish that the cluster sends for; see docs/dns.md. The same on all "
		"nodes: whichever leads goes by its own." },
	{ "alerts",
		"What an administrator is told of by itself; which alerts, and how, is in the policy: see "
		"docs/alerts.md. The same on all nodes." },
	{ "tls_reports",
		"Daily reports to domains that ask for them (RFC 8460); see docs/delivery.md. The same "
		"on all nodes." },
	{ "route.next_hops", "For mail that no route of the policy takes. May be left out where a policy has "
			     "routes for all mail." },
	{ "route.timeout", "How long to wait for a next hop (RFC 5321, section 4.5.3.2)." },
	{ "route.breaker", "A next hop that cannot be reached is left alone for a while." },
	{ "dns", "How names are looked up when mail leaves. /etc/hosts counts too." },
	{ "inspect", "What the policy has looked at in mail that comes in: see its `inspect`." },
	{ "retry", "When a message is tried again, and when no longer." },
	{ "redis", "The cluster's memory." },
	{ "redis.tls", "TLS to Redis." },
	{ "lease", "How the cluster sees that a node is dead." },
	{ "cluster", "How mail moves between nodes." },
	{ "limits", "What one client can make this node do." },
	{ "memory", "What messages may take." },
	{ "journal", "This node's own copy of every message that it is responsible for." },
	{ "smtp", "What is offered and allowed." },
	{ "auth", "How clients prove who they are. AUTH is offered under TLS only." },
	{ "auth.cache", "What was found out a moment ago. Only a keyed hash of a password is kept." },
	{ "auth.ldap", "Active Directory." },
	{ "auth.file", "Users of this relay alone." },
	{ "auth.winbind", "NTLM, through the winbindd of this machine, which is joined to the domain." },
	{ "auth.kerberos", "GSSAPI: Kerberos tickets." },
	{ "admin", "For balancers and monitoring." },
	{ "log", "What the node tells." },
	{ "tracking", "What happens to each session and message, step by step; see docs/tracking.md." },
	{ "tracking.hooks", "Receivers outside, told of events as they happen; see docs/tracking.md." },
	{ "drain", "Clean shutdown." },
};

const char *schema_group_help(struct span path)
{
	for (size_t i = 0; i < ARRAY_LEN(groups); i++)
		if (span_eq(span_of_str(groups[i].path), path))
			return groups[i].help;
	return NULL;
}
