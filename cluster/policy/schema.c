#include "policy/policy_internal.h"

#include "skein/cluster/secret.h"

#include <stddef.h>

#define MS      1ull
#define SECONDS (1000 * MS)
#define MINUTES (60 * SECONDS)
#define HOURS   (60 * MINUTES)
#define DAYS    (24 * HOURS)
#define GIB     (1ull << 30)

#define AT(field)             .offset = offsetof(struct policy_text, field)
#define IN_LIST(field)        .offset = offsetof(struct named_list, field)
#define IN_LIMIT(field)       .offset = offsetof(struct limit_text, field)
#define IN_RULE(field)        .offset = offsetof(struct rule_text, field)
#define IN_CREDENTIALS(field) .offset = offsetof(struct credentials_text, field)
#define IN_TARGET(field)      .offset = offsetof(struct target_text, field)
#define IN_FIELD(field)       .offset = offsetof(struct field_text, field)
#define IN_ROUTE(field)       .offset = offsetof(struct route_text, field)
#define IN_SIGN(field)        .offset = offsetof(struct sign_text, field)
#define IN_FILTER(field)      .offset = offsetof(struct filter_text, field)
#define IN_INSPECTION(field)  .offset = offsetof(struct inspection_text, field)
#define IN_CHANNEL(field)     .offset = offsetof(struct alert_channel_text, field)
#define IN_ALERT(field)       .offset = offsetof(struct alert_rule_text, field)
#define NAME                  .type = SETTING_NAME, .max = LIMIT_NAME_MAX
#define STRING                .type = SETTING_STRING, .max = 64
#define STRINGS               .type = SETTING_STRINGS, .max = POLICY_ITEMS_MAX
#define TEXT(high)            .type = SETTING_TEXT, .max = (high)
#define DOMAIN                .type = SETTING_DOMAIN, .max = 253
#define SECRET                .type = SETTING_NAME, .max = SECRET_NAME_MAX
#define BOOL                  .type = SETTING_BOOL
#define INTEGER(low, high)    .type = SETTING_INTEGER, .min = (low), .max = (high)
#define DURATION(low, high)   .type = SETTING_DURATION, .min = (low), .max = (high)
#define ENUM(array)           .type = SETTING_ENUM, .names = (array), .name_count = ARRAY_LEN(array)
#define NAMED(table, high)    .type = SETTING_NAMED, .items = &(table), .max = (high)
#define SECTIONS(table, high) .type = SETTING_SECTIONS, .items = &(table), .max = (high)

static const char *const tls_names[] = {
	[TLS_EITHER] = "either",
	[TLS_NEVER] = "none",
	[TLS_ANY] = "any",
	[TLS_1_3] = "1.3",
};
static const char *const effect_names[] = {
	[POLICY_EFFECT_ALLOW] = "allow",
	[POLICY_EFFECT_DENY] = "deny",
	[POLICY_EFFECT_REQUIRE_AUTH] = "require-auth",
	[POLICY_EFFECT_REQUIRE_TLS] = "require-tls",
};

static const struct setting_row list_rows[] = {
	{ "name", NULL, NAME, IN_LIST(name), .help = "What rules call it: list:NAME." },
	{ "networks", "", STRINGS, IN_LIST(networks), .help = "Networks and addresses." },
	{ "addresses", "", STRINGS, IN_LIST(addresses), .help = "Mail addresses, domains and patterns." },
};
static const struct setting_table list_table = { list_rows, ARRAY_LEN(list_rows), sizeof(struct named_list) };

static const struct setting_row limit_rows[] = {
	{ "name", NULL, NAME, IN_LIMIT(name), .help = "What rules call it." },
	{ "key", NULL, ENUM(limit_key_names), IN_LIMIT(key), .help = "What has a counter of its own." },
	{ "count", "messages", ENUM(limit_unit_names), IN_LIMIT(unit), .help = "What is counted." },
	{ "rate", NULL, STRING, IN_LIMIT(rate.rate),
		.help = "How much in which time: 100/min, 14/s, 10GiB/day." },
	{ "burst", "", STRING, IN_LIMIT(rate.burst),
		.help = "How much at once. Not set: as much as the rate says." },
	{ "action", "defer", ENUM(limit_action_names), IN_LIMIT(action), .help = "What is done above it." },
	{ "global", "false", BOOL, IN_LIMIT(is_global),
		.help = "Holds for all clients, whatever their rule." },
};
static const struct setting_table limit_table = { limit_rows, ARRAY_LEN(limit_rows),
	sizeof(struct limit_text) };

static const struct setting_row rule_rows[] = {
	{ "name", "", NAME, IN_RULE(name), .help = "What the log and skeinctl call it." },
	{ "comment", "", TEXT(512), IN_RULE(comment), .help = "Why it is there." },
	{ "match.network", "", STRINGS, IN_RULE(match.network), .help = "Where the client is." },
	{ "match.listener", "", STRINGS, IN_RULE(match.listener), .help = "Names of listeners." },
	{ "match.tls", "either", ENUM(tls_names), IN_RULE(match.tls), .help = "none, any or 1.3." },
	{ "match.certificate", "", STRINGS, IN_RULE(match.certificate),
		.help = "Subject of the client's certificate, or sha256: and its fingerprint." },
	{ "match.user", "", STRINGS, IN_RULE(match.user), .help = "Who has authenticated; '*': anybody." },
	{ "match.group", "", STRINGS, IN_RULE(match.group), .help = "Groups of the directory." },
	{ "match.helo", "", STRINGS, IN_RULE(match.helo), .help = "The name in EHLO." },
	{ "effect", NULL, ENUM(effect_names), IN_RULE(effect),
		.help = "allow, deny, require-auth or require-tls." },
	{ "senders", "", STRINGS, IN_RULE(senders), .help = "Allowed senders. Not set: any." },
	{ "recipients", "", STRINGS, IN_RULE(recipients), .help = "Allowed recipients. Not set: any." },
	{ "size", "0B", .type = SETTING_SIZE, .max = GIB, IN_RULE(size), .help = "Largest message." },
	{ "limits", "", STRINGS, IN_RULE(limits), .help = "Names of limits." },
};
static const struct setting_table rule_table = { rule_rows, ARRAY_LEN(rule_rows), sizeof(struct rule_text) };

static const struct setting_row credentials_rows[] = {
	{ "name", NULL, NAME, IN_CREDENTIALS(name), .help = "What routes call them." },
	{ "mechanism", "auto", ENUM(route_mechanism_names), IN_CREDENTIALS(mechanism),
		.help = "auto, plain, login or xoauth2." },
	{ "user", NULL, TEXT(255), IN_CREDENTIALS(user), .help = "Who logs in." },
	{ "secret", NULL, SECRET, IN_CREDENTIALS(secret),
		.help = "Name of the secret with the password, or with that of the OAuth client." },
	{ "token_url", "", .type = SETTING_STRING, .max = 2000, IN_CREDENTIALS(token_url),
		.help = "Where tokens come from (OAuth 2, client credentials)." },
	{ "client_id", "", .type = SETTING_STRING, .max = 512, IN_CREDENTIALS(client_id),
		.help = "The client there." },
	{ "scope", "", TEXT(1000), IN_CREDENTIALS(scope), .help = "What the token is asked for." },
};
static const struct setting_table credentials_table = { credentials_rows, ARRAY_LEN(credentials_rows),
	sizeof(struct credentials_text) };

static const struct setting_row target_rows[] = {
	{ "host", "", .type = SETTING_HOST, .max = 253, IN_TARGET(host), .help = "A name or an address." },
	{ "mx", "", DOMAIN, IN_TARGET(mx), .help = "The MX hosts of this domain." },
	{ "srv", "", .type = SETTING_STRING, .max = 253, IN_TARGET(srv),
		.help = "The hosts of this SRV record." },
	{ "direct", "false", BOOL, IN_TARGET(is_direct), .help = "The MX hosts of the recipient's domain." },
	{ "port", "25", INTEGER(1, 65535), IN_TARGET(port),
		.help = "TCP port. Not set: 25, or 465 with tls_first." },
	{ "tls", "may", ENUM(route_tls_names), IN_TARGET(tls),
		.help = "none, may, encrypt, verify, dane, dane-only, mta-sts or auto. Not set: may; with "
			"direct: auto." },
	{ "tls_first", "false", BOOL, IN_TARGET(has_tls_first), .help = "TLS from the first byte." },
	{ "tls_name", "", DOMAIN, IN_TARGET(tls_name),
		.help = "What the certificate must be good for. Not set: the host's name." },
	{ "credentials", "", NAME, IN_TARGET(credentials), .help = "How to log in there." },
	{ "weight", "1", INTEGER(1, 1000), IN_TARGET(weight),
		.help = "Share of the messages, with order: weighted." },
};
static const struct setting_table target_table = { target_rows, ARRAY_LEN(target_rows),
	sizeof(struct target_text) };

static const struct setting_row field_rows[] = {
	{ "name", NULL, .type = SETTING_STRING, .max = 70, IN_FIELD(name), .help = "Of the header field." },
	{ "value", NULL, TEXT(900), IN_FIELD(value), .help = "What it says." },
};
static const struct setting_table field_table = { field_rows, ARRAY_LEN(field_rows),
	sizeof(struct field_text) };

/* Defaults and bounds are those of the node's settings route and retry. */
static const struct setting_row route_rows[] = {
	{ "name", "", .type = SETTING_NAME, .max = ROUTE_NAME_MAX, IN_ROUTE(name),
		.help = "What the log, the metrics and skeinctl call it." },
	{ "comment", "", TEXT(512), IN_ROUTE(comment), .help = "Why it is there." },
	{ "match.recipient", "", STRINGS, IN_ROUTE(match.recipient),
		.help = "Recipients that it takes. Not set: all." },
	{ "match.sender", "", STRINGS, IN_ROUTE(match.sender),
		.help = "Senders whose mail it takes. Not set: all." },
	{ "match.client", "", STRINGS, IN_ROUTE(match.client),
		.help = "Rules of clients whose mail it takes. Not set: all." },
	{ "to", "", SECTIONS(target_table, ROUTE_TARGETS_MAX), IN_ROUTE(to), .help = "Where it goes." },
	{ "order", "listed", ENUM(route_order_names), IN_ROUTE(order),
		.help = "listed (the next while those before it are down) or weighted." },
	{ "connections", "4", INTEGER(1, 100), IN_ROUTE(connections),
		.help = "Connections per worker to one host, at most." },
	{ "cluster_connections", "0", INTEGER(0, 100000), IN_ROUTE(cluster_connections),
		.help = "Connections of all nodes, at most. 0: no bound." },
	{ "rate", "", STRING, IN_ROUTE(rate.rate),
		.help = "Messages of all nodes in which time: 14/s. Mail waits for it. Not set: any." },
	{ "burst", "", STRING, IN_ROUTE(rate.burst),
		.help = "How many at once. Not set: as many as the rate says." },
	{ "messages_per_connection", "1000", INTEGER(1, 1000000), IN_ROUTE(messages_per_connection),
		.help = "Messages sent on one connection before it is closed." },
	{ "recipients_max", "100", INTEGER(1, 10000), IN_ROUTE(recipients_max),
		.help = "Recipients in one transaction. More are sent in several." },
	{ "priority", "5", INTEGER(0, ROUTE_PRIORITY_MAX), IN_ROUTE(priority),
		.help = "Where several routes wait, the higher goes first." },
	{ "chunking", "true", BOOL, IN_ROUTE(is_chunking),
		.help = "BDAT (RFC 3030) where the hop offers CHUNKING and PIPELINING." },
	{ "cut_through", "false", BOOL, IN_ROUTE(is_cut_through),
		.help = "Pass it on while the client waits." },
	{ "timeout.connect", "30s", DURATION(100 * MS, 10 * MINUTES), IN_ROUTE(timeout.connect_ms),
		.help = "TCP connection and TLS handshake, each." },
	{ "timeout.greeting", "5m", DURATION(100 * MS, 1 * HOURS), IN_ROUTE(timeout.greeting_ms),
		.help = "The greeting." },
	{ "timeout.command", "5m", DURATION(100 * MS, 1 * HOURS), IN_ROUTE(timeout.command_ms),
		.help = "The answer to EHLO, STARTTLS, AUTH, MAIL, RCPT or RSET." },
	{ "timeout.data", "2m", DURATION(100 * MS, 1 * HOURS), IN_ROUTE(timeout.data_ms),
		.help = "The answer to DATA." },
	{ "timeout.body", "3m", DURATION(100 * MS, 1 * HOURS), IN_ROUTE(timeout.body_ms),
		.help = "The host takes no byte of the message for this long." },
	{ "timeout.dot", "10m", DURATION(100 * MS, 1 * HOURS), IN_ROUTE(timeout.dot_ms),
		.help = "The answer to the end of the message." },
	{ "timeout.quit", "10s", DURATION(100 * MS, 10 * MINUTES), IN_ROUTE(timeout.quit_ms),
		.help = "The answer to QUIT." },
	{ "retry.first", "1m", DURATION(100 * MS, 1 * DAYS), IN_ROUTE(retry.first_ms),
		.help = "Wait before the second try. Doubles with each further one." },
	{ "retry.max", "1h", DURATION(100 * MS, 2 * DAYS), IN_ROUTE(retry.max_ms),
		.help = "Wait between two tries, at most." },
	{ "retry.expire", "5d", DURATION(1 * SECONDS, 60 * DAYS), IN_ROUTE(retry.expire_ms),
		.help = "Age at which a message is given up and its sender told." },
	{ "retry.warn", "4h", DURATION(0, 60 * DAYS), IN_ROUTE(retry.warn_ms),
		.help = "Age at which the sender is told of the delay. 0s: never." },
	{ "breaker.failures", "5", INTEGER(1, 1000), IN_ROUTE(breaker.failures),
		.help = "Failed connections in a row after which a host is left alone." },
	{ "breaker.pause_first", "5s", DURATION(100 * MS, 1 * HOURS), IN_ROUTE(breaker.pause_first_ms),
		.help = "For how long, the first time. Doubles each time the next try fails." },
	{ "breaker.pause_max", "5m", DURATION(100 * MS, 1 * DAYS), IN_ROUTE(breaker.pause_max_ms),
		.help = "For how long, at most." },
	{ "rewrite.remove", "", .type = SETTING_STRINGS, .max = ROUTE_FIELDS_MAX, IN_ROUTE(rewrite.remove),
		.help = "Header fields to leave out." },
	{ "rewrite.add", "", SECTIONS(field_table, ROUTE_FIELDS_MAX), IN_ROUTE(rewrite.add),
		.help = "Header fields to put in front." },
	{ "rewrite.from_domain", "", DOMAIN, IN_ROUTE(rewrite.from_domain),
		.help = "The domain of From and Sender becomes this." },
	{ "rewrite.sender_domain", "", DOMAIN, IN_ROUTE(rewrite.sender_domain),
		.help = "The domain of the envelope's sender becomes this." },
	{ "rewrite.return_path", "keep", ENUM(route_return_path_names), IN_ROUTE(rewrite.return_path),
		.help = "keep, srs or verp." },
	{ "rewrite.return_domain", "", DOMAIN, IN_ROUTE(rewrite.return_domain),
		.help = "The domain of return paths, whose mail comes here." },
	{ "rewrite.return_secret", "", SECRET, IN_ROUTE(rewrite.return_secret),
		.help = "Name of the secret that SRS signs with." },
};
static const struct setting_table route_table = { route_rows, ARRAY_LEN(route_rows),
	sizeof(struct route_text) };

static const char *const sign_by_names[] = {
	[POLICY_SIGN_BY_AUTHOR] = "author",
	[POLICY_SIGN_BY_SENDER] = "sender",
};
static const char *const sign_form_names[] = {
	[SIGN_RELAXED_RELAXED] = "relaxed/relaxed",
	[SIGN_RELAXED_SIMPLE] = "relaxed/simple",
	[SIGN_SIMPLE_RELAXED] = "simple/relaxed",
	[SIGN_SIMPLE_SIMPLE] = "simple/simple",
};
static const struct setting_row sign_rows[] = {
	{ "domain", NULL, DOMAIN, IN_SIGN(domain), .help = "The domain that signs." },
	{ "subdomains", "false", BOOL, IN_SIGN(subdomains), .help = "It signs for all below it too." },
	{ "by", "author", ENUM(sign_by_names), IN_SIGN(by),
		.help = "author: the domain in From. sender: else that of the envelope's sender." },
	{ "selectors", "", STRINGS, IN_SIGN(selectors),
		.help = "Of the domain's active keys these sign. Not set: all." },
	{ "headers", "", STRINGS, IN_SIGN(headers),
		.help = "Header fields to sign. Not set: the usual ones." },
	{ "identity", "", .type = SETTING_STRING, .max = 320, IN_SIGN(identity),
		.help = "An address for i=. Not set: none." },
	{ "expire", "0s", DURATION(0, 365 * DAYS), IN_SIGN(expire_ms),
		.help = "A signature holds that long. 0s: for ever." },
	{ "canonicalization", "relaxed/relaxed", ENUM(sign_form_names), IN_SIGN(form),
		.help = "What a signature forgives, of header and body." },
};
static const struct setting_table sign_table = { sign_rows, ARRAY_LEN(sign_rows), sizeof(struct sign_text) };

static const struct setting_row filter_rows[] = {
	{ "name", NULL, .type = SETTING_NAME, .max = INSPECTION_NAME_MAX, IN_FILTER(name),
		.help = "What entries of inspect call it." },
	{ "host", "", .type = SETTING_HOST, .max = 253, IN_FILTER(host),
		.help = "Where the milter listens: a name or an address." },
	{ "port", "0", INTEGER(0, 65535), IN_FILTER(port), .help = "TCP port, with host." },
	{ "socket", "", .type = SETTING_PATH, .max = INSPECTION_PATH_MAX, IN_FILTER(socket),
		.help = "Path of its Unix socket, instead of host and port." },
	{ "connect", "5s", DURATION(100 * MS, 10 * MINUTES), IN_FILTER(connect_ms),
		.help = "Until it has been reached." },
	{ "answer", "30s", DURATION(100 * MS, 10 * MINUTES), IN_FILTER(answer_ms),
		.help = "Each of its answers." },
	{ "total", "2m", DURATION(100 * MS, 10 * MINUTES), IN_FILTER(total_ms),
		.help = "All that it does with one message." },
	{ "on_error", "defer", ENUM(inspection_trouble_names), IN_FILTER(on_error),
		.help = "What becomes of a message when it does not answer: accept, defer or reject." },
};
static const struct setting_table filter_table = { filter_rows, ARRAY_LEN(filter_rows),
	sizeof(struct filter_text) };

static const char *const dns_trouble_names[] = {
	[INSPECTION_TROUBLE_ACCEPT] = "accept",
	[INSPECTION_TROUBLE_DEFER] = "defer",
};
static const struct setting_row inspection_rows[] = {
	{ "name", "", .type = SETTING_NAME, .max = INSPECTION_NAME_MAX, IN_INSPECTION(name),
		.help = "What the log and skeinctl call it." },
	{ "comment", "", TEXT(512), IN_INSPECTION(comment), .help = "Why it is there." },
	{ "match.network", "", STRINGS, IN_INSPECTION(match.network), .help = "Where the client is." },
	{ "match.listener", "", STRINGS, IN_INSPECTION(match.listener), .help = "Names of listeners." },
	{ "match.tls", "either", ENUM(tls_names), IN_INSPECTION(match.tls), .help = "none, any or 1.3." },
	{ "match.certificate", "", STRINGS, IN_INSPECTION(match.certificate),
		.help = "Subject of the client's certificate, or sha256: and its fingerprint." },
	{ "match.user", "", STRINGS, IN_INSPECTION(match.user),
		.help = "Who has authenticated; '*': anybody." },
	{ "match.group", "", STRINGS, IN_INSPECTION(match.group), .help = "Groups of the directory." },
	{ "match.helo", "", STRINGS, IN_INSPECTION(match.helo), .help = "The name in EHLO." },
	{ "match.client", "", STRINGS, IN_INSPECTION(client),
		.help = "Rules of clients whose mail it takes. Not set: all." },
	{ "spf", "off", ENUM(inspection_action_names), IN_INSPECTION(spf),
		.help = "off, tag or reject. Not set: off, or tag with dmarc." },
	{ "dkim", "off", ENUM(inspection_action_names), IN_INSPECTION(dkim),
		.help = "off or tag. Not set: off, or tag with dmarc." },
	{ "dmarc", "off", ENUM(inspection_action_names), IN_INSPECTION(dmarc),
		.help = "off, tag or reject." },
	{ "on_error", "accept", ENUM(dns_trouble_names), IN_INSPECTION(on_error),
		.help = "What becomes of a message when DNS does not answer: accept or defer." },
	{ "filters", "", .type = SETTING_STRINGS, .max = INSPECTION_FILTERS_MAX, IN_INSPECTION(filters),
		.help = "Names of filters, in the order in which they are asked." },
};
static const struct setting_table inspection_table = { inspection_rows, ARRAY_LEN(inspection_rows),
	sizeof(struct inspection_text) };

static const char *const alert_form_names[] = {
	[ALERT_FORM_JSON] = "json",
	[ALERT_FORM_SLACK] = "slack",
	[ALERT_FORM_TEAMS] = "teams",
};
static const struct setting_row channel_rows[] = {
	{ "name", NULL, NAME, IN_CHANNEL(name), .help = "What alerts call it." },
	{ "mail", "", .type = SETTING_STRING, .max = 320, IN_CHANNEL(mail),
		.help = "Address that mails go to." },
	{ "from", "", .type = SETTING_STRING, .max = 320, IN_CHANNEL(from), .help = "Their sender." },
	{ "webhook", "", .type = SETTING_STRING, .max = 2000, IN_CHANNEL(webhook),
		.help = "URL that notices are posted to." },
	{ "webhook_secret", "", SECRET, IN_CHANNEL(webhook_secret),
		.help = "Name of the secret that is such a URL." },
	{ "form", "json", ENUM(alert_form_names), IN_CHANNEL(form),
		.help = "What is posted: json, slack or teams (an Adaptive Card)." },
	{ "secret", "", SECRET, IN_CHANNEL(secret),
		.help = "Name of the secret that goes with it as a bearer token." },
	{ "syslog", "", .type = SETTING_STRING, .max = 300, IN_CHANNEL(syslog),
		.help = "udp://HOST:514, tcp://HOST:601 or tls://HOST:6514." },
};
static const struct setting_table channel_table = { channel_rows, ARRAY_LEN(channel_rows),
	sizeof(struct alert_channel_text) };

static const struct setting_row alert_rows[] = {
	{ "name", NULL, NAME, IN_ALERT(name), .help = "Of the alert." },
	{ "enabled", "true", BOOL, IN_ALERT(is_on), .help = "false: it is not looked at." },
	{ "above", "", STRING, IN_ALERT(above), .help = "It fires above this: 100, 50%, 4h." },
	{ "below", "", STRING, IN_ALERT(below), .help = "It fires below this: 14d." },
	{ "minimum", "0", INTEGER(0, 1000000000), IN_ALERT(least),
		.help = "Of fewer messages it says nothing." },
	{ "for", "0s", DURATION(0, 1 * DAYS), IN_ALERT(for_ms), .help = "It has to last that long." },
	{ "severity", "warning", .type = SETTING_ENUM, .names = alert_severity_names,
		.name_count = ALERT_CRITICAL + 1, IN_ALERT(severity), .help = "info, warning or critical." },
	{ "to", "", .type = SETTING_STRINGS, .max = ALERT_CHANNELS_MAX, IN_ALERT(to),
		.help = "Names of channels. Not set: all." },
};
static const struct setting_table alert_table = { alert_rows, ARRAY_LEN(alert_rows),
	sizeof(struct alert_rule_text) };

static const struct setting_row rows[] = {
	{ "lists", "", NAMED(list_table, 1000), AT(lists), .help = "Lists that rules may name." },
	{ "limits", "", NAMED(limit_table, 200), AT(limits), .help = "How much in which time." },
	{ "abuse.failures.address", "10", INTEGER(0, 1000000), AT(abuse.failures_address),
		.help = "Failed logins from one address within the window. 0: any number." },
	{ "abuse.failures.network", "50", INTEGER(0, 1000000), AT(abuse.failures_network),
		.help = "From one network: a /24 of IPv4, a /64 of IPv6." },
	{ "abuse.failures.account", "20", INTEGER(0, 1000000), AT(abuse.failures_account),
		.help = "Of one account." },
	{ "abuse.window", "10m", DURATION(1 * SECONDS, 1 * DAYS), AT(abuse.window_ms),
		.help = "Time in which they are counted." },
	{ "abuse.delay", "2s", DURATION(0, 60 * SECONDS), AT(abuse.delay_ms),
		.help = "Wait before a failed login is answered." },
	{ "abuse.ban", "1h", DURATION(1 * SECONDS, 30 * DAYS), AT(abuse.ban_ms),
		.help = "How long a ban lasts." },
	{ "abuse.exempt", "", STRINGS, AT(abuse.exempt), .help = "Networks that are never banned." },
	{ "clients", "", SECTIONS(rule_table, POLICY_RULES_MAX), AT(clients),
		.help = "The rules, in order: the first that matches decides." },
	{ "inspect", "", SECTIONS(inspection_table, POLICY_INSPECTIONS_MAX), AT(inspect),
		.help = "What messages are looked at for, in order: the first that matches counts." },
	{ "filters", "", NAMED(filter_table, POLICY_FILTERS_MAX), AT(filters),
		.help = "Milters that entries of inspect name." },
	{ "credentials", "", NAMED(credentials_table, POLICY_CREDENTIALS_MAX), AT(credentials),
		.help = "How the cluster logs in where it delivers to." },
	{ "routes", "", SECTIONS(route_table, POLICY_ROUTES_MAX), AT(routes),
		.help = "Where mail goes, in order: the first that matches a recipient takes it." },
	{ "sign", "", SECTIONS(sign_table, POLICY_SIGNINGS_MAX), AT(sign),
		.help = "Domains whose mail is signed with DKIM." },
	{ "alerts.channels", "", NAMED(channel_table, ALERT_CHANNELS_MAX), AT(alerts.channels),
		.help = "How an administrator is told of alerts." },
	{ "alerts.rules", "", NAMED(alert_table, ALERT_COUNT), AT(alerts.rules),
		.help = "What is other than usual, by alert." },
	{ "alerts.window", "10m", DURATION(10 * SECONDS, 1 * HOURS), AT(alerts.window_ms),
		.help = "Time in which messages and failures are counted." },
	{ "alerts.repeat", "1d", DURATION(0, 30 * DAYS), AT(alerts.repeat_ms),
		.help = "What goes on is told again after this time. 0s: it is not." },
};

const struct setting_table policy_schema = { rows, ARRAY_LEN(rows), sizeof(struct policy_text) };

const char *policy_effect_name(enum policy_effect effect)
{
	return effect_names[effect];
}

const char *policy_condition_name(enum policy_condition condition)
{
	static const char *const names[POLICY_CONDITIONS] = {
		[POLICY_NETWORK] = "network",
		[POLICY_LISTENER] = "listener",
		[POLICY_TLS] = "tls",
		[POLICY_CERTIFICATE] = "certificate",
		[POLICY_USER] = "user",
		[POLICY_GROUP] = "group",
		[POLICY_HELO] = "helo",
	};

	return names[condition];
}
