/*
 * tokens: the OAuth 2.0 access tokens of this process, by what they are asked for with. Any thread takes one;
 * one thread fetches them (token_fetch). Each is fetched when it is first wanted, and renewed in the
 * background before it ends for as long as it is used: five minutes before, or a tenth of its life. Of each
 * one request at most is under way; one that fails is tried again after pauses that double. What another node
 * has fetched is taken, and what another has found to be refused is dropped (token_share). Pure: the time and
 * the jitter are handed in. Texts are wiped.
 */
#ifndef NODE_OUTBOUND_TOKENS_H
#define NODE_OUTBOUND_TOKENS_H

#include "outbound/credentials.h"
#include "outbound/token_answer.h"

struct tokens;

struct tokens *tokens_new(void);
/* Whatever is under way will not be answered. Sets the pointer to NULL; NULL inside is fine. */
void tokens_free(struct tokens **tokens);
/* `wanted` is called, by any thread, when there is something to fetch. Set before others know of it. */
void tokens_on_wanted(struct tokens *tokens, void (*wanted)(void *arg), void *arg);

/* What a token is for. `mark` tells it from others. */
struct token_want {
	const struct login_mark *mark;
	const struct route_credentials *who;
	const struct secret_value *secret; /* of the client; the tokens take a reference of their own */
};

/*
 * LOGIN_POSSIBLE: the text is appended to `token_out`, unless that is NULL, and `number_out` tells it from
 * those before it. LOGIN_AWAITED: it is being fetched. LOGIN_IMPOSSIBLE: that failed.
 */
enum login_state tokens_take(struct tokens *tokens, const struct token_want *want, uint64_t now_ms,
	struct buf *token_out, uint64_t *number_out, struct login_trouble *trouble_out);
/* A host has taken the token. */
void tokens_accepted(struct tokens *tokens, const struct login_mark *mark);
/*
 * A host has refused it. True: it is dropped, and a new one is fetched that may be tried. False: it is new
 * already, so that another will not help.
 */
bool tokens_refused(struct tokens *tokens, const struct login_mark *mark, uint64_t number);

/* --- for who fetches ------------------------------------------------------------------------------ */

struct token_request {
	uint64_t id;
	struct login_mark mark;
	const char *name, *url; /* borrowed until it is answered */
	struct buf body;        /* a secret, of the caller's: wiped by token_request_wipe() */
	uint64_t known;         /* the cluster's serial of a token that is of no use here; 0: none */
	bool is_bad;            /* a host has refused that one */
};

/* The next token to fetch now. False: none is. */
bool tokens_next(struct tokens *tokens, uint64_t now_ms, struct token_request *request_out);
void token_request_wipe(struct token_request *request);
/* How long until tokens_next() is worth asking again. */
uint64_t tokens_wait_ms(struct tokens *tokens, uint64_t now_ms);
/* What a request failed by before it was answered. */
void tokens_failed(struct tokens *tokens, uint64_t id, uint64_t now_ms, uint32_t random, const char *why);
/* How long a failure holds the next request back. */
uint64_t tokens_pause_ms(struct tokens *tokens, const struct login_mark *mark, uint64_t now_ms);
/* It was answered. False: without a token, and `why_out` says why. */
bool tokens_answered(struct tokens *tokens, uint64_t id, uint64_t now_ms, uint32_t random, unsigned status,
	struct span body, char why_out[TOKEN_WHY_MAX]);

/* --- with other nodes ------------------------------------------------------------------------------ */

/* What another node has fetched. */
struct token_offer {
	struct span text;
	uint64_t serial;          /* the cluster's */
	uint64_t age_ms, left_ms; /* of its life */
};

/* Instead of an answer. False: the offer is of no use; a request that says so is due at once. */
bool tokens_offered(struct tokens *tokens, uint64_t id, uint64_t now_ms, const struct token_offer *offer);
/* Another node fetches it: it is due again after `wait_ms`, and nothing has failed. */
void tokens_put_off(struct tokens *tokens, uint64_t id, uint64_t now_ms, uint64_t wait_ms);

/* The next token in use that was not looked at in the cluster for a while. False: none is. */
bool tokens_next_look(
	struct tokens *tokens, uint64_t now_ms, struct login_mark *mark_out, uint64_t *known_out);
/*
 * What the cluster says of it: `offer`, unless that is the known one or there is none (NULL), and the serial
 * of one that was refused somewhere. True: what this node has was changed.
 */
bool tokens_looked(struct tokens *tokens, const struct login_mark *mark, uint64_t now_ms, uint64_t gone,
	const struct token_offer *offer);
/*
 * The text that is good now, for the cluster. False: there is none. tokens_are_shared() says which serial it
 * got there.
 */
bool tokens_show(struct tokens *tokens, const struct login_mark *mark, uint64_t now_ms, struct buf *text_out,
	uint64_t *number_out, uint64_t *left_ms_out);
void tokens_are_shared(
	struct tokens *tokens, const struct login_mark *mark, uint64_t number, uint64_t serial);

#endif
