/*
 * login_name: what a client calls itself, taken apart and made safe to search for. Pure.
 *
 *     DOMAIN\name        DOMAIN must be ours: the NetBIOS name or the realm
 *     name@suffix        a user principal name, or with our realm the implicit one: account@realm
 *     name               an account name, or a user principal name without a suffix
 */
#ifndef NODE_AUTH_LOGIN_NAME_H
#define NODE_AUTH_LOGIN_NAME_H

#include "skein/proto/base/buf.h"

struct login_domain {
	const char *netbios; /* "": none */
	const char *realm;   /* the domain's DNS name */
};

/*
 * Appends an LDAP filter that finds the user object of this login. False: the name can be nobody's (empty, of
 * another domain, too long).
 */
bool login_filter(struct span login, const struct login_domain *domain, struct buf *filter_out) WARN_UNUSED;
/* RFC 4515: a value inside a filter. */
void login_append_escaped(struct buf *out, struct span value);

#endif
