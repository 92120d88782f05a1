/*
 * policy: who may send mail through the cluster, from where, as whom, to whom and how much. Made from one
 * YAML document (docs/policy.md), the same for all nodes; compiled once, then never changed, so any thread
 * may ask it.
 *
 * Rules stand in an order; the first that matches decides, and no match denies. Some facts come late in a
 * session: TLS, the user, the name in EHLO. A decision is asked for anew whenever one of them is known, and
 * says itself what it still waits for.
 */
#ifndef SKEIN_CLUSTER_POLICY_H
#define SKEIN_CLUSTER_POLICY_H

#include "skein/cluster/alert.h"
#include "skein/cluster/inspection.h"
#include "skein/cluster/limit.h"
#include "skein/cluster/route.h"
#include "skein/cluster/schema/cidr.h"
#include "skein/cluster/schema/report.h"
#include "skein/cluster/schema/table.h"

struct policy;
struct sockaddr;

enum {
	POLICY_TEXT_MAX = 1024 * 1024, /* bytes of a document */
	POLICY_RULES_MAX = 10000,
	POLICY_ITEMS_MAX = 100000,    /* of one list in the document */
	POLICY_ENTRIES_MAX = 1000000, /* networks and addresses of all rules, inspections and routes, lists
					 written out */
	POLICY_EXEMPT_MAX = 256,      /* networks of abuse.exempt */
	POLICY_ROUTES_MAX = 1000,
	POLICY_CREDENTIALS_MAX = 1000,
	POLICY_SIGNINGS_MAX = 1000,
	POLICY_SIGN_HEADERS_MAX = 64,
	POLICY_INSPECTIONS_MAX = 1000,
	POLICY_FILTERS_MAX = 100,
};

/*
 * NULL when the report has errors, each with line and column; warnings do not count. `text` is borrowed for
 * the call, `source`, its name in errors, for the report's life.
 */
struct policy *policy_parse(struct span text, const char *source, struct report *report) WARN_UNUSED;
/* What holds where there is no document: these networks may relay, nobody else may. */
struct policy *policy_of_networks(const struct cidr_list *networks) WARN_UNUSED;
/* Harmless for NULL inside; sets the pointer to NULL. */
void policy_free(struct policy **policy);

/* --- rules -------------------------------------------------------------------------------------- */

enum policy_effect {
	POLICY_EFFECT_ALLOW,
	POLICY_EFFECT_DENY,
	POLICY_EFFECT_REQUIRE_AUTH, /* allow, once the client has authenticated */
	POLICY_EFFECT_REQUIRE_TLS,  /* allow, once TLS is on */
};

enum policy_condition {
	POLICY_NETWORK,
	POLICY_LISTENER,
	POLICY_TLS,
	POLICY_CERTIFICATE,
	POLICY_USER,
	POLICY_GROUP,
	POLICY_HELO,
	POLICY_CONDITIONS,
};

struct policy_rule {
	const char *name;    /* "clients[2]" where the author gave none */
	const char *comment; /* "" when there is none */
	enum policy_effect effect;
	unsigned conditions;                    /* set of 1 << enum policy_condition: those it has */
	uint64_t size_max;                      /* of a message; 0: only the node's own limit */
	const struct limit_rule *const *limits; /* its own, then the global ones */
	size_t limit_count;
	size_t number; /* its place among the rules, from 0 */
};

size_t policy_rule_count(const struct policy *policy);
const struct policy_rule *policy_rule(const struct policy *policy, size_t number);
/* The networks of a rule, lists written out. Borrowed from the policy. */
struct cidr_list policy_rule_networks(const struct policy *policy, size_t number);
/* The groups that rules and inspections ask about, as they are written there, each once. Borrowed from the
 * policy. */
struct text_list policy_groups(const struct policy *policy);
/* All limits, used or not. */
const struct limit_rule *policy_limits(const struct policy *policy, size_t *count_out);

/* "allow", "require-auth"; "network", "certificate": as the document writes them. */
const char *policy_effect_name(enum policy_effect effect);
const char *policy_condition_name(enum policy_condition condition);

/* Against guessing of passwords. A number of 0 is no limit. */
struct policy_abuse {
	uint64_t failures_address, failures_network, failures_account; /* within the window; an IPv4 network
									  is a /24, an IPv6 one a /64 */
	uint64_t window_ms;
	uint64_t delay_ms; /* before a failure is answered */
	uint64_t ban_ms;
	struct cidr_list exempt; /* never banned */
};
const struct policy_abuse *policy_abuse(const struct policy *policy);

/* What an administrator is told of, and how. */
const struct alert_policy *policy_alerts(const struct policy *policy);

/* --- signing ------------------------------------------------------------------------------------ */

enum policy_sign_by {
	POLICY_SIGN_BY_AUTHOR, /* of the domain that From names: what DMARC looks at */
	POLICY_SIGN_BY_SENDER, /* where From has none that signs: of the envelope's sender */
};

/* What an entry of `sign` says: mail of a domain is signed with DKIM, by the cluster's keys of that domain.
 */
struct policy_signing {
	const char *domain; /* lower case: d= */
	bool has_subdomains;
	enum policy_sign_by by;
	struct text_list selectors; /* that sign, if their keys are active; empty: all */
	struct text_list headers;   /* to be over-signed; empty: the usual ones */
	const char *identity;       /* "": none */
	uint32_t lifetime_s;        /* 0: for ever */
	bool is_header_simple, is_body_simple;
	size_t number; /* its place among them, from 0 */
};

const struct policy_signing *policy_signings(const struct policy *policy, size_t *count_out);
/*
 * The entry for mail whose From names `authors`, domains in lower case, and whose envelope's sender is of
 * `sender`, which may be empty. The first author with an entry decides; of several entries that of the
 * nearest domain. NULL: it is not signed.
 */
const struct policy_signing *policy_signing_for(
	const struct policy *policy, const struct span *authors, size_t author_count, struct span sender);

/* --- decisions ---------------------------------------------------------------------------------- */

enum policy_tls { POLICY_TLS_NONE, POLICY_TLS_1_2, POLICY_TLS_1_3 };

/* What a session may learn yet. */
enum policy_later { POLICY_LATER_TLS = 1, POLICY_LATER_AUTH = 2, POLICY_LATER_HELO = 4 };

/* All text is borrowed for the call and compares without case. */
struct policy_subject {
	const struct sockaddr *address;
	struct span listener; /* its name */
	enum policy_tls tls;
	struct span cert_subject, cert_sha256; /* RFC 4514 text; hex. Empty: no certificate */
	struct span user;                      /* empty: not authenticated */
	const struct span *groups;             /* that the user is in */
	size_t group_count;
	const struct span *addresses; /* the user's own, from the directory */
	size_t address_count;
	struct span helo; /* empty: not said yet */
	unsigned later; /* set of enum policy_later: STARTTLS is offered and not on; AUTH; EHLO is to come */
};

enum policy_verdict {
	POLICY_ALLOW,
	POLICY_DENY,
	POLICY_NEEDS_AUTH, /* as it is, no; after AUTH it may be yes */
	POLICY_NEEDS_TLS,  /* the same with STARTTLS */
};

struct policy_decision {
	enum policy_verdict verdict;
	const struct policy_rule *rule; /* that decided; NULL: none matched. Borrowed from the policy */
	const struct policy_rule *hope; /* an earlier one that would allow if what is open turns out well */
	unsigned open; /* set of enum policy_later: facts that may change the verdict. 0: it is final */
	const struct limit_rule *const *limits; /* of the rule; without one, the global ones */
	size_t limit_count;
};

void policy_decide(const struct policy *policy, const struct policy_subject *subject,
	struct policy_decision *decision_out);

enum policy_match { POLICY_MATCHES, POLICY_DIFFERS, POLICY_OPEN };

/* How one rule fared. */
struct policy_step {
	const struct policy_rule *rule;
	enum policy_match match;
	enum policy_condition condition; /* the first that differs, or is open */
};
typedef void policy_step_fn(void *arg, const struct policy_step *step);
/* policy_decide(), telling of each rule in order up to the one that decides. */
void policy_explain(const struct policy *policy, const struct policy_subject *subject, policy_step_fn *fn,
	void *arg, struct policy_decision *decision_out);

/*
 * May it be this sender, this recipient? To be asked once the verdict is POLICY_ALLOW. `address` is
 * local@domain, or empty: the null sender. `entry_out`: the entry of the rule that allows it; "" where the
 * rule has no such list, so that anything goes; NULL when it is not allowed. Where a rule names recipients,
 * none may name another behind its own domain: user%other@domain, other!user@domain, "user@other"@domain.
 */
bool policy_sender_allowed(const struct policy *policy, const struct policy_decision *decision,
	const struct policy_subject *subject, struct span address, const char **entry_out);
bool policy_recipient_allowed(const struct policy *policy, const struct policy_decision *decision,
	struct span address, const char **entry_out);

/* --- inspections -------------------------------------------------------------------------------- */

/*
 * The first entry of `inspect` that matches, borrowed from the policy; NULL: none does, so nothing is looked
 * at. To be asked when all is known of the client: what is not is taken as not there. `client_rule`: the name
 * of the rule that let it in.
 */
const struct inspection *policy_find_inspection(
	const struct policy *policy, const struct policy_subject *subject, struct span client_rule);
size_t policy_inspection_count(const struct policy *policy);
const struct inspection *policy_inspection(const struct policy *policy, size_t number);
/* All filters, used or not. */
const struct inspection_filter *policy_filters(const struct policy *policy, size_t *count_out);

/* --- routes ------------------------------------------------------------------------------------- */

/* All text is borrowed for the call and compares without case. */
struct route_question {
	struct span recipient; /* local@domain */
	struct span sender;    /* the same, or empty: the null sender */
	struct span client;    /* name of the rule that let it in; empty: none, as for the node's own mail */
};

/* The first route that matches, borrowed from the policy. NULL: none does, so the node's settings decide. */
const struct route *policy_find_route(const struct policy *policy, const struct route_question *question);
size_t policy_route_count(const struct policy *policy);
const struct route *policy_route(const struct policy *policy, size_t number);

/*
 * Equal when routes and credentials say the same, whatever the text looks like; comments do not count. Holds
 * within one process. Not against somebody who wants two to be equal.
 */
struct policy_routes_digest {
	uint64_t words[2];
};
struct policy_routes_digest policy_routes_digest(const struct policy *policy);

#endif
