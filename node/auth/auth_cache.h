/*
 * auth_cache: what was found out a moment ago. Passwords that were right, so that a client that comes often
 * costs no bind; what directories said of accounts; and passwords that were wrong, so that a client that
 * repeats one does not lock an account. Any thread.
 *
 * No password is kept: only HMAC-SHA-256 of login and password, under a key that this process drew at its
 * start and nobody else has. Nothing goes to disk or to other nodes. Bounded in number; when one kind is full
 * its oldest entry leaves.
 */
#ifndef NODE_AUTH_AUTH_CACHE_H
#define NODE_AUTH_AUTH_CACHE_H

#include "auth/identity.h"
#include "skein/proto/base/span.h"

struct auth_cache;

struct auth_cache_options {
	uint64_t password_ttl_ms; /* 0: keep none */
	uint64_t identity_ttl_ms;
	uint64_t wrong_ttl_ms;
	uint64_t entries_max; /* of each kind */
};

/* `key` is 32 random bytes. */
struct auth_cache *auth_cache_new(const struct auth_cache_options *options, const uint8_t key[32]);
void auth_cache_free(struct auth_cache **cache);
/* Forgets everything: accounts or groups are others than before. */
void auth_cache_clear(struct auth_cache *cache);
/* From now on. What is kept longer than a new limit allows leaves with it. */
void auth_cache_set_options(struct auth_cache *cache, const struct auth_cache_options *options);

enum cache_answer {
	CACHE_UNKNOWN,
	CACHE_RIGHT,  /* and the account was looked at lately: `identity_out` is counted */
	CACHE_PROVED, /* the password was right; `identity_out` (counted) is stale: look the account up again
		       */
	CACHE_WRONG,  /* this very password was refused lately; `identity_out` is counted, or NULL */
};

/* A login counts without the case of its ASCII letters. */
enum cache_answer auth_cache_find(struct auth_cache *cache, struct span login, struct span password,
	uint64_t now_ms, struct identity **identity_out);
void auth_cache_add_right(struct auth_cache *cache, struct span login, struct span password,
	struct identity *identity, uint64_t now_ms);
/* Only what the back end itself called a wrong password. `identity` may be NULL. */
void auth_cache_add_wrong(struct auth_cache *cache, struct span login, struct span password,
	struct identity *identity, uint64_t now_ms);
/* The account is gone, or may not log in any more. */
void auth_cache_remove(struct auth_cache *cache, struct span login, struct span password);

/*
 * Whose name this is, for ten minutes, whatever came of the login: only ->user of what is found means
 * something. NULL, or counted.
 */
struct identity *auth_cache_find_name(struct auth_cache *cache, struct span name, uint64_t now_ms);
void auth_cache_add_name(
	struct auth_cache *cache, struct span name, struct identity *identity, uint64_t now_ms);

/* By identity->user or another name of it. NULL, or counted. */
struct identity *auth_cache_find_identity(struct auth_cache *cache, struct span name, uint64_t now_ms);
void auth_cache_add_identity(
	struct auth_cache *cache, struct span name, struct identity *identity, uint64_t now_ms);

#endif
