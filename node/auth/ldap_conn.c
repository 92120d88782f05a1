#include "auth/ldap_conn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

static int greet(LDAP *ld, uint64_t timeout_ms);

void ldap_conn_global_init(void)
{
	LDAPAPIInfo info = { .ldapai_info_version = LDAP_API_INFO_VERSION };

	setenv("LDAPNOINIT", "1", 1);
	/* The library looks at its environment in the first call. */
	if (ldap_get_option(NULL, LDAP_OPT_API_INFO, &info) == LDAP_OPT_SUCCESS) {
		ldap_memfree(info.ldapai_vendor_name);
		ber_memvfree((void **)info.ldapai_extensions);
	}
}

static struct timeval time_of(uint64_t ms)
{
	return (struct timeval){ (time_t)(ms / 1000), (suseconds_t)(ms % 1000) * 1000 };
}

/*
 * Without CONNECT_ASYNC a handshake with a silent server blocks for ever, whatever the time limits. NEWCTX
 * makes the TLS context out of the options before it, and fails when the file cannot be read: so it is last.
 */
static bool set_options(LDAP *ld, const struct ldap_conn_options *options)
{
	int version = LDAP_VERSION3, demand = LDAP_OPT_X_TLS_DEMAND, tls = LDAP_OPT_X_TLS_PROTOCOL_TLS1_2;
	int client = 0;
	struct timeval limit = time_of(options->timeout_ms);

	return !ldap_set_option(ld, LDAP_OPT_PROTOCOL_VERSION, &version) &&
	       !ldap_set_option(ld, LDAP_OPT_REFERRALS, LDAP_OPT_OFF) &&
	       !ldap_set_option(ld, LDAP_OPT_NETWORK_TIMEOUT, &limit) &&
	       !ldap_set_option(ld, LDAP_OPT_TIMEOUT, &limit) &&
	       !ldap_set_option(ld, LDAP_OPT_CONNECT_ASYNC, LDAP_OPT_ON) &&
	       !ldap_set_option(ld, LDAP_OPT_X_TLS_CACERTFILE, options->ca) &&
	       !ldap_set_option(ld, LDAP_OPT_X_TLS_REQUIRE_CERT, &demand) &&
	       !ldap_set_option(ld, LDAP_OPT_X_TLS_PROTOCOL_MIN, &tls) &&
	       !ldap_set_option(ld, LDAP_OPT_X_TLS_NEWCTX, &client);
}

int ldap_conn_open(const struct ldap_conn_options *options, LDAP **ld_out)
{
	LDAP *ld = NULL;
	int rc = ldap_initialize(&ld, options->uri);

	*ld_out = NULL;
	if (rc == LDAP_SUCCESS && !set_options(ld, options))
		rc = LDAP_LOCAL_ERROR;
	if (rc == LDAP_SUCCESS && options->start_tls)
		rc = ldap_start_tls_s(ld, NULL, NULL);
	if (rc == LDAP_SUCCESS)
		rc = greet(ld, options->timeout_ms);
	if (rc == LDAP_SUCCESS)
		*ld_out = ld;
	else if (ld)
		ldap_conn_close(&ld);
	return rc;
}

void ldap_conn_close(LDAP **ld)
{
	if (*ld)
		ldap_unbind_ext_s(*ld, NULL, NULL);
	*ld = NULL;
}

/* The root entry may be read by anybody. */
static int greet(LDAP *ld, uint64_t timeout_ms)
{
	static const char *const nothing[] = { LDAP_NO_ATTRS, NULL };
	LDAPMessage *found = NULL;
	int rc = ldap_conn_search(ld,
		&(struct ldap_query){ "", "(objectClass=*)", LDAP_SCOPE_BASE, nothing, 1, timeout_ms },
		&found);

	ldap_msgfree(found);
	return rc;
}

static unsigned diagnostic_data(LDAP *ld)
{
	char *text = NULL, *data;
	unsigned number = 0;

	if (ldap_get_option(ld, LDAP_OPT_DIAGNOSTIC_MESSAGE, &text) != LDAP_OPT_SUCCESS || !text)
		return 0;
	data = strstr(text, ", data ");
	if (data)
		number = (unsigned)strtoul(data + strlen(", data "), NULL, 16);
	ldap_memfree(text);
	return number;
}

int ldap_conn_bind(LDAP *ld, const char *dn, struct span password, unsigned *data_out)
{
	struct berval secret = { password.len, (char *)(uintptr_t)password.ptr };
	int rc;

	CHECK(*dn && password.len);
	rc = ldap_sasl_bind_s(ld, dn, LDAP_SASL_SIMPLE, &secret, NULL, NULL, NULL);
	*data_out = rc == LDAP_INVALID_CREDENTIALS ? diagnostic_data(ld) : 0;
	return rc;
}

int ldap_conn_search(LDAP *ld, const struct ldap_query *query, LDAPMessage **found_out)
{
	struct timeval limit = time_of(query->timeout_ms);
	char **attributes = (char **)(uintptr_t)query->attributes;
	int rc;

	*found_out = NULL;
	rc = ldap_search_ext_s(ld, query->base, query->scope, query->filter, attributes, 0, NULL, NULL,
		&limit, query->size_limit, found_out);
	return rc == LDAP_NO_SUCH_OBJECT || rc == LDAP_SIZELIMIT_EXCEEDED ? LDAP_SUCCESS : rc;
}

bool ldap_conn_is_trouble(int rc)
{
	return rc != LDAP_SUCCESS && rc != LDAP_INVALID_CREDENTIALS;
}
