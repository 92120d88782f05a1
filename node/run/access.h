/*
 * access: what all workers of a node go by: the policy, the back ends of authentication, the secrets, what
 * mail is signed with and next hops are logged in at with, what holds clients back, and what is known of next
 * hops; made at the start, followed in the cluster, changed by a reload. All calls are the main thread's.
 */
#ifndef NODE_RUN_ACCESS_H
#define NODE_RUN_ACCESS_H

#include "access/policy_slot.h"
#include "access/policy_watch.h"
#include "access/secret_watch.h"
#include "access/secrets.h"
#include "access/throttle.h"
#include "auth/authenticator.h"
#include "config/settings.h"
#include "custody/spool.h"
#include "outbound/credentials.h"
#include "outbound/hop_news.h"
#include "outbound/signing_set.h"
#include "outbound/token_fetch.h"
#include "skein/cluster/secret.h"
#include "track/log.h"

/* All borrowed. */
struct access_options {
	struct loop *loop;
	struct log_writer *log_writer;
	struct log *log; /* both of the main thread */
	struct track *track;
	struct metrics *metrics;
	struct meter *meter;
	struct spool *spool;
	struct resolver *resolver;
	const struct settings *settings; /* of the start */
};

struct access {
	struct access_options options;
	struct policy_slot policy;
	struct policy_watch *policy_watch;   /* NULL: standalone */
	struct authenticator *authenticator; /* NULL: no auth.backends */
	struct secret_keys *cluster_keys;    /* NULL: none */
	struct secrets *secrets;
	struct secret_watch *secret_watch; /* NULL: no Redis, or no key */
	struct signing_slot *signing;      /* what mail is signed with: policy and secrets together */
	struct tokens *tokens;
	struct token_fetch *token_fetch;
	struct credentials *credentials; /* what next hops are logged in at with */
	struct throttle throttle;
	struct hop_news hop_news;
};

void access_init(struct access *access);
/* Blocks. On failure appends lines to `why_out`; access_fini() is due all the same. */
WARN_UNUSED enum err access_open(
	struct access *access, const struct access_options *options, struct buf *why_out);
/* The upkeep begins. `link` is the main loop's, NULL: standalone. */
void access_start(struct access *access, struct redis_link *link);
void access_link_lost(struct access *access);
/* Who we are in the cluster, how many nodes are alive, and how many of these come before us by name. */
void access_set_cluster(struct access *access, const struct incarnation *self, unsigned nodes, unsigned rank);

/* The policy that settings name, for a reload. NULL: `why_out` has what is wrong with it. */
struct policy *access_read_policy(const struct settings *settings, struct buf *why_out) WARN_UNUSED;
/* What is reloadable changes. The policy is moved in; where the cluster's runs, it has no say. */
void access_reload(struct access *access, const struct settings *settings, struct policy *policy);

/* Workers are joined. Afterwards nothing is begun any more; the link may go. */
void access_stop(struct access *access);
/*
 * Workers, and the connection of the link, are freed; the loop is still there. False: a thread hangs in a
 * back end and was left behind; the log writer must live until the process ends.
 */
bool access_fini(struct access *access);

#endif
