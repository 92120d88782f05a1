/*
 * bind_password: the password of the service account, given at the start or a secret of the cluster, which is
 * looked at for each new connection, so that a change of it is followed. Any thread.
 *
 * So that a wrong one does not lock the account, one thread at a time tries a password that was not accepted
 * yet, while the others wait for what comes of it; and one that was refused is left alone for a minute,
 * doubling to a quarter of an hour. Another password is tried at once.
 */
#ifndef NODE_AUTH_BIND_PASSWORD_H
#define NODE_AUTH_BIND_PASSWORD_H

#include "access/secrets.h"
#include "skein/proto/base/check.h"

struct bind_password;

/* A copy of `text`, in the vault. */
struct bind_password *bind_password_new(const char *text);
/* Both borrowed, the secrets until bind_password_stop(). */
struct bind_password *bind_password_new_secret(struct secrets *secrets, const char *name);
/* The secrets are not looked at any more; threads that hang may still come. */
void bind_password_stop(struct bind_password *password);
/* Sets the pointer to NULL; NULL inside is fine. */
void bind_password_free(struct bind_password **password);

struct bind_attempt {
	const struct secret_value *value; /* not empty */
	bool is_trial;                    /* others wait for it */
};

enum bind_outcome { BIND_ACCEPTED, BIND_REFUSED, BIND_UNKNOWN };

/*
 * Times are on pool_now_ms()'s clock. True: bind_password_end() is due. Waits until `deadline_ms` for
 * another's trial. False: there is no password to try now. Unless it is because it was refused, which was
 * told then, `why_out` has a sentence that names the cure.
 */
bool bind_password_begin(struct bind_password *password, uint64_t now_ms, uint64_t deadline_ms,
	struct bind_attempt *attempt_out, struct buf *why_out) WARN_UNUSED;
void bind_password_end(struct bind_password *password, struct bind_attempt *attempt,
	enum bind_outcome outcome, uint64_t now_ms);

#endif
