/*
 * secrets: the cluster's secrets of this process, opened, by name. One thread replaces them, any thread asks.
 * A value is counted and does not change: whoever holds one may use it while the cluster sets another, and
 *lets go of it when the use is over. The texts are in locked pages outside core dumps (config/vault.h) and
 *wiped with the last reference.
 *
 * Use:
 *	const struct secret_value *value = secrets_get(secrets, settings->auth.ldap.bind_secret);
 *
 *	if (!value)
 *		secrets_explain(secrets, name, &why); ...
 *	bind(secret_value_text(value));
 *	secret_value_unref(&value);
 * Ask anew for each connection, so that a change is followed; never copy the text into memory that is not
 *wiped.
 */
#ifndef NODE_ACCESS_SECRETS_H
#define NODE_ACCESS_SECRETS_H

#include "skein/proto/base/buf.h"

struct secrets;
struct secret_value;

enum secrets_state {
	SECRETS_STANDALONE, /* no Redis, no secrets */
	SECRETS_NO_KEY,     /* nothing can be opened */
	SECRETS_AWAITED,    /* not read yet */
	SECRETS_LOADED,
};

struct secrets *secrets_new(enum secrets_state state);
/* References that others hold stay good. Sets the pointer to NULL; NULL inside is fine. */
void secrets_free(struct secrets **secrets);

/* Any thread. NULL: there is none of this name; secrets_explain() says why. */
const struct secret_value *secrets_get(struct secrets *secrets, const char *name);
/* Any thread. Appends a sentence that names the cure, for a name that secrets_get() does not know. */
void secrets_explain(struct secrets *secrets, const char *name, struct buf *why_out);

enum secrets_state secrets_state(struct secrets *secrets);
/* Any thread. A reference to each of them, in no order: at most SECRETS_MAX. Returns how many. */
size_t secrets_get_all(struct secrets *secrets, const struct secret_value **values_out);
/* `fn` is told of each replacement, by the thread that does it. Set before that begins. */
void secrets_on_change(struct secrets *secrets, void (*fn)(void *arg), void *arg);

struct span secret_value_name(const struct secret_value *value);
/* Not NUL-terminated; valid as long as the reference. */
struct span secret_value_text(const struct secret_value *value);
/* Any thread. Another reference. */
const struct secret_value *secret_value_ref(const struct secret_value *value);
/* Any thread. Sets the pointer to NULL; NULL inside is fine. */
void secret_value_unref(const struct secret_value **value);

/* A copy of `text` in the vault, with one reference. */
const struct secret_value *secret_value_new(struct span name, struct span text);
/* Takes the references, at most SECRETS_MAX; what was there before is let go. The state becomes LOADED. */
void secrets_replace(struct secrets *secrets, const struct secret_value *const *values, size_t count);

#endif
