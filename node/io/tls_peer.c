#include "io/tls_peer.h"

#include "io/tls_internal.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

/* An address is compared as one; there can be only one. */
static bool add_name(SSL *ssl, const char *name)
{
	return X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(ssl), name) || SSL_add1_host(ssl, name);
}

static bool add_names(SSL *ssl, const struct tls_peer_rules *rules)
{
	SSL_set_hostflags(ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	for (size_t i = 0; i < rules->name_count; i++) {
		if (!add_name(ssl, rules->names[i]))
			return false;
	}
	return true;
}

/* At least one was taken: the others hold what OpenSSL cannot read. */
static bool add_records(SSL *ssl, const struct tls_peer_rules *rules)
{
	size_t taken = 0;

	(void)SSL_dane_set_flags(ssl, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
	for (size_t i = 0; i < rules->tlsa_count; i++) {
		const struct dns_tlsa *tlsa = &rules->tlsa[i];

		if (SSL_dane_tlsa_add(ssl, tlsa->usage, tlsa->selector, tlsa->matching,
			    (const unsigned char *)tlsa->association.ptr, tlsa->association.len) > 0)
			taken++;
	}
	ERR_clear_error();
	return taken > 0;
}

const char *tls_peer_expect(SSL *ssl, const struct tls_peer_rules *rules)
{
	bool is_dane = rules->check == TLS_PEER_DANE;

	SSL_set_verify(ssl, rules->check == TLS_PEER_ANY ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, NULL);
	CHECK(rules->check != TLS_PEER_NAME || rules->name_count);
	/* Makes the base the first name, and asks the server for it. */
	if (is_dane ? SSL_dane_enable(ssl, rules->server_name) <= 0
		    : *rules->server_name && !SSL_set_tlsext_host_name(ssl, rules->server_name))
		return "TLS handshake: not a host name";
	if (!add_names(ssl, rules))
		return "TLS handshake: not a host name";
	if (is_dane && !add_records(ssl, rules))
		return "TLS handshake: no TLSA record can be used";
	return NULL;
}

enum tls_peer_fault tls_peer_fault(const SSL *ssl)
{
	switch (SSL_get_verify_result(ssl)) {
	case X509_V_OK:
		return TLS_PEER_FAULTLESS;
	case X509_V_ERR_HOSTNAME_MISMATCH:
	case X509_V_ERR_IP_ADDRESS_MISMATCH:
		return TLS_PEER_MISNAMED;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return TLS_PEER_EXPIRED;
	case X509_V_ERR_DANE_NO_MATCH:
		return TLS_PEER_NO_RECORD;
	default:
		return TLS_PEER_UNTRUSTED;
	}
}
