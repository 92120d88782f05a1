/*
 * token_fetch: fetches the tokens that connections want, on the main loop, and tells the credentials when one
 * has come. In a cluster whose nodes have a key, one node fetches for all: it claims that, the others look at
 * what came of it, and now and then at whether a token was replaced, or refused somewhere. Without Redis each
 * fetches for itself. All calls are the loop's thread's.
 */
#ifndef NODE_OUTBOUND_TOKEN_FETCH_H
#define NODE_OUTBOUND_TOKEN_FETCH_H

#include "http/fetch.h"
#include "outbound/token_share.h"
#include "outbound/tokens.h"
#include "track/log.h"

struct token_fetch;

/* All borrowed. */
struct token_fetch_options {
	struct loop *loop;
	struct log *log;
	struct resolver *resolver;
	const char *ca_file; /* NULL: the system's authorities */
	struct tokens *tokens;
	struct credentials *credentials;
};

struct token_fetch *token_fetch_new(const struct token_fetch_options *options);
/* From now on with the other nodes. */
void token_fetch_join(struct token_fetch *token_fetch, const struct token_share *share);
/* Nothing is begun any more; the link may go. */
void token_fetch_stop(struct token_fetch *token_fetch);
/* Nobody wants a token any more, and the link has ended its calls. Sets the pointer to NULL; NULL inside is
 * fine. */
void token_fetch_free(struct token_fetch **token_fetch);

#endif
