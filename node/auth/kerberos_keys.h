/*
 * kerberos_keys: the keys of a keytab, copied to memory, and the GSSAPI credentials made of them. Does not
 * change once it is made, and is counted: an exchange keeps the keys it began with.
 */
#ifndef NODE_AUTH_KERBEROS_KEYS_H
#define NODE_AUTH_KERBEROS_KEYS_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/err.h"

#include <gssapi/gssapi.h>
#include <stddef.h>

enum { KERBEROS_TEXT_SIZE = 256 };

struct kerberos_keys;

/*
 * Reads the disk. An error is told in `error_out` in the library's words; `keys_out` is NULL then.
 * ERR_INVALID: no keytab, or an empty one; ERR_NOT_FOUND; ERR_IO.
 */
enum err kerberos_keys_read(
	const char *path, struct kerberos_keys **keys_out, char error_out[KERBEROS_TEXT_SIZE]) WARN_UNUSED;
struct kerberos_keys *kerberos_keys_ref(struct kerberos_keys *keys);
/* Sets the pointer to NULL; NULL is fine. */
void kerberos_keys_unref(struct kerberos_keys **keys);
size_t kerberos_keys_count(const struct kerberos_keys *keys);

/* A credential takes tokens of its one mechanism only. Borrowed. */
gss_cred_id_t kerberos_keys_krb5(const struct kerberos_keys *keys);
gss_cred_id_t kerberos_keys_spnego(const struct kerberos_keys *keys); /* that offers krb5 and nothing else */

#endif
