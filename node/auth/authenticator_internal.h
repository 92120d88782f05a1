/* What authenticator.c keeps and a login uses. */
#ifndef NODE_AUTH_AUTHENTICATOR_INTERNAL_H
#define NODE_AUTH_AUTHENTICATOR_INTERNAL_H

#include "auth/auth_cache.h"
#include "auth/auth_job.h"
#include "auth/authenticator.h"

enum auth_pool { AUTH_POOL_LDAP, AUTH_POOL_WINBIND, AUTH_POOL_OTHER, AUTH_POOL_COUNT };

struct authenticator {
	struct pool *pools[AUTH_POOL_COUNT]; /* NULL: nothing to do for it */
	/* Freed by the pools. */
	struct directory *directory;
	struct local_users *users;
	struct bind_password *bind_password;
	struct kerberos *kerberos;
	enum auth_backend order[AUTH_BACKEND_COUNT]; /* of those that check passwords */
	size_t order_count;
	unsigned wanted; /* SASL_BIT()s that the settings allow; fixed */
	struct auth_cache *cache;
	_Atomic uint64_t timeout_ms;

	struct sasl_settings sasl;
	uint8_t salt_key[64];
	size_t salt_key_len;
	struct winbind_names names; /* written once, before `winbind_up` is first set */
	bool has_names;             /* of the upkeep's thread */
	atomic_bool winbind_up, kerberos_up;

	lockout_fn *on_lockout;
	void *arg;

	/* The upkeep, on one loop. */
	struct loop *loop;
	struct loop_timer timer;
	struct pool_job *upkeep[AUTH_POOL_COUNT];
	unsigned users_generation; /* of the users' file, when it was looked at last */
	bool forgets_users_again;
	bool must_read;
	uint64_t lockout_due_ms; /* loop clock; when the rule is read again */
};

enum auth_pool auth_pool_of(enum auth_job_kind kind);
/* Moves the job, on an error too. */
enum err auth_post(struct authenticator *authenticator, struct auth_job *job, struct loop *loop,
	pool_done_fn *done, void *arg, struct pool_job **job_out) WARN_UNUSED;

#endif
