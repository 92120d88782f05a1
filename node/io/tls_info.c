#include "io/tls_internal.h"

#include <openssl/x509v3.h>

size_t tls_end_point(const X509 *cert, unsigned char out[EVP_MAX_MD_SIZE])
{
	unsigned len = 0;
	int digest;

	if (X509_get_signature_info((X509 *)(uintptr_t)cert, &digest, NULL, NULL, NULL) != 1 ||
		digest == NID_undef)
		return 0;
	if (digest == NID_md5 || digest == NID_sha1)
		digest = NID_sha256;
	return X509_digest(cert, EVP_get_digestbynid(digest), out, &len) == 1 ? len : 0;
}

static struct span end_point_of(const SSL *ssl, const struct tls_context *context, struct arena *arena)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	X509 *peer;

	if (context->is_server && SSL_session_reused((SSL *)(uintptr_t)ssl))
		return tls_ticket_end_point(ssl);
	if (context->is_server)
		return certificate_end_point(SSL_get_certificate(ssl));
	peer = SSL_get0_peer_certificate(ssl);
	return peer ? arena_dup(arena, span_of((char *)digest, tls_end_point(peer, digest)))
		    : span_of(NULL, 0);
}

static const char *subject_of(X509 *cert, struct arena *arena)
{
	BIO *bio = BIO_new(BIO_s_mem());
	const char *subject = "";
	char *text;
	long len;

	CHECK(bio);
	if (X509_NAME_print_ex(bio, X509_get_subject_name(cert), 0, XN_FLAG_RFC2253) >= 0) {
		len = BIO_get_mem_data(bio, &text);
		/* Cut short it could be taken for another's. */
		if (len > 0 && len <= TLS_SUBJECT_LEN_MAX)
			subject = arena_strdup(arena, span_of(text, (size_t)len));
	}
	BIO_free(bio);
	return subject;
}

static bool is_printable(struct span text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.ptr[i] <= ' ' || text.ptr[i] > '~')
			return false;
	return text.len > 0 && text.len <= TLS_NAME_LEN_MAX;
}

static void add_name(struct tls_names *names, const ASN1_STRING *value, struct arena *arena)
{
	struct span text =
		span_of((const char *)ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));

	if (names->count < TLS_NAMES_MAX && is_printable(text))
		names->items[names->count++] = arena_strdup(arena, text);
}

static void read_names(X509 *cert, struct arena *arena, struct tls_info *info)
{
	GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);

	for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type == GEN_EMAIL)
			add_name(&info->peer_emails, name->d.rfc822Name, arena);
		else if (name->type == GEN_DNS)
			add_name(&info->peer_dns, name->d.dNSName, arena);
	}
	GENERAL_NAMES_free(names);
}

void tls_info_fill(SSL *ssl, const struct tls_context *context, struct arena *arena, struct tls_info *info)
{
	X509 *peer = SSL_get0_peer_certificate(ssl);
	const char *asked = SSL_get_servername(ssl, TLSEXT_NAMETYPE_host_name);
	long result = SSL_get_verify_result(ssl);

	*info = (struct tls_info){
		.protocol = SSL_get_version(ssl),
		.cipher = SSL_get_cipher_name(ssl),
		.cipher_bits = (unsigned)SSL_get_cipher_bits(ssl, NULL),
		.is_tls13 = SSL_version(ssl) >= TLS1_3_VERSION,
		.is_resumed = SSL_session_reused(ssl),
		.server_name = context->is_server && asked ? asked : "",
		.end_point = end_point_of(ssl, context, arena),
		.verified = peer && result == X509_V_OK,
		.verify_text = peer ? X509_verify_cert_error_string(result) : "no certificate",
		.is_by_dane = peer && result == X509_V_OK && SSL_get0_dane_authority(ssl, NULL, NULL) >= 0,
		.has_peer = peer != NULL,
		.peer_subject = "",
	};
	if (!peer)
		return;
	info->peer_subject = subject_of(peer, arena);
	info->peer_ends_s = tls_ends_s(peer);
	CHECK(X509_digest(peer, EVP_sha256(), info->peer_fingerprint, NULL));
	read_names(peer, arena, info);
}
