/*
 * credentials: what connections to next hops log in with, and what came of it: one for all workers of the
 * process, any thread. Passwords are the cluster's secrets, looked at for each connection, so that a change
 * is followed; tokens are fetched with them (tokens).
 *
 * So that a wrong password does not lock the account: a login that was not accepted yet is tried on one
 * connection at a time, and one that was refused is left alone for a pause, by all workers; another password
 * or user is tried at once. Each host is counted by itself: the same password may be good at one and not at
 * another.
 */
#ifndef NODE_OUTBOUND_CREDENTIALS_H
#define NODE_OUTBOUND_CREDENTIALS_H

#include "access/secrets.h"
#include "skein/cluster/route.h"
#include "skein/proto/smtp/client.h"

enum {
	CREDENTIALS_WHY_MAX = 200,
	CREDENTIALS_SECRET_MAX = 8 * 1024, /* bytes of a password or a token */
	CREDENTIALS_MARK_LEN = 32,
};

struct credentials;
struct tokens;

/* Borrowed. */
struct credentials *credentials_new(struct secrets *secrets, struct tokens *tokens);
/* Before the first login. So that all nodes that have the same key make the same marks. */
void credentials_set_mark_key(struct credentials *credentials, const unsigned char key[CREDENTIALS_MARK_LEN]);
/* Sets the pointer to NULL; NULL inside is fine. */
void credentials_free(struct credentials **credentials);

/* Who logs in where. Borrowed. */
struct login_place {
	const struct route_credentials *who;
	const char *host; /* "host:port" */
};

/* Tells what was tried from what is set later, and tells nothing about it: a keyed hash. */
struct login_mark {
	unsigned char bytes[CREDENTIALS_MARK_LEN];
	uint64_t token; /* which one of the tokens for it; 0: it is a password */
};

struct login {
	struct smtp_client_credentials client; /* its texts are borrowed: from the place, and from `text` */
	struct buf text;                       /* wiped by login_wipe() */
	struct login_mark mark;
};

void login_wipe(struct login *login);

enum login_state {
	LOGIN_POSSIBLE,
	LOGIN_AWAITED, /* soon: another connection tries it, its token is being fetched, or Redis is asked */
	LOGIN_IMPOSSIBLE, /* there is no secret, or no token, or it was refused */
};

struct login_trouble {
	uint64_t again_ms; /* how long nothing will be tried, unless something is changed */
	char why[CREDENTIALS_WHY_MAX];
};

/* Times are on loop_boottime_ms()'s clock. What credentials_take() would say now. */
enum login_state credentials_look(struct credentials *credentials, const struct login_place *place,
	uint64_t now_ms, struct login_trouble *trouble_out);
/* LOGIN_POSSIBLE: login_wipe() is due, and one of the three calls below. Else `trouble_out` is filled. */
enum login_state credentials_take(struct credentials *credentials, const struct login_place *place,
	uint64_t now_ms, struct login *login_out, struct login_trouble *trouble_out);
/* The hop took it. */
void credentials_accepted(
	struct credentials *credentials, const struct login_place *place, const struct login_mark *mark);
enum refusal {
	REFUSAL_FIRST, /* of this mark: to be told */
	REFUSAL_AGAIN,
	REFUSAL_OF_TOKEN, /* another token may do better, and is being fetched */
};

/* It did not. Unless another token is tried, nothing is for `pause_ms`. */
enum refusal credentials_refused(struct credentials *credentials, const struct login_place *place,
	const struct login_mark *mark, uint64_t now_ms, uint64_t pause_ms, const char *why);
/* The connection ended before the hop said either. */
void credentials_untried(
	struct credentials *credentials, const struct login_place *place, const struct login_mark *mark);

/* Counts what may have made a login possible: who waits looks again when it has changed. */
uint64_t credentials_changes(const struct credentials *credentials);
/* A secret was set, or a token has come. */
void credentials_changed(struct credentials *credentials);

#endif
