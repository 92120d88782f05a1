/*
 * token_share: the OAuth tokens of the cluster in Redis, sealed with its key, and who fetches one now, by the
 * rules of shelf_store.h. A token's name there is its login_mark, which all nodes with the key make alike.
 * The rules for the calls are those of queue.h.
 */
#ifndef NODE_OUTBOUND_TOKEN_SHARE_H
#define NODE_OUTBOUND_TOKEN_SHARE_H

#include "outbound/tokens.h"
#include "skein/cluster/redis_link.h"
#include "skein/cluster/secret.h"

/* Borrowed. */
struct token_share {
	struct redis_link *link;
	const struct secret_keys *keys;
	const char *holder; /* tells this node from all others */
};

struct token_shared {
	bool is_answer; /* false: Redis has not said anything; nothing else is set */
	/* Its text is wiped after the call; empty where nothing is there, or what is known. */
	struct token_offer offer;
	uint64_t gone;      /* the serial of one that was refused; 0: none */
	bool is_granted;    /* the caller is to fetch */
	uint64_t wait_ms;   /* while another fetches, or has failed to */
	struct span failed; /* why; "": it has not */
};
typedef void token_shared_fn(void *arg, const struct token_shared *shared);

/* What there is, unless it is `known`. */
bool token_share_read(const struct token_share *share, const struct login_mark *mark, uint64_t known,
	token_shared_fn *fn, void *arg);
/* The same, and the right to fetch where there is nothing. `is_bad`: the known one was refused. */
bool token_share_claim(
	const struct token_share *share, const struct token_request *request, token_shared_fn *fn, void *arg);

/* Serial 0: it is not there. */
typedef void token_put_fn(void *arg, uint64_t serial);
bool token_share_put(const struct token_share *share, const struct login_mark *mark, struct span text,
	uint64_t left_ms, token_put_fn *fn, void *arg);
void token_share_failed(
	const struct token_share *share, const struct login_mark *mark, uint64_t pause_ms, const char *why);

#endif
