/*
 * ldap_conn: one connection to one LDAP server over TLS, for one thread. Every call blocks, but none longer
 * than a small multiple of `timeout_ms`; looking a host name up is the exception (the resolver's own time).
 *
 * Results are libldap's codes. ldap_conn_is_trouble() tells those that say something of the server from those
 * that answer the question.
 */
#ifndef NODE_AUTH_LDAP_CONN_H
#define NODE_AUTH_LDAP_CONN_H

#include "skein/proto/base/check.h"
#include "skein/proto/base/span.h"

#include <ldap.h>
#include <stdbool.h>
#include <stdint.h>

struct ldap_conn_options {
	const char *uri; /* one; ldaps://, or ldap:// with start_tls */
	const char *ca;  /* PEM file */
	bool start_tls;
	uint64_t timeout_ms; /* of the connection, of the handshake, of each answer */
};

/* Once, before threads are started: libldap then reads no files and variables of its own. */
void ldap_conn_global_init(void);

/*
 * Connects, checks the certificate and its name, and lets the server answer once, so that a password that is
 * sent afterwards goes to a server that lives. On an error `ld_out` is NULL.
 */
int ldap_conn_open(const struct ldap_conn_options *options, LDAP **ld_out) WARN_UNUSED;
void ldap_conn_close(LDAP **ld);

/*
 * A simple bind. `data_out` is what Active Directory adds to LDAP_INVALID_CREDENTIALS: 0x52e, 0x533 ...; or
 * 0. Neither dn nor password is empty: with one of them a bind succeeds and proves nothing (RFC 4513 5.1.2).
 */
int ldap_conn_bind(LDAP *ld, const char *dn, struct span password, unsigned *data_out) WARN_UNUSED;

struct ldap_query {
	const char *base, *filter;
	int scope; /* LDAP_SCOPE_... */
	const char *const *attributes;
	int size_limit;
	uint64_t timeout_ms;
};

/* To be freed with ldap_msgfree(). LDAP_NO_SUCH_OBJECT and a reached size limit are LDAP_SUCCESS here. */
int ldap_conn_search(LDAP *ld, const struct ldap_query *query, LDAPMessage **found_out) WARN_UNUSED;

bool ldap_conn_is_trouble(int rc);

#endif
