/*
 * token_answer: how a token is asked for with OAuth 2.0 client credentials (RFC 6749 4.4), and what the
 * server's answer says. Pure.
 */
#ifndef NODE_OUTBOUND_TOKEN_ANSWER_H
#define NODE_OUTBOUND_TOKEN_ANSWER_H

#include "skein/proto/base/buf.h"

enum { TOKEN_WHY_MAX = 160, TOKEN_TEXT_MAX = 8 * 1024, TOKEN_ANSWER_MAX = 64 * 1024 };

struct token_answer {
	struct buf token; /* a secret: wiped by token_answer_wipe(); empty: there is none */
	uint64_t lifetime_ms;
	char why[TOKEN_WHY_MAX]; /* without a token: what the server said, printable */
};

/* Appends the body of the request, application/x-www-form-urlencoded. It is a secret. */
void token_request_write(const char *client_id, const char *scope, struct span secret, struct buf *body_out);
/* Reads the answer. `secret` is what was sent: a text that repeats it is not told. */
void token_answer_read(
	unsigned status, struct span body, struct span secret, struct token_answer *answer_out);
void token_answer_wipe(struct token_answer *answer);

#endif
