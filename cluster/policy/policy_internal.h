/* What the files of the policy share: the document as it is read, and the rules as they are asked. */
#ifndef CLUSTER_POLICY_INTERNAL_H
#define CLUSTER_POLICY_INTERNAL_H

#include "policy/network_tree.h"
#include "policy/pattern_set.h"
#include "skein/cluster/alert.h"
#include "skein/cluster/inspection.h"
#include "skein/cluster/policy.h"
#include "skein/cluster/route.h"
#include "skein/cluster/schema/table.h"

/* --- the document: schema.c has the tables ------------------------------------------------------ */

enum tls_wish { TLS_EITHER, TLS_NEVER, TLS_ANY, TLS_1_3 };
/* Of the header, then of the body. */
enum sign_form { SIGN_RELAXED_RELAXED, SIGN_RELAXED_SIMPLE, SIGN_SIMPLE_RELAXED, SIGN_SIMPLE_SIMPLE };

/* `match` of a client: entries of `clients` and of `inspect` have it. */
struct conditions_text {
	struct text_list network, listener, certificate, user, group, helo;
	enum tls_wish tls;
};

struct rule_text {
	const char *name, *comment;
	struct conditions_text match;
	enum policy_effect effect;
	struct text_list senders, recipients, limits;
	uint64_t size;
};

struct rule_text_list {
	const struct rule_text *items;
	size_t count;
};

struct named_list {
	const char *name;
	struct text_list networks, addresses;
};

struct named_list_list {
	const struct named_list *items;
	size_t count;
};

struct rate_text {
	const char *rate, *burst; /* burst "": as much as the rate has in one period */
};

struct limit_text {
	const char *name;
	enum limit_key key;
	enum limit_unit unit;
	struct rate_text rate;
	enum limit_action action;
	bool is_global;
};

struct limit_text_list {
	const struct limit_text *items;
	size_t count;
};

struct credentials_text {
	const char *name;
	enum route_mechanism mechanism;
	const char *user, *secret, *token_url, *client_id, *scope;
};

struct credentials_text_list {
	const struct credentials_text *items;
	size_t count;
};

struct target_text {
	const char *host, *mx, *srv;
	bool is_direct;
	uint64_t port, weight;
	enum route_tls tls;
	bool has_tls_first;
	const char *tls_name, *credentials;
};

struct target_text_list {
	const struct target_text *items;
	size_t count;
};

struct field_text {
	const char *name, *value;
};

struct field_text_list {
	const struct field_text *items;
	size_t count;
};

struct rewrite_text {
	struct text_list remove;
	struct field_text_list add;
	const char *from_domain, *sender_domain, *return_domain, *return_secret;
	enum route_return_path return_path;
};

struct route_text {
	const char *name, *comment;
	struct {
		struct text_list recipient, sender, client;
	} match;
	struct target_text_list to;
	enum route_order order;
	uint64_t connections, cluster_connections, messages_per_connection, recipients_max, priority;
	struct rate_text rate; /* rate "": none */
	bool is_chunking, is_cut_through;
	struct {
		uint64_t connect_ms, greeting_ms, command_ms, data_ms, body_ms, dot_ms, quit_ms;
	} timeout;
	struct {
		uint64_t first_ms, max_ms, expire_ms, warn_ms;
	} retry;
	struct {
		uint64_t failures, pause_first_ms, pause_max_ms;
	} breaker;
	struct rewrite_text rewrite;
};

struct route_text_list {
	const struct route_text *items;
	size_t count;
};

struct sign_text {
	const char *domain, *identity;
	bool subdomains;
	enum policy_sign_by by;
	struct text_list selectors, headers;
	uint64_t expire_ms;
	enum sign_form form;
};

struct sign_text_list {
	const struct sign_text *items;
	size_t count;
};

struct filter_text {
	const char *name, *host, *socket;
	uint64_t port, connect_ms, answer_ms, total_ms;
	enum inspection_trouble on_error;
};

struct filter_text_list {
	const struct filter_text *items;
	size_t count;
};

struct inspection_text {
	const char *name, *comment;
	struct conditions_text match;
	struct text_list client; /* of `match` */
	enum inspection_action spf, dkim, dmarc;
	enum inspection_trouble on_error;
	struct text_list filters;
};

struct inspection_text_list {
	const struct inspection_text *items;
	size_t count;
};

struct alert_channel_text {
	const char *name, *mail, *from, *webhook, *webhook_secret, *syslog, *secret;
	enum alert_form form;
};

struct alert_channel_text_list {
	const struct alert_channel_text *items;
	size_t count;
};

struct alert_rule_text {
	const char *name, *above, *below; /* above, below "": as it is */
	bool is_on;
	uint64_t least, for_ms;
	enum alert_severity severity;
	struct text_list to;
};

struct alert_rule_text_list {
	const struct alert_rule_text *items;
	size_t count;
};

struct policy_text {
	struct named_list_list lists;
	struct limit_text_list limits;
	struct {
		uint64_t failures_address, failures_network, failures_account;
		uint64_t window_ms, delay_ms, ban_ms;
		struct text_list exempt;
	} abuse;
	struct rule_text_list clients;
	struct inspection_text_list inspect;
	struct filter_text_list filters;
	struct credentials_text_list credentials;
	struct route_text_list routes;
	struct sign_text_list sign;
	struct {
		struct alert_channel_text_list channels;
		struct alert_rule_text_list rules;
		uint64_t window_ms, repeat_ms;
	} alerts;
};

extern const struct setting_table policy_schema;

/* --- compiled ------------------------------------------------------------------------------------ */

struct conditions {
	unsigned asked; /* set of 1 << enum policy_condition */
	struct cidr_list networks;
	struct pattern_set listener, certificate, fingerprint, user, group, helo; /* empty where not asked */
	enum tls_wish tls;
};

struct rule {
	struct policy_rule shown;
	struct conditions match;
	bool has_senders, has_recipients;
	const char *own, *null_sender; /* the entries "own" and "<>", or NULL */
	struct pattern_set senders, recipients;
};

struct policy_route {
	struct route shown;
	bool has_recipients, has_senders, has_clients;
	struct pattern_set recipients, senders, clients; /* empty where not asked */
	const char *null_sender;                         /* the entry "<>", or NULL */
};

struct policy_inspection {
	struct inspection shown;
	struct conditions match;
	bool has_clients;
	struct pattern_set clients; /* empty where not asked */
};

struct policy {
	struct arena arena;
	struct rule *rules;
	size_t rule_count;
	struct network_tree tree;
	uint32_t *anywhere; /* rules without networks, ascending */
	size_t anywhere_count;
	struct limit_rule *limits;
	size_t limit_count;
	const struct limit_rule **global_limits;
	size_t global_count;
	struct policy_abuse abuse;
	size_t entry_count;      /* networks and addresses, lists written out */
	struct text_list groups; /* that rules ask about, each once */
	struct route_credentials *credentials;
	size_t credentials_count;
	struct policy_route *routes;
	size_t route_count;
	struct policy_routes_digest routes_digest;
	struct policy_signing *signings;
	size_t signing_count;
	struct inspection_filter *filters;
	size_t filter_count;
	struct policy_inspection *inspections;
	size_t inspection_count;
	struct network_tree inspection_tree; /* numbers of inspections */
	struct alert_policy alerts;
};

/* conditions.c */
/* Reports at "match.*" of `path`. */
void policy_compile_conditions(struct policy *policy, const struct policy_text *text,
	const struct conditions_text *match, const char *path, struct conditions *out, struct report *report);
/* Is this one met, as far as is known now? Of the network: yes, it is looked up before. */
bool policy_condition_is_met(const struct conditions *conditions, const struct policy_subject *subject,
	enum policy_condition condition);

/* names.c: of items that begin with their name, a const char *. */
struct name_list {
	const void *items;
	size_t count, item_size;
};
#define NAMES_OF(list) ((struct name_list){ (list).items, (list).count, sizeof(*(list).items) })
/* Reports at "<section>[<number>].name". */
void policy_check_names(struct name_list names, const char *section, struct report *report);
/* `what`: "is no limit". */
void policy_complain_of_unknown(
	const char *what, struct span name, struct name_list known, const char *place, struct report *report);

/* Names of rules, for things that hold for the clients that those let in. The table borrows from the text. */
struct table policy_rule_names(const struct policy_text *text);
/* Into `out`; reports at "<path>[N]" what is no rule. */
void policy_compile_rule_names(struct policy *policy, const struct policy_text *text,
	const struct table *rules, struct text_list names, const char *path, struct pattern_set *out,
	struct report *report);

/* limits.c. Reports at "limits.<name>". */
void policy_compile_limits(struct policy *policy, const struct policy_text *text, struct report *report);
/* The limits of a rule and the global ones, each once. `path` is the rule's. */
void policy_compile_rule_limits(struct policy *policy, struct rule *rule, struct text_list names,
	const char *path, struct report *report);

/* Rate and burst of `limit`, whose unit is set. Reports at "rate" and "burst" of `path`. */
void policy_compile_rate(
	struct limit_rule *limit, const struct rate_text *text, const char *path, struct report *report);

/* lists.c: entries of the document that may name a list. */
/* A list that is there and empty would match nothing, and looks as if it matched all. */
void policy_check_not_empty(
	struct text_list entries, const char *path, const char *key, struct report *report);
void policy_check_lists(const struct policy_text *text, struct report *report);
/* Networks, those of "list:NAME" among them; in the policy's arena. */
struct cidr_list policy_compile_networks(struct policy *policy, const struct policy_text *text,
	struct text_list entries, const char *path, struct report *report);
/* Addresses and domains into `set`; what `own` and `null_sender` point to is set where they may stand. */
struct address_entries {
	struct pattern_set *set;
	const char **own, **null_sender; /* NULL: recipients have neither */
};
void policy_compile_addresses(struct policy *policy, const struct policy_text *text, struct text_list entries,
	const char *path, const struct address_entries *out, struct report *report);

/* routes.c: the sections `credentials` and `routes`. */
void policy_compile_routes(struct policy *policy, const struct policy_text *text, struct report *report);
/* Warns of routes that an earlier one leaves nothing to. */
void policy_check_route_shadows(const struct policy *policy, struct report *report);

/* sign.c. Reports at "sign[N]". */
void policy_compile_signings(struct policy *policy, const struct policy_text *text, struct report *report);

/* alerts.c. Reports at "alerts.*". */
void policy_compile_alerts(struct policy *policy, const struct policy_text *text, struct report *report);

/* filters.c. Reports at "filters.<name>". */
void policy_compile_filters(struct policy *policy, const struct policy_text *text, struct report *report);

/* inspect.c: the sections `filters` and `inspect`. */
void policy_compile_inspections(struct policy *policy, const struct policy_text *text, struct report *report);
/* Warns of entries that an earlier one leaves nothing to. */
void policy_check_inspection_shadows(const struct policy *policy, struct report *report);

/* shadow.c: does all that meets `inner` meet `outer` too, but for networks? False where that is not plain. */
bool policy_conditions_cover(const struct conditions *outer, const struct conditions *inner);
/* The same of their networks; `number` is that of the outer in the tree. */
bool policy_networks_cover(const struct network_tree *tree, uint32_t number, const struct conditions *inner);
/* Warns of rules that an earlier one leaves nothing to. Needs the finished tree. */
void policy_check_shadows(const struct policy *policy, struct report *report);
/* Warns of rules that make an open relay of the cluster. */
void policy_check_open(const struct policy *policy, struct report *report);

#endif
