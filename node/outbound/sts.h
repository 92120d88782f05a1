/*
 * sts: what a domain's MTA-STS policy says of one of its hosts (RFC 8461). The policy is fetched when there
 * is none, and again in the background while an older one counts: by one node for all (sts_share). A domain
 * whose policy cannot be had, and never was, has none.
 */
#ifndef NODE_OUTBOUND_STS_H
#define NODE_OUTBOUND_STS_H

#include "http/fetch.h"
#include "outbound/sts_share.h"
#include "outbound/sts_store.h"
#include "outbound/tls_ledger.h"
#include "track/log.h"
#include "track/metrics.h"

/* What the searches of one worker have in common. All borrowed, but for the list. */
struct sts_desk {
	struct loop *loop;
	struct resolver *resolver;
	struct fetcher *fetcher;
	struct sts_store *store;
	struct sts_share share; /* with the cluster */
	struct log *log;
	struct meter *meter;
	struct tls_ledger *ledger; /* NULL: nothing is reported */
	struct list refreshes;     /* searches that nobody waits for */
};

void sts_desk_init(struct sts_desk *desk);
/* Ends the refreshes. */
void sts_desk_fini(struct sts_desk *desk);

struct sts_answer {
	enum mta_sts_mode mode; /* NONE also where there is no policy */
	bool is_allowed;        /* a pattern of the policy fits the host */
	struct span text;       /* the policy, borrowed during the call; "" with NONE */
	uint64_t keep_ms;       /* for how long the answer holds */
};

struct sts_search;

typedef void sts_fn(void *arg, const struct sts_answer *answer);

/* `domain` is in A-labels. `fn` is called exactly once, later, unless the search is cancelled before. */
struct sts_search *sts_start(
	struct sts_desk *desk, const char *domain, const char *host, sts_fn *fn, void *arg);
/* Sets the pointer to NULL; NULL is fine. */
void sts_cancel(struct sts_search **search);

#endif
