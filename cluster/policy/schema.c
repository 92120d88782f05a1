#include "policy/policy_internal.h"

#include <stddef.h>

#define SECONDS 1000ull
#define HOURS   (3600 * SECONDS)
#define DAYS    (24 * HOURS)
#define GIB     (1ull << 30)

#define AT(field)           .offset = offsetof(struct policy_text, field)
#define IN_LIST(field)      .offset = offsetof(struct named_list, field)
#define IN_LIMIT(field)     .offset = offsetof(struct limit_text, field)
#define IN_RULE(field)      .offset = offsetof(struct rule_text, field)
#define NAME                .type = SETTING_NAME, .max = LIMIT_NAME_MAX
#define STRING              .type = SETTING_STRING, .max = 64
#define STRINGS             .type = SETTING_STRINGS, .max = POLICY_ITEMS_MAX
#define BOOL                .type = SETTING_BOOL
#define INTEGER(low, high)  .type = SETTING_INTEGER, .min = (low), .max = (high)
#define DURATION(low, high) .type = SETTING_DURATION, .min = (low), .max = (high)
#define ENUM(array)         .type = SETTING_ENUM, .names = (array), .name_count = ARRAY_LEN(array)
#define NAMED(table, high)  .type = SETTING_NAMED, .items = &(table), .max = (high)

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
	{ "comment", "", .type = SETTING_TEXT, .max = 512, IN_RULE(comment), .help = "Why it is there." },
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
	{ "clients", "", .type = SETTING_SECTIONS, .items = &rule_table, .max = POLICY_RULES_MAX, AT(clients),
		.help = "The rules, in order: the first that matches decides." },
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
