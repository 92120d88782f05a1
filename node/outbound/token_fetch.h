/*
 * token_fetch: fetches the tokens that connections want, on the main loop, and tells the credentials when one
 * has come. All calls are the loop's thread's.
 */
#ifndef NODE_OUTBOUND_TOKEN_FETCH_H
#define NODE_OUTBOUND_TOKEN_FETCH_H

#include "http/fetch.h"
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
/* Nobody wants a token any more. Sets the pointer to NULL; NULL inside is fine. */
void token_fetch_free(struct token_fetch **token_fetch);

#endif
